"""Which format a folder is in: what stands in its files, not which is looked at first."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.places import SAMPLE
from tests.helpers.small_sets import coco, csv, save_pictures, tfrecord, voc, yolo
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.table import FORMATS

WRITERS: dict[str, Callable[[Path], Path]] = {
    "coco": coco,
    "csv": csv,
    "tfrecord": tfrecord,
    "voc": voc,
    "yolo": yolo,
}
PAIRS = [(a, b) for a in WRITERS for b in WRITERS if a < b]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_formats_in_one_folder_are_refused(tmp_path: Path, first: str, second: str) -> None:
    for kind in (first, second):
        WRITERS[kind](tmp_path)
    with pytest.raises(InputError, match=r"^.*holds annotations as .* and .*--format") as caught:
        registry.detect(tmp_path)
    assert FORMATS[first].title in str(caught.value)
    assert FORMATS[second].title in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("names", ["classes.txt", "obj.names"])
def test_names_alone_are_no_second_format(tmp_path: Path, kind: str, names: str) -> None:
    WRITERS[kind](tmp_path)
    (tmp_path / names).write_text("dog\ncat\n")
    (tmp_path / "readme.xml").write_text("<html></html>")
    (tmp_path / "package.json").write_text('{"images": []}')
    (tmp_path / "results.csv").write_text("epoch,loss\n1,2\n")
    (tmp_path / "requirements.txt").write_text("numpy==2\n")
    assert registry.detect(tmp_path) == kind


def test_texts_without_names_beside_xml(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "Annotations/a.txt").write_text("0 .5 .5 .4 .5\n")
    for folder in (tmp_path, tmp_path / "Annotations"):
        with pytest.raises(InputError, match=r"Pascal VOC .* and YOLO .*--format voc or --format yolo"):
            registry.detect(folder)
    (tmp_path / "Annotations/a.txt").rename(tmp_path / "Annotations/._a.txt")
    assert registry.detect(tmp_path) == "voc"


OF_TOOLS = ("labelme", "vott_assets", "supervisely", "labelstudio", "via", "createml", "huggingface")


@pytest.mark.parametrize(("first", "second"), [(a, b) for a in OF_TOOLS for b in OF_TOOLS if a < b])
def test_files_of_two_tools_in_one_folder_are_refused(tmp_path: Path, first: str, second: str) -> None:
    for name in (first, second):
        shutil.copytree(SAMPLE / "formats" / name, tmp_path / name)
    titles = [FORMATS[name.removesuffix("_assets")].title for name in (first, second)]
    with pytest.raises(InputError, match=r"^.*holds annotations as .* and .*--format") as caught:
        registry.detect(tmp_path)
    assert all(title in str(caught.value) for title in titles)


def test_labels_whose_names_lie_above(tmp_path: Path) -> None:
    yolo(tmp_path)
    assert registry.detect(tmp_path / "labels") == "yolo"
    assert registry.detect(tmp_path / "labels" / "..") == "yolo"


@pytest.mark.parametrize("split", [None, "train=0.5,val=0.5"])
@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_a_set_is_never_its_own_source(
    tmp_path: Path, kind: str, split: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[kind](tmp_path)
    save_pictures(tmp_path / "images" if kind == "voc" else tmp_path)
    monkeypatch.chdir(tmp_path)
    options = ConvertOptions(".", "train", split=split, workers=1)
    boxes = convert(options).manifest.boxes
    assert convert(options).again
    if kind == "voc":
        (tmp_path / "Annotations/d.xml").write_text((tmp_path / "Annotations/a.xml").read_text())
        shutil.copy(tmp_path / "images/a.png", tmp_path / "images/d.png")
    else:
        (tmp_path / "labels/val/d.txt").write_text("0 .5 .5 .4 .5\n")
        shutil.copy(tmp_path / "images/val/a.png", tmp_path / "images/val/d.png")
    with pytest.raises(InputError, match=re.escape("train.manifest.json: exists already")):
        convert(options)
    again = convert(ConvertOptions(".", "train", split=split, workers=1, overwrite=True))
    assert (again.manifest.boxes, again.manifest.sources[0].format) == (boxes + 1, kind)
    other = convert(ConvertOptions(".", "other", workers=1))  # beside a finished set
    assert (other.manifest.boxes, other.manifest.sources[0].format) == (boxes + 1, kind)


def test_records_of_others_are_read_without_the_set_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tfrecord(tmp_path)
    monkeypatch.chdir(tmp_path)
    first = convert(ConvertOptions(".", "set", workers=1))
    assert (first.manifest.images, first.again) == (3, False)
    assert convert(ConvertOptions(".", "set", workers=1)).again
    assert convert(ConvertOptions(".", "set", workers=1, seed=1, overwrite=True)).manifest.images == 3
    (tmp_path / "old.tfrecord").unlink()
    with pytest.raises(InputError, match="no annotations are found"):
        convert(ConvertOptions(".", "set", workers=1))
    with pytest.raises(InputError, match="no record files besides those of the set"):
        convert(ConvertOptions(".", "set", format="tfrecord", workers=1))
    assert registry.detect(tmp_path) == "tfrecord"  # a set as a source on purpose


FOREIGN: dict[str, Any] = {
    "BDD100K": [{"name": "a.jpg", "labels": [{"category": "car", "box2d": {"x1": 1}}]}],
    "Labelbox": [{"data_row": {"external_id": "a.jpg"}, "projects": {}}],
    "Scale": [{"task_id": "x", "response": {"annotations": [{"label": "car", "left": 1}]}}],
    "Detectron2": [{"file_name": "a.jpg", "image_id": 1, "annotations": [{"bbox": [1, 2, 3, 4]}]}],
    "COCO's results without scores": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
    "Datumaro": {
        "info": {},
        "categories": {"label": {"labels": [{"name": "cat"}]}},
        "items": [{"id": "a", "annotations": [{"bbox": [1, 2, 3, 4]}], "image": {"path": "a.jpg"}}],
    },
    "MMDetection": {"metainfo": {"classes": ["cat"]}, "data_list": [{"img_path": "a.jpg", "instances": []}]},
    "SuperAnnotate": {"metadata": {"name": "a.jpg"}, "instances": [{"className": "cat"}], "tags": []},
    "Cityscapes": {"imgHeight": 80, "imgWidth": 100, "objects": [{"label": "car", "polygon": [[1, 2]]}]},
}
OF_JSON = "COCO, LabelMe, Label Studio, VIA, VoTT, Create ML, Supervisely"


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("size", [0, 200_000])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_json_of_no_format_is_told_by_its_keys(tmp_path: Path, kind: str, size: int, begin: str) -> None:
    path = tmp_path / "a.json"
    value = FOREIGN[kind]
    (value if isinstance(value, dict) else value[0])["more"] = ["x" * 100] * (size // 100)
    path.write_text(begin + json.dumps(value))
    with pytest.raises(InputError) as caught:
        registry.detect(path)
    keys = ", ".join(map(repr, value if isinstance(value, dict) else value[0]))
    assert f"the keys {keys}, expected {OF_JSON}; say --format" in str(caught.value)
    assert "not COCO" not in str(caught.value)
    with pytest.raises(InputError, match=r"not COCO instances|is a list of COCO results"):
        registry.read(path, "coco")
    with pytest.raises(InputError, match="no annotations are found"):
        registry.detect(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty, expected annotations"),
        ("[]", f"no format is recognised: it is an empty list, expected {OF_JSON}; say --format"),
        ("{}", "it is an empty object"),
        ("3", "it is 3, expected"),
        ("[1, 2]", "it is a list of other than objects"),
        ('{"a": NaN, "b": 1}', "it has the keys 'a', 'b', expected"),
        (json.dumps(dict.fromkeys("abcdefghijklm")), "'g', 'h' and 5 more, expected"),
        (json.dumps({"k" * 5000: 1}), "it has the keys 'kkk"),
        ("<html>", "line 1, column 1 (byte 0): broken JSON"),
        ('{"a": ', "broken JSON"),
        ("[" * 100_000, "broken JSON"),
        ('{"shapes": null, "imagePath": "a.jpg"}', "shapes: is None, expected a list"),
        (
            '{"images": [], "annotations": [], "info": {}}',
            "not COCO instances: Object missing required field",
        ),
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "is a list of COCO results"),
    ],
)
def test_json_that_holds_little_is_told_as_what_it_is(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        registry.read(path)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            '{"source-ref": "s3://b/a.jpg", "bb": {}}\n',
            "it has the keys 'source-ref', 'bb', expected AutoML / Vertex, ",
        ),
        (
            '\n{"image_file_name": "a.jpg", "objects": {"bbox": []}}\n{',
            "the keys 'image_file_name', 'objects'",
        ),
        ("", "is empty, expected annotations"),
        ("{", "line 1: is no JSON"),
    ],
)
def test_lines_of_no_format_are_told_by_the_keys_of_the_first(
    tmp_path: Path, lines: str, reason: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(lines)
    with pytest.raises(InputError) as caught:
        registry.detect(path)
    assert reason in str(caught.value)


def test_coco_whose_keys_stand_far_from_its_ends_is_coco(tmp_path: Path) -> None:
    parts = {
        "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4], "category_id": 1, "more": "x" * 100_000}],
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cat", "definition": "x" * 100_000}],
    }
    (tmp_path / "a.json").write_text(json.dumps(parts))
    assert registry.detect(tmp_path / "a.json") == registry.detect(tmp_path) == "coco"

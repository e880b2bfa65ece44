"""Formats: the same scenes from each, and what is no source at all."""

from __future__ import annotations

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.small_sets import SCENES, WRITERS, coco, save_picture, voc
from tests.helpers.sources import boxes_by_file
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.table import FORMATS

GIVEN = {"voc_origin": 1, "yolo": "pose", "box_format": "xywh"}  # of those that take words of their own


@pytest.mark.parametrize("kind", WRITERS)
def test_each_format_reads_the_same_scenes(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    assert registry.detect(path) == kind
    source = registry.read(path, kind)
    assert boxes_by_file(source) == {
        name: (tuple(box[0] for box in boxes), [list(map(float, box[1:])) for box in boxes])
        for name, _, _, boxes in SCENES
    }
    assert {record.filename: (record.width, record.height) for record in source.records} == {
        name: (width, height) for name, width, height, _ in SCENES
    }
    assert {record.labeled for record in source.records} == {frozenset({"cat", "dog"})}
    assert source.issues == ()


def test_order_of_classes_and_images(tmp_path: Path) -> None:
    given = {kind: registry.read(write(tmp_path), kind) for kind, write in WRITERS.items()}
    assert {kind: source.classes for kind, source in given.items()} == {
        "coco": ("dog", "cat"),  # by id
        "voc": ("cat", "dog"),
        "csv": ("cat", "dog"),
    }
    order = {kind: [record.filename for record in source.records] for kind, source in given.items()}
    assert order == {kind: ["b.jpg", "a.png", "c.jpg"] for kind in ("coco", "csv")} | {
        "voc": ["a.png", "b.jpg", "c.jpg"]
    }


def test_sources_point(tmp_path: Path) -> None:
    points = {kind: registry.read(write(tmp_path), kind).records[1].source for kind, write in WRITERS.items()}
    assert points == {"coco": "instances.json images[1]", "voc": "b.xml", "csv": "labels.csv line 4"}


def test_what_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match=r"unclear"):
        registry.detect(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"no annotations are found, expected those of COCO, Pascal VOC"):
        registry.detect(tmp_path)
    with pytest.raises(InputError, match=r"no such file"):
        registry.detect(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "caf\xe9,width", "UTF-8"),
        ("sub/a.csv", "a.jpg,10,20,cat,1,2,3,4\n", "say --columns"),
        ("a.json", '[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "COCO results"),
    ],
)
def test_a_folder_whose_only_file_is_unclear(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=rf"; name {tmp_path / name} to be told why"):
        registry.detect(tmp_path)
    with pytest.raises(InputError, match=reason):
        registry.read(tmp_path / name)


def test_images_stand_nearby(tmp_path: Path) -> None:
    annotations = voc(tmp_path)
    assert registry.images_folder(registry.laid_out(annotations)) == annotations
    (tmp_path / "images").mkdir()
    assert registry.images_folder(registry.laid_out(annotations)) == tmp_path.resolve() / "images"
    (tmp_path / "JPEGImages").mkdir()
    assert registry.images_folder(registry.laid_out(annotations)).name == "JPEGImages"
    layout = registry.laid_out(tmp_path / "instances.json", "coco")
    assert registry.images_folder(layout) == tmp_path / "JPEGImages"


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("a.jpg", ""),
        ("images/a.jpg", "images"),
        ("annotations/a.jpg", "annotations"),
        ("annotations/images/a.jpg", "annotations/images"),
        ("JPEGImages/more/a.jpg", "JPEGImages"),
        ("train2017/a.jpg", ""),
        ("c/d/a.jpg", ""),
    ],
)
def test_images_of_a_file_in_a_folder_stand_in_all_that_was_named(
    tmp_path: Path, image: str, expected: str
) -> None:
    save_picture(tmp_path / image, 8, 8)
    file = WRITERS["coco"](tmp_path)
    (tmp_path / "annotations").mkdir(exist_ok=True)
    file.rename(tmp_path / "annotations" / file.name)
    assert registry.images_folder(registry.laid_out(tmp_path)).resolve() == (tmp_path / expected).resolve()


@pytest.mark.parametrize("images", ["images", "images/default", "pics", "pics/a", ".", "annotations"])
@pytest.mark.parametrize("file", ["annotations/a.json", "annotations/deep/a.json", "a.json"])
def test_the_images_of_a_file_below_the_named_folder_are_below_it_too(
    tmp_path: Path, file: str, images: str
) -> None:
    """CVAT and Datumaro export annotations/instances_default.json beside images."""
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    coco(tmp_path).rename(tmp_path / file)
    (tmp_path / images).mkdir(parents=True, exist_ok=True)
    (tmp_path / images / "a.jpg").write_bytes(b"")
    assert (tmp_path / images).is_relative_to(registry.images_folder(registry.laid_out(tmp_path)))


@pytest.mark.parametrize("kind", ["voc", "csv", "coco"])
def test_masks_that_are_asked_for_and_not_read_are_said(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path)
    issues = registry.read(path, None, ReadOptions(masks=True)).issues
    said = [(issue.code, issue.source) for issue in issues if "--masks" in issue.message]
    assert said == ([] if kind == "coco" else [("annotation-unread", path.name)])


@pytest.mark.parametrize("field", fields(ReadOptions), ids=lambda field: str(field.name))
def test_each_option_is_read_of_some_formats_and_refused_of_the_others(field: Field[Any]) -> None:
    given: dict[str, Any] = {field.name: GIVEN.get(field.name, "x")}
    options = ReadOptions(**given)
    readers = [kind for kind, form in FORMATS.items() if field.name in form.options]
    if field.name in ("masks", "keypoints", "writes"):  # which concern every format
        assert not readers
        return
    for kind in FORMATS:
        registry.require_read([kind, *readers], options)
        if kind not in readers:
            with pytest.raises(InputError, match=f"is not read of {FORMATS[kind].title}, expected "):
                registry.require_read([kind], options)


def test_voc_and_coco_of_the_same_real_data_agree(shared: Path) -> None:
    folder = shared / "data/voc2012_100/data/database/gts"
    from_voc = boxes_by_file(registry.read(folder / "pascalvoc_format", "voc"))
    from_coco = boxes_by_file(registry.read(folder / "coco_format_v1/instances_default.json", "coco"))
    assert from_voc.keys() == {name.rsplit("/")[-1] for name in from_coco}
    for name, (labels, boxes) in from_coco.items():
        expected = sorted(zip(from_voc[name][0], from_voc[name][1], strict=True))
        found = sorted(zip(labels, boxes, strict=True))
        assert [one[0] for one in found] == [one[0] for one in expected]
        np.testing.assert_allclose([one[1] for one in found], [one[1] for one in expected], atol=1e-9)

"""Label Studio's CSV and TSV: regions in cells, images by their addresses, annotations of one task."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry

COLUMNS = ("annotation_id", "annotator", "created_at", "id", "image", "label", "lead_time", "updated_at")
BOX = [30.0, 20.0, 70.0, 60.0]
UPLOAD = "/data/upload/3/0a1b2c3d-a.jpg"


def region(*names: object, **changed: Any) -> dict[str, Any]:
    """The box BOX of an image of 100 x 80."""
    numbers = {"x": 30.0, "y": 25.0, "width": 40, "height": 50, "rotation": 0}
    size = {"original_width": 100, "original_height": 80}
    return {**numbers, "rectanglelabels": list(names), **size} | changed


def read_rows(tmp_path: Path, *rows: dict[str, Any], name: str = "project.csv") -> Source:
    path = tmp_path / name
    names = list(dict.fromkeys((*COLUMNS, *(key for row in rows for key in row))))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        for number, row in enumerate(rows, start=1):
            whole = {"annotation_id": 10 + number, "annotator": 1, "id": number, "image": UPLOAD} | row
            texts = {
                key: json.dumps(value) if isinstance(value, list) else value for key, value in whole.items()
            }
            writer.writerow(texts)
    assert registry.detect(path) == "labelstudio-csv"
    source = registry.read(path)
    assert_balanced(source)
    return source


@pytest.mark.parametrize("name", ["project.csv", "project.tsv"])
def test_regions_in_cells(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, Any]] = [
        {"label": [region("cat"), region("dog", "pet")]},
        {"image": "b.jpg", "label": ""},
        {"image": "c.jpg", "annotation_id": ""},
    ]
    source = read_rows(tmp_path, *rows, name=name)
    first, negative, unannotated = source.records
    assert (first.filename, first.names) == ("0a1b2c3d-a.jpg", ("cat", "dog", "pet"))
    assert (first.width, first.height, first.relative) == (100, 80, False)
    assert first.boxes_xyxy.tolist() == [BOX] * 3
    assert (negative.names, unannotated.names) == ((), ())
    assert [(issue.code, issue.source) for issue in source.issues] == [
        ("image-unannotated", f"{name} line 4")
    ]


@pytest.mark.parametrize(
    ("address", "filename"),
    [
        ("/data/local-files/?d=set/a%20b.jpg", "set/a b.jpg"),
        ("s3://bucket/set/a.jpg", "set/a.jpg"),
        ("https://host/set/a%20b.jpg?key=1", "set/a b.jpg"),
        ("a b.jpg", "a b.jpg"),
        ("C:\\set\\a.jpg", "C:\\set\\a.jpg"),
    ],
)
def test_addresses_of_images(tmp_path: Path, address: str, filename: str) -> None:
    for row in ({"image": address}, {"image": "", "photo": address}):
        (record,) = read_rows(tmp_path, {"label": [region("cat")]} | row).records
        assert record.filename == filename


@pytest.mark.parametrize(
    ("changed", "box", "around"),
    [
        ({"rotation": 90, "x": 70.0}, [30, 20, 70, 60], "rotated box"),
        ({"polygonlabels": ["cat"], "points": [[30, 25], [70, 30], [50, 75]]}, BOX, "polygon"),
        ({"ellipselabels": ["cat"], "x": 50, "y": 50, "radiusX": 20, "radiusY": 25}, BOX, "ellipse"),
    ],
)  # fmt: skip
def test_boxes_around_shapes(tmp_path: Path, changed: dict[str, Any], box: list[float], around: str) -> None:
    item = region("cat", **changed)
    if around in ("polygon", "ellipse"):
        del item["rectanglelabels"]
    source = read_rows(tmp_path, {"label": [item]})
    np.testing.assert_allclose(source.records[0].boxes_xyxy, [box])
    assert [issue.message.partition(": ")[2] for issue in source.issues] == [
        f"label[0]: cat: the box around its {around}"
    ]


def test_without_a_size_boxes_are_fractions(tmp_path: Path) -> None:
    item = {key: value for key, value in region("cat").items() if not key.startswith("original")}
    (record,) = read_rows(tmp_path, {"label": [item]}).records
    assert record.relative
    np.testing.assert_allclose(record.boxes_xyxy, [[0.3, 0.25, 0.7, 0.75]])


def test_several_annotations_and_controls_of_a_task(tmp_path: Path) -> None:
    shape = {key: value for key, value in region().items() if key != "rectanglelabels"}
    rows: list[dict[str, Any]] = [
        {"id": 1, "label": [region("cat")]},
        {"id": 1, "label": [region("dog")] * 2},
        {"id": 2, "image": "b.jpg", "label": [shape | {"labels": ["cow"]}], "box": [shape]},
    ]
    source = read_rows(tmp_path, *rows)
    assert [record.names for record in source.records] == [("cat",), ("cow",)]
    assert faults(source) == ["annotation-unread"]
    assert source.account is not None
    assert source.account.dropped == {"annotation-unread": 2}


@pytest.mark.parametrize(
    ("cell", "code", "words"),
    [
        ("[{", "annotation-unread", "label[0]: is '[{', which is no region"),
        ([7], "annotation-unread", "label[0]: is 7, which is no region"),
        ("[" * 100_000, "annotation-unread", "label[0]: is '[[["),
        ([region("dog", x="left")], "annotation-unread", "label[0]: dog: has no numbers x, y, "),
        ([region("dog", rotation="far")], "annotation-unread", "label[0]: dog: its rotation is 'far'"),
        ([region("dog"), region("dog", original_width=7)], "annotation-unread", "label[1]: dog: is of an"),
        ([region()], "class-unknown", "label[0]: names no class"),
        ([region(None)], "class-unknown", "label[0]: names no class"),
        ([region("dog", image_rotation=90)], "annotation-unread", "label[0]: dog: was drawn on"),
        ([{"keypointlabels": ["dog"], "x": 1, "y": 2}], "box-missing", "label[0]: dog: a keypoint"),
        ([{"brushlabels": ["dog"], "rle": [1]}], "annotation-unread", "label[0]: dog: is a brush"),
        ([{"polygonlabels": ["dog"], "points": [[1]]}], "annotation-unread", "label[0]: dog: its points"),
    ],
)  # fmt: skip
def test_odd_regions(tmp_path: Path, cell: Any, code: str, words: str) -> None:
    rows: list[dict[str, Any]] = [{"image": f"{name}.jpg", "label": label} for name, label in
            (("a", [region("cat")]), ("b", cell), ("c", [region("cat")]))]  # fmt: skip
    source = read_rows(tmp_path, *rows)
    (issue,) = source.issues
    assert (issue.code, issue.source) == (code, "project.csv line 3")
    assert issue.message.removeprefix("line 3: ").startswith(words)


def test_tasks_without_an_image(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"label": [region("cat")]},
        {"image": "", "label": [region("cat")]},
        {"image": "", "one": "a.jpg", "two": "b.png", "label": [region("cat")]},
    ]
    source = read_rows(tmp_path, *rows)
    assert faults(source) == ["image-unknown"] * 2
    none, several = (issue.message for issue in source.issues)
    assert none.startswith("its data names no image, of {")
    assert several == "its data names several images (a.jpg, b.png), and not which of them it is about"


def test_a_csv_with_ids_of_annotations_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("annotation_id,image,label,x,y,w,h\n1,a.jpg,cat,1,2,3,4\n")
    assert registry.detect(path) == "csv"
    path.write_text("image,label\na.jpg,cat\n")
    with pytest.raises(InputError, match="no column annotation_id or lead_time, expected Label Studio's CSV"):
        registry.read(path, "labelstudio-csv")

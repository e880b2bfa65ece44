"""AutoML's rows and Vertex' lines of JSON: boxes, uses, and what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.sources import assert_balanced
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry

BOX = [0.25, 0.25, 0.75, 0.5]
TWO = "0.25,0.25,,,0.75,0.5,,"
FOUR = "0.25,0.25,0.75,0.25,0.75,0.5,0.25,0.5"


def read_rows(tmp_path: Path, *rows: str) -> Source:
    path = tmp_path / "import.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert registry.detect(path) == "automl"
    source = registry.read(path)
    assert_balanced(source)
    return source


def read_lines(tmp_path: Path, *lines: object) -> Source:
    path = tmp_path / "import.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    source = registry.read(path)
    assert_balanced(source)
    return source


@pytest.mark.parametrize("points", [TWO, FOUR, "0.75,0.5,,,0.25,0.25,,", ",,0.75,0.25,,,0.25,0.5"])
@pytest.mark.parametrize(
    ("use", "split"),
    [("TRAIN,", "train"), ("training,", "train"), ("VALIDATE,", "val"), ("VALIDATION,", "val"),
     ("test,", "test"), ("UNASSIGNED,", None), (",", None), ("", None)],
)  # fmt: skip
def test_rows(tmp_path: Path, use: str, split: str | None, points: str) -> None:
    (record,) = read_rows(tmp_path, f"{use}gs://bucket/x/a b.jpg,cat,{points}").records
    assert (record.filename, record.names, record.split) == ("x/a b.jpg", ("cat",), split)
    assert record.relative
    assert record.boxes_xyxy.tolist() == [BOX]


def test_rows_of_an_image_and_images_without_objects(tmp_path: Path) -> None:
    header = "set,path,label,x_min,y_min,x_max,y_min,x_max,y_max,x_min,y_max"
    rows = [
        "TRAIN,gs://b/a.jpg,cat," + TWO,
        "TEST,gs://b/n.jpg,,,,,,,,,",
        "TRAIN,gs://b/a.jpg,dog," + FOUR,
        "TEST,gs://b/m.jpg",
        "",
    ]
    for listed in (rows, [header, *rows]):
        source = read_rows(tmp_path, *listed[1:], listed[0]) if listed is rows else read_rows(tmp_path, *rows)
        assert {record.filename: (sorted(record.names), record.split) for record in source.records} == {
            "a.jpg": (["cat", "dog"], "train"), "n.jpg": ([], "test"), "m.jpg": ([], "test"),
        }  # fmt: skip
        assert not source.issues
        assert source.classes == ("cat", "dog")


def test_a_header_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "import.csv"
    path.write_text(f"set,path,label,x1,y1,x2,y1,x2,y2,x1,y2\nTRAIN,gs://b/a.jpg,cat,{FOUR}\n")
    assert registry.detect(path) == "automl"
    (record,) = registry.read(path).records
    assert record.boxes_xyxy.tolist() == [BOX]


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("TRAIN,gs://b/b.jpg,dog,,,,,,,,", "box-missing", "line 2: dog: has no two points"),
        ("TRAIN,gs://b/b.jpg,dog,.1,.2,,,,,,", "box-missing", "line 2: dog: has no two points"),
        ("TRAIN,gs://b/b.jpg,dog,.1,.2,,,.3,,,", "box-missing", "line 2: dog: has no two points"),
        (
            "TRAIN,gs://b/b.jpg,dog,.1,.2,,,.3,nine,,",
            "annotation-unread",
            "line 2: dog: .1,.2,,,.3,nine,,",
        ),
        (f"TRAIN,gs://b/b.jpg,dog,{TWO},0.9", "annotation-unread", "line 2: dog: '0.9' after four points"),
        (f"TRAIN,gs://b/b.jpg,,{TWO}", "class-unknown", "line 2: names no class"),
        (f"TRAIN,,dog,{TWO}", "image-unknown", "names no image"),
        (f"LATER,gs://b/b.jpg,dog,{TWO}", "annotation-unread", "line 2: ML_USE is 'later', expected one of"),
        (f"TEST,gs://b/a.jpg,dog,{TWO}", "split-conflict", "line 2 puts it into test, an earlier one into"),
        ("TRAIN,gs://b/b.jpg,dog,.1,.2,.3,.1,.4,.3,.2,.4", "box-derived", "line 2: dog: the box around its"),
    ],
)
def test_odd_rows(tmp_path: Path, row: str, code: str, words: str) -> None:
    path = tmp_path / "import.csv"
    path.write_text(f"TRAIN,gs://b/a.jpg,cat,{TWO}\n{row}\nTRAIN,gs://b/c.jpg,cat,{TWO}\n")
    source = registry.read(path, "automl")
    assert_balanced(source)
    assert [issue.code for issue in source.issues] == [code]
    assert source.issues[0].message.startswith(words)


def test_numbers_that_are_none_are_left_to_the_checks(tmp_path: Path) -> None:
    path = tmp_path / "import.csv"
    path.write_text("TRAIN,gs://b/a.jpg,cat,nan,0.1,,,inf,1,,\n")
    (record,) = registry.read(path, "automl").records
    assert not np.isfinite(record.boxes_xyxy).all()


def annotation(**changed: Any) -> dict[str, Any]:
    box = dict(zip(("xMin", "yMin", "xMax", "yMax"), BOX, strict=True))
    return {"displayName": "cat", **box, "annotationResourceLabels": {"a": "b"}} | changed


def image(*boxes: object, **changed: Any) -> dict[str, Any]:
    labels = {"aiplatform.googleapis.com/ml_use": "validation"}
    content = {"imageGcsUri": "gs://b/x/a.jpg", "boundingBoxAnnotations": list(boxes)}
    return {**content, "dataItemResourceLabels": labels} | changed


@pytest.mark.parametrize(
    "line",
    [
        image(annotation()),
        image(annotation(xMin="0.25", yMax="0.50")),
        {"image_gcs_uri": "gs://b/x/a.jpg", "data_item_resource_labels": {"ml_use": "VALIDATION"},
         "bounding_box_annotations": [{"display_name": "cat", "x_min": 0.25, "y_min": 0.25, "x_max": 0.75,
                                       "y_max": 0.5}]},
    ],
)  # fmt: skip
def test_lines(tmp_path: Path, line: dict[str, Any]) -> None:
    source = read_lines(tmp_path, line, "", image(imageGcsUri="gs://b/n.jpg"))
    first, negative = source.records
    assert (first.filename, first.names, first.split) == ("x/a.jpg", ("cat",), "val")
    assert first.boxes_xyxy.tolist() == [BOX]
    assert (negative.filename, negative.names) == ("n.jpg", ())
    assert not source.issues


TWICE = json.dumps(image(annotation()) | {"xMin": 1})[:-1] + ', "xMin": 2}'


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("{", "annotation-damaged", "is no object of JSON"),
        ("[1]", "annotation-damaged", "is no object of JSON"),
        (TWICE.replace("xMin", "imageGcsUri"), "annotation-damaged", "is no object of JSON"),
        (TWICE.replace("xMin", "boundingBoxAnnotations"), "annotation-damaged", "is no object of JSON"),
        (image(image_gcs_uri="gs://b/x/a.jpg"), "annotation-damaged", "is no object of JSON"),
        (
            image(annotation(x_min=0.5)),
            "annotation-unread",
            "boundingBoxAnnotations[0]: the key 'xMin' stands",
        ),
        (image(annotation(), imageGcsUri=7), "image-unknown", "imageGcsUri is 7"),
        (image(boundingBoxAnnotations=None), "image-unannotated", "has no boundingBoxAnnotations"),
        (image(boundingBoxAnnotations={}), "annotation-unread", "boundingBoxAnnotations is no list"),
        (image(7), "annotation-unread", "boundingBoxAnnotations[0]: is 7, expected an object"),
        (image(annotation(xMax=None)), "box-missing", "boundingBoxAnnotations[0]: cat: has no xMax"),
        (image(annotation(xMax=[1])), "annotation-unread", "boundingBoxAnnotations[0]: cat: xMax is [1]"),
        (image(annotation(displayName=None)), "class-unknown", "boundingBoxAnnotations[0]: names no class"),
        (image(polylineAnnotations=[{}]), "annotation-unread", "polylineAnnotations is not read"),
        (image(dataItemResourceLabels={"a/ml_use": 3}), "annotation-unread", "ml_use is '3'"),
    ],
)
def test_odd_lines(tmp_path: Path, line: object, code: str, words: str) -> None:
    source = read_lines(tmp_path, image(annotation(), imageGcsUri="gs://b/c.jpg"), line)
    assert [(issue.code, issue.source) for issue in source.issues] == [(code, "import.jsonl line 2")]
    assert source.issues[0].message.startswith(words)


@pytest.mark.parametrize("key", ["imageGcsUri", "boundingBoxAnnotations", "other"])
def test_a_key_that_stands_twice_in_a_line_is_damage_that_names_it(tmp_path: Path, key: str) -> None:
    line = json.dumps(image(annotation(), annotation()) | {key: []})[:-1] + f', "{key}": []}}'
    (tmp_path / "import.jsonl").write_text(line)
    assert registry.detect(tmp_path / "import.jsonl") == "automl"
    source = read_lines(tmp_path, line, image(annotation()))
    assert [issue.code for issue in source.issues] == ["annotation-damaged"]
    assert f"the key '{key}' stands twice in one object" in source.issues[0].message
    assert len(source.records) == 1


def test_what_is_no_list_of_images(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl"):
        (tmp_path / name).write_text("\n\n")
        with pytest.raises(InputError, match="lists no images"):
            registry.read(tmp_path / name, "automl")
        (tmp_path / name).write_bytes(b"TRAIN,gs://b/\xff\xfe.jpg\n")
        with pytest.raises(InputError, match="cannot be read as"):
            registry.read(tmp_path / name, "automl")

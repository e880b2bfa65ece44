"""Create ML: its variants, fractions, and damaged files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions

AT = {"x": 15.5, "y": 11, "width": 29, "height": 18}


def write(folder: Path, value: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def read(path: Path, coordinates: str | None = None) -> Source:
    assert registry.detect(path) == "createml"
    source = registry.read(path, None, ReadOptions(coordinates=coordinates))
    assert_balanced(source)
    return source


@pytest.mark.parametrize("name", ["image", "imagefilename", "imageURL"])
@pytest.mark.parametrize("key", ["annotations", "annotation"])
def test_variants(tmp_path: Path, name: str, key: str) -> None:
    (record,) = read(write(tmp_path, [{name: "a.jpg", key: [{"label": "cat", "coordinates": AT}]}])).records
    assert (record.filename, record.names) == ("a.jpg", ("cat",))
    assert record.boxes_xyxy.tolist() == [[1, 2, 30, 20]]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"label": "", "coordinates": AT}, "class-unknown"),
        ({"coordinates": AT}, "class-unknown"),
        ({"label": "cat"}, "box-missing"),
        ({"label": "cat", "coordinates": {"x": 1}}, "annotation-unread"),
        ({"label": "cat", "coordinates": AT | {"x": "1"}}, "annotation-unread"),
        ({"label": "cat", "coordinates": [1, 2, 3, 4]}, "annotation-unread"),
        (None, "annotation-unread"),
    ],
)
def test_what_is_no_box_is_an_issue(tmp_path: Path, item: Any, code: str) -> None:
    whole = {"label": "cat", "coordinates": AT}
    source = read(write(tmp_path, [{"image": "a.jpg", "annotations": [whole, item]}]))
    assert [(issue.code, issue.source) for issue in source.issues] == [(code, "boxes.json [0]")]
    assert source.issues[0].message.startswith("annotations[1]: ")
    assert source.records[0].names == ("cat",)


def test_fractions_are_not_guessed(tmp_path: Path) -> None:
    at = {"x": 0.5, "y": 0.5, "width": 0.5, "height": 1}
    path = write(tmp_path, [{"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": at}]}])
    with pytest.raises(InputError, match="say --coordinates fractions or pixels"):
        read(path)
    for coordinates in ("fractions", "pixels"):
        (record,) = read(path, coordinates).records
        assert record.relative == (coordinates == "fractions")
        assert record.boxes_xyxy.tolist() == [[0.25, 0, 0.75, 1]]


def test_images_without_boxes_or_names(tmp_path: Path) -> None:
    whole = [{"label": "cat", "coordinates": AT}]
    listed = [{"image": "a.jpg", "annotations": []}, {"image": "b.jpg"}, {"annotations": whole}, 3]
    source = read(write(tmp_path, [*listed, {"image": 7, "annotations": None}]))
    assert [record.filename for record in source.records] == ["a.jpg", "b.jpg", "7"]
    codes = ["image-unannotated", "image-unknown", "image-unknown", "image-unannotated"]
    assert faults(source) == codes
    assert source.account.dropped == {"image-unknown": 1}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[{"image": "a.jpg", "annotations": [{"coord', "broken JSON"),
        ('{"annotations": []}', "expected Create ML's list of images"),
        ("3", "is 3, expected"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(InputError, match=line):
        registry.read(write(tmp_path, text), "createml")

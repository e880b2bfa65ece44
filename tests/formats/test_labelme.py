"""LabelMe: shapes of every kind and version, groups, names of images, and damaged files."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry


def shape(kind: str | None, points: Any, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {} if kind is None else {"shape_type": kind}
    return {"label": "cat", "points": points, "group_id": None, "flags": {}} | said | more


def labelme(folder: Path, *shapes: Any, name: str = "a.json", **more: Any) -> Path:
    said: dict[str, Any] = {"version": "5.5.0", "flags": {}, "imagePath": "a.jpg", "imageData": None}
    size = {"imageHeight": 80, "imageWidth": 100}
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(said | {"shapes": shapes} | size | more))
    return folder / name


def read(path: Path) -> Source:
    assert registry.detect(path) == "labelme"
    source = registry.read(path)
    assert_balanced(source)
    return source


def png(width: int, height: int) -> str:
    out = BytesIO()
    Image.new("L", (width, height), 255).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


TRIANGLE = [[30, 2], [1.5, 20], [10, 9]]
CORNERS = [[30, 2], [1, 20]]
BOX = [1, 2, 30, 20]


@pytest.mark.parametrize(
    ("item", "box", "code"),
    [
        (shape("rectangle", CORNERS), BOX, ""),
        (shape("rectangle", [[1, 2], [30, 2], [30, 20], [1, 20]]), BOX, ""),
        (shape("polygon", TRIANGLE), [1.5, 2, 30, 20], "box-derived"),
        (shape(None, TRIANGLE), [1.5, 2, 30, 20], "box-derived"),
        (shape("rotation", [[1, 10], [15, 2], [30, 10], [15, 20]], direction=0.5), BOX, "box-derived"),
        (shape("circle", [[20, 30], [23, 34]]), [15, 25, 25, 35], "box-derived"),
        (shape("mask", [[5, 6], [14, 17]], mask=png(10, 12)), [5, 6, 15, 18], "box-derived"),
        (shape("mask", [[5, 6], [14, 17]], mask="?"), [5, 6, 14, 17], "box-derived"),
        (shape("point", [[5, 6]]), None, "box-missing"),
        (shape("points", [[5, 6], [7, 8]]), None, "box-missing"),
        (shape("line", CORNERS), None, "box-missing"),
        (shape("linestrip", TRIANGLE), None, "box-missing"),
        (shape("polygon", CORNERS), None, "box-missing"),
        (shape("spline", TRIANGLE), None, "annotation-unread"),
        (shape("rectangle", TRIANGLE), None, "annotation-unread"),
        (shape("circle", [[1, 2]]), None, "annotation-unread"),
        (shape("rectangle", [["x", 2], [3, 4]]), None, "annotation-unread"),
        (shape("rectangle", [[True, 2], [3, 4]]), None, "annotation-unread"),
        (shape("rectangle", [[10**400, 2], [3, 4]]), None, "annotation-unread"),
        (shape("rectangle", CORNERS, label=""), None, "class-unknown"),
        (shape("rectangle", CORNERS, label=None), None, "class-unknown"),
        ("shape", None, "annotation-unread"),
        (None, None, "annotation-unread"),
    ],
)
def test_a_shape_is_a_box_or_an_issue(tmp_path: Path, item: Any, box: list[float] | None, code: str) -> None:
    source = read(labelme(tmp_path, item))
    (record,) = source.records
    assert record.boxes_xyxy.tolist() == ([] if box is None else [box])
    assert (record.width, record.height) == (100, 80)
    assert faults(source) == ([code] if code else [])
    assert all(issue.message.startswith("shapes[0]: ") for issue in source.issues)


def test_nan_is_a_box_to_be_reported(tmp_path: Path) -> None:
    (record,) = read(labelme(tmp_path, shape("rectangle", [[float("nan"), 2], [3, 4]]))).records
    assert record.names == ("cat",)


def test_images_are_known_to_be_turned_first(tmp_path: Path) -> None:
    """By LabelFile.load_image_file, whatever their EXIF orientation is."""
    (record,) = read(labelme(tmp_path, shape("rectangle", CORNERS))).records
    assert record.upright


def test_shapes_of_one_label_and_group_are_one_object(tmp_path: Path) -> None:
    shapes = [
        shape("polygon", [[0, 0], [4, 0], [4, 4]], group_id=1),
        shape("polygon", [[8, 8], [9, 8], [9, 9]], group_id=1, flags={"Occluded": True}),
        shape("rectangle", [[20, 20], [30, 30]], group_id=1, label="dog"),
        shape("point", [[5, 5]], group_id=1),
        shape("rectangle", [[1, 1], [2, 2]]),
        shape("rectangle", [[3, 3], [4, 4]], difficult=True),
    ]
    source = read(labelme(tmp_path, *shapes))
    (record,) = source.records
    assert record.names == ("cat", "dog", "cat", "cat")
    assert record.boxes_xyxy.tolist() == [[0, 0, 9, 9], [20, 20, 30, 30], [1, 1, 2, 2], [3, 3, 4, 4]]
    assert record.occluded.tolist() == [True, False, False, False]
    assert record.difficult.tolist() == [False, False, False, True]
    assert [issue.message for issue in source.issues] == [
        "shapes[0], shapes[1]: cat: the box around its 2 shapes, which are one by their group_id 1",
        "shapes[3]: cat: a point has no box",
    ]


@pytest.mark.parametrize(
    ("named", "filename"),
    [
        ("a.jpg", "sub/a.jpg"),
        ("..\\images\\a.jpg", "images/a.jpg"),
        ("../../../images/a.jpg", "images/a.jpg"),
        ("C:\\me\\a.jpg", "C:/me/a.jpg"),
        ("/home/me/a.jpg", "/home/me/a.jpg"),
        (None, "sub/b"),
        ("", "sub/b"),
        ("b.json", "sub/b"),
    ],
)
def test_names_of_images(tmp_path: Path, named: str | None, filename: str) -> None:
    labelme(tmp_path, name="sub/b.json", imagePath=named)
    (record,) = read(tmp_path).records
    assert (record.filename, record.stem, record.source) == (filename, "b", "sub/b.json")


def test_an_embedded_image_without_its_file_is_said_to_be_unread(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        labelme(tmp_path, name=f"{name}.json", imagePath=f"{name}.jpg", imageData="AAAA")
    (tmp_path / "b.jpg").touch()
    source = read(tmp_path)
    assert faults(source) == ["annotation-unread"]
    assert "imageData, the image inside of the file, is not read (in 2 files" in source.issues[0].message


def test_files_that_cannot_be_used_are_issues(tmp_path: Path) -> None:
    whole = labelme(tmp_path, shape("rectangle", CORNERS)).read_text()
    damages = {
        "cut.json": (whole[: len(whole) // 2], "annotation-damaged", "line 1, column"),
        "foreign.json": ('{"name": "package"}', "annotation-unread", "has no shapes"),
        "list.json": ("[1]", "annotation-unread", "has no shapes"),
        "shapes.json": ('{"shapes": {"points": []}}', "annotation-damaged", "shapes: is {'points': []}"),
        "twice.json": (whole[:-1] + ', "shapes": []}', "annotation-damaged", "the key 'shapes' stands twice"),
        "bytes.json": ("\x80", "annotation-damaged", "cannot be read"),
    }
    for name, (text, _, _) in damages.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    (tmp_path / "._a.json").write_text("litter")
    source = read(tmp_path)
    assert len(source.records) == 1
    assert source.account.litter == 1
    assert source.account.dropped == {"annotation-damaged": 3}  # what is spoken of in three files
    by_file = {Path(issue.source).name: issue for issue in source.issues}
    assert by_file.keys() == damages.keys()
    for name, (_, code, message) in damages.items():
        assert by_file[name].code == code
        assert by_file[name].message.startswith(message)
        with pytest.raises(InputError, match=f"{name}: "):
            registry.read(tmp_path / name, "labelme")

"""VIA's CSV: rows and cells, shapes, attributes, and regions that have no box."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import assert_balanced, boxes_by_file, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions

HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
RECT = {"name": "rect", "x": 30, "y": 20, "width": 40, "height": 40}
BOX = [30.0, 20.0, 70.0, 60.0]
POINTS = {"all_points_x": [1], "all_points_y": [1]}


def cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"'


def row(shape: Any, attributes: Any, name: str = "a.jpg", count: int = 1) -> str:
    return f"{name},4711,{cell({'caption': ''})},{count},0,{cell(shape)},{cell(attributes)}"


def read_via(tmp_path: Path, *rows: str, attribute: str | None = None, header: str = HEADER) -> Source:
    path = tmp_path / "via_region_data.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    assert registry.detect(path) == "via-csv"
    source = registry.read(path, options=ReadOptions(class_attribute=attribute))
    assert_balanced(source)
    return source


@pytest.mark.parametrize("header", [HEADER, f"#{HEADER}"])
def test_rectangles_of_images(tmp_path: Path, header: str) -> None:
    rows = [row(RECT, {"type": "cat"}), row(RECT | {"x": 1.5}, {"type": "dog"}), row({}, {}, "n.jpg", 0),
            row(RECT, {"type": {"cat": True, "dog": False}}, "b c.jpg")]  # fmt: skip
    source = read_via(tmp_path, *rows, header=header)
    assert boxes_by_file(source) == {
        "a.jpg": (("cat", "dog"), [BOX, [1.5, 20, 41.5, 60]]),
        "n.jpg": ((), []),
        "b c.jpg": (("cat",), [BOX]),
    }
    assert faults(source) == ["image-unannotated"]


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"name": "circle", "cx": 50, "cy": 40, "r": 20}, BOX),
        ({"name": "ellipse", "cx": 50, "cy": 40, "rx": 20, "ry": 20}, BOX),
        ({"name": "ellipse", "cx": 50, "cy": 40, "rx": 20, "ry": 10, "theta": 0}, [30, 30, 70, 50]),
        ({"name": "polygon", "all_points_x": [30, 70, 40], "all_points_y": [20, 25, 60]}, BOX),
    ],
)
def test_boxes_around_shapes(tmp_path: Path, shape: dict[str, Any], box: list[float]) -> None:
    source = read_via(tmp_path, row(shape, {"type": "cat"}))
    assert boxes_by_file(source)["a.jpg"] == (("cat",), [box])
    assert [(issue.code, issue.message) for issue in source.issues] == [
        ("box-derived", f"line 2: cat: the box around its {shape['name']}")
    ]


@pytest.mark.parametrize(
    ("shape", "attributes", "code", "words"),
    [
        ({"name": "point", "cx": 1, "cy": 2}, {"type": "dog"}, "box-missing", "dog: a point has no box"),
        (POINTS | {"name": "polyline"}, {"type": "dog"}, "box-missing", "dog: a polyline has no box"),
        (POINTS | {"name": "polygon"}, {"type": "dog"}, "box-missing", "dog: a polygon has no box"),
        ({}, {"type": "dog"}, "box-missing", "dog: a region without shape has no box"),
        (RECT, {"type": ""}, "class-unknown", "names no class"),
        (RECT, {}, "class-unknown", "names no class"),
        ({"name": "star"}, {"type": "dog"}, "annotation-unread", "dog: its shape is 'star'"),
        (RECT | {"x": "1"}, {"type": "dog"}, "annotation-unread", "dog: has no numbers x, y"),
        (RECT | {"x": 10**400}, {"type": "dog"}, "annotation-unread", "dog: has no numbers x, y"),
        ({"name": "polygon", "all_points_x": [1, 2, 3]}, {"type": "dog"}, "annotation-unread", "dog: its"),
        ("{", {"type": "dog"}, "annotation-unread", "dog: its shape_attributes are '{'"),
        (RECT, "[1]", "annotation-unread", "its region_attributes are [1], expected an object"),
        ('{"x": 1, "x": 2}', {"type": "dog"}, "annotation-unread", "dog: its shape_attributes are "),
        ("[" * 100_000, {"type": "dog"}, "annotation-unread", "dog: its shape_attributes are '[[["),
    ],
)  # fmt: skip
def test_odd_regions(tmp_path: Path, shape: Any, attributes: Any, code: str, words: str) -> None:
    rows = [row(RECT, {"type": "cat"}), row(shape, attributes, "b.jpg"), row(RECT, {"type": "cat"}, "c.jpg")]
    source = read_via(tmp_path, *rows)
    (issue,) = source.issues
    assert (issue.code, issue.source) == (code, "via_region_data.csv line 3")
    assert issue.message.startswith(f"line 3: {words}")


def test_an_image_that_is_not_named(tmp_path: Path) -> None:
    rows = [row(RECT, {"type": "cat"}), row(RECT, {"type": "cat"}, ""), row(RECT, {"type": "cat"}, "..")]
    assert faults(read_via(tmp_path, *rows)) == ["image-unknown"] * 2


def test_nan_is_left_to_the_checks(tmp_path: Path) -> None:
    (record,) = read_via(tmp_path, row(RECT | {"x": float("nan")}, {"type": "cat"})).records
    assert record.boxes_xyxy.tolist()[0][1:4:2] == [20, 60]


def test_several_attributes(tmp_path: Path) -> None:
    rows = [row(RECT, {"type": "cat", "pose": "up"})]
    with pytest.raises(InputError, match=r"attributes 'pose', 'type'; say by --class-attribute"):
        read_via(tmp_path, *rows)
    assert read_via(tmp_path, *rows, attribute="type").classes == ("cat",)
    with pytest.raises(InputError, match=r"--class-attribute: is 'kind', and .* have 'pose', 'type'"):
        read_via(tmp_path, *rows, attribute="kind")
    with pytest.raises(InputError, match="no region has an attribute"):
        read_via(tmp_path, row(RECT, {}))


def test_regions_without_attributes_are_of_the_class_that_is_named(tmp_path: Path) -> None:
    rows = [row(RECT, {}), row(RECT | {"x": 1}, {"type": ""}), row({}, {}, "n.jpg", 0)]
    with pytest.raises(InputError, match="; say --class-names NAME where all are of one class"):
        read_via(tmp_path, *rows)
    path = tmp_path / "via_region_data.csv"
    source = registry.read(path, options=ReadOptions(class_names=("balloon",)))
    assert_balanced(source)
    assert [record.names for record in source.records] == [("balloon", "balloon"), ()]


def test_rows_with_more_cells_than_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: has 8 cells, expected at most 7"):
        read_via(tmp_path, row(RECT, {"type": "cat"}) + ",9")

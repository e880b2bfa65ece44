"""VIA: shapes of every kind, the attribute that is the class, versions, and damaged files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions


def region(shape: Any, attributes: Any = None) -> dict[str, Any]:
    said = {"name": "cat"} if attributes is None else attributes
    return {"shape_attributes": shape, "region_attributes": said}


def rect(x: float = 1) -> dict[str, Any]:
    return {"name": "rect", "x": x, "y": 2, "width": 29, "height": 18}


def write(folder: Path, regions: Any, **more: Any) -> Path:
    image = {"filename": "a.jpg", "size": 17, "regions": regions, "file_attributes": {}}
    path = folder / "via.json"
    path.write_text(json.dumps({"a.jpg17": image} | more))
    return path


def read(path: Path, attribute: str | None = None, names: tuple[str, ...] | None = None) -> Source:
    assert registry.detect(path) == "via"
    source = registry.read(path, None, ReadOptions(class_attribute=attribute, class_names=names))
    assert_balanced(source)
    return source


ELLIPSE = {"name": "ellipse", "cx": 20, "cy": 30, "rx": 10, "ry": 5}


@pytest.mark.parametrize(
    ("item", "box", "code"),
    [
        (region(rect()), [1, 2, 30, 20], ""),
        (region({"name": "circle", "cx": 20, "cy": 30, "r": 5.5}), [14.5, 24.5, 25.5, 35.5], "box-derived"),
        (region(ELLIPSE), [10, 25, 30, 35], "box-derived"),
        (region(ELLIPSE | {"theta": math.pi / 2}), [15, 20, 25, 40], "box-derived"),
        (
            region({"name": "polygon", "all_points_x": [1, 9, 5], "all_points_y": [2, 3, 8]}),
            [1, 2, 9, 8],
            "box-derived",
        ),
        (region({"name": "polygon", "all_points_x": [1, 9], "all_points_y": [2, 3]}), None, "box-missing"),
        (region({"name": "point", "cx": 1, "cy": 2}), None, "box-missing"),
        (region({"name": "polyline", "all_points_x": [1], "all_points_y": [2]}), None, "box-missing"),
        (
            region({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [2]}),
            None,
            "annotation-unread",
        ),
        (region({"name": "polygon", "all_points_x": "123"}), None, "annotation-unread"),
        (region({"name": "rect", "x": "1", "y": 2, "width": 3, "height": 4}), None, "annotation-unread"),
        (region({"name": "rect", "x": 1}), None, "annotation-unread"),
        (region({"name": "cube"}), None, "annotation-unread"),
        (region({}), None, "box-missing"),
        (region({"x": 1}), None, "annotation-unread"),
        (region([]), None, "annotation-unread"),
        (region(rect(), {"name": ""}), None, "class-unknown"),
        (region(rect(), {}), None, "class-unknown"),
        (region(rect(), []), None, "class-unknown"),
        (region(rect(), "cat"), None, "annotation-unread"),
        ("region", None, "annotation-unread"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_region_is_a_box_or_an_issue(
    tmp_path: Path, item: Any, box: list[float] | None, code: str, version: int
) -> None:
    regions = [item, region(rect(5))]
    source = read(write(tmp_path, regions if version == 2 else dict(enumerate(regions))))
    (record,) = source.records
    expected = np.array([*([] if box is None else [box]), [5, 2, 34, 20]], np.float64)
    np.testing.assert_allclose(record.boxes_xyxy, expected, atol=1e-9)
    assert faults(source) == ([code] if code else [])
    assert all(issue.message.startswith("regions[0]: ") for issue in source.issues)


def test_the_attribute_that_is_the_class_is_not_guessed(tmp_path: Path) -> None:
    said = [{"name": "cat", "color": "red", "note": ""}, {"kind": {"a": True, "b": False, "c": True}}]
    path = write(tmp_path, [region(rect(), attributes) for attributes in said])
    with pytest.raises(InputError, match=r"the attributes 'color', 'kind', 'name'; say by --class-attribute"):
        read(path)
    with pytest.raises(
        InputError, match=r"--class-attribute: is 'Name', and .* have 'color', 'kind', 'name'"
    ):
        read(path, "Name")
    assert read(path, "name").records[0].names == ("cat",)
    assert read(path, "kind").records[0].names == ("a", "c")
    assert faults(read(path, "kind")) == ["class-unknown"]
    with pytest.raises(InputError, match="no region has an attribute"):
        read(write(tmp_path, [region(rect(), {})]))


@pytest.mark.parametrize("attributes", [{}, [], None, {"name": ""}, {"name": {}, "note": None}])
@pytest.mark.parametrize("version", [1, 2])
def test_regions_without_attributes_are_of_the_class_that_is_named(
    tmp_path: Path, attributes: Any, version: int
) -> None:
    regions = [{"shape_attributes": rect(x), "region_attributes": attributes} for x in (1, 5)]
    path = write(tmp_path, regions if version == 2 else dict(enumerate(regions)))
    source = read(path, names=("balloon",))
    assert (source.classes, source.records[0].names) == (("balloon",), ("balloon", "balloon"))
    for names in (None, ("cat", "dog")):  # several are names of numbers, of another source
        with pytest.raises(InputError, match=r"no region has an attribute.*; say --class-names NAME"):
            read(path, names=names)


def test_a_class_of_all_regions_that_have_attributes_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, [region(rect()), region(rect(5), {})])
    with pytest.raises(
        InputError, match="its regions have 'name', expected no attribute with --class-names balloon"
    ):
        read(path, names=("balloon",))
    for attribute, names in (("name", ("balloon",)), (None, ("cat", "dog"))):
        assert read(path, attribute, names).records[0].names == ("cat",)


def test_classes_are_in_the_order_of_the_options(tmp_path: Path) -> None:
    image = {"filename": "https://host/sub/a%20b.jpg", "size": -1, "regions": [region(rect())]}
    attributes = {"region": {"name": {"type": "radio", "options": {"dog": "", "cat": ""}}}}
    path = write(
        tmp_path, [], _via_img_metadata={"x": image, "y": {"filename": "b.jpg"}}, _via_attributes=attributes
    )
    source = read(path)
    assert source.classes == ("dog", "cat")
    assert [record.filename for record in source.records] == ["sub/a b.jpg", "b.jpg"]
    assert [record.source for record in source.records] == ["via.json [x]", "via.json [y]"]
    assert faults(source) == ["image-unannotated"]


def test_images_that_are_none(tmp_path: Path) -> None:
    source = read(write(tmp_path, [region(rect())], other=3, third={"regions": [region(rect())]}))
    assert [issue.code for issue in source.issues] == ["image-unknown"] * 2
    assert source.account.dropped == {"image-unknown": 1}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": {"filename": "a.jpg", "regions": [{"shape_', "broken JSON"),
        ("[]", r"is \[\], expected VIA's project or annotations"),
        ('{"_via_img_metadata": []}', r"_via_img_metadata: is \[\], expected an object of images"),
        ('{"a": {"regions": []}}', "has no image with a filename"),
        ('{"project": {}, "view": {}, "metadata": {}}', "is a project of VIA 3"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "via.json"
    path.write_text(text)
    with pytest.raises(InputError, match=line):
        registry.read(path, "via")

"""Masks of what tools draw: polygons are carried over where they are asked for, others are said not to be."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images.masks import to_png

SQUARE = [[10, 20], [30, 20], [30, 40], [10, 40]]
PERCENT = [[x, y * 2] for x, y in SQUARE]  # of 100 x 50
REGION = {"original_width": 100, "original_height": 50, "id": "r", "from_name": "l", "to_name": "i"}
NO_SIZE = REGION | {"original_width": None}
POLYGON = {"points": PERCENT, "polygonlabels": ["cat"]}
KEYS = {"all_points_x": [10, 30, 30, 10], "all_points_y": [20, 20, 40, 40]}
CIRCLE = {"name": "circle", "cx": 5, "cy": 5, "r": 2}
OBJECT = {"classTitle": "cat", "geometryType": "polygon", "points": {"exterior": SQUARE, "interior": []}}


def labelme(*shapes: Any) -> dict[str, Any]:
    return {"imagePath": "a.jpg", "shapes": shapes}


def labelstudio(*regions: Any) -> list[Any]:
    return [{"data": {"image": "a.jpg"}, "annotations": [{"result": regions, "was_cancelled": False}]}]


def via(*shapes: Any) -> dict[str, Any]:
    regions = [{"shape_attributes": shape, "region_attributes": {"name": "cat"}} for shape in shapes]
    return {"a": {"filename": "a.jpg", "regions": regions}}


def vott(points: Any) -> dict[str, Any]:
    box = {"left": 1, "top": 2, "width": 3, "height": 4}
    region = {"type": "POLYGON", "tags": ["cat"], "boundingBox": box, "points": points}
    return {"asset": {"name": "a.jpg", "state": 2}, "regions": [region]}


SOURCES: dict[str, Any] = {
    "labelme": labelme({"label": "cat", "points": SQUARE}),
    "labelstudio": labelstudio(REGION | {"type": "polygonlabels", "value": POLYGON}),
    "labelstudio-fractions": labelstudio(NO_SIZE | {"type": "polygonlabels", "value": POLYGON}),
    "via": via({"name": "polygon"} | KEYS),
    "supervisely": {"objects": [OBJECT], "size": {}, "tags": []},
    "vott": vott([{"x": x, "y": y} for x, y in SQUARE]),
}
HALF: list[dict[str, Any]] = [
    {"label": "cat", "points": [[x, y] for x, y in part], "group_id": 3} for part in (SQUARE, SQUARE[:3])
]
WITHOUT: dict[str, Any] = {
    "labelme": labelme({"label": "cat", "points": SQUARE[:2], "shape_type": "circle"}),
    "labelstudio": labelstudio(
        REGION
        | {
            "type": "ellipselabels",
            "value": {"x": 9, "y": 9, "radiusX": 5, "radiusY": 5, "ellipselabels": ["cat"]},
        }
    ),
    "via": via(CIRCLE),
    "vott": vott(None),
    "supervisely": {
        "objects": [OBJECT | {"points": {"exterior": SQUARE, "interior": [SQUARE]}}],
        "size": {},
        "tags": [],
    },
}


def write(folder: Path, value: Any) -> Path:
    path = folder / "a.json"
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize("name", SOURCES)
def test_polygons_are_masks_where_they_are_asked_for(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, SOURCES[name])
    assert registry.read(path).records[0].masks == ()
    source = registry.read(path, None, ReadOptions(masks=True))
    assert_balanced(source)
    assert faults(source) == ["box-derived"]
    (record,) = source.records
    mask = np.array(Image.open(BytesIO(to_png(record.masks[0], "a", (100, 50), (100, 50), record.relative))))
    expected = np.zeros((50, 100), np.uint8)
    expected[20:40, 10:30] = 1
    np.testing.assert_array_equal(mask, expected)


def test_polygons_of_a_group_are_one_mask(tmp_path: Path) -> None:
    (record,) = registry.read(write(tmp_path, labelme(*HALF)), None, ReadOptions(masks=True)).records
    assert json.loads(record.masks[0]) == [
        [value for point in part["points"] for value in point] for part in HALF
    ]


@pytest.mark.parametrize("name", WITHOUT)
def test_other_shapes_are_said_not_to_be_masks(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, WITHOUT[name])
    assert faults(registry.read(path)) == ["box-derived"]
    source = registry.read(path, None, ReadOptions(masks=True))
    assert_balanced(source)
    assert faults(source) == ["annotation-unread", "box-derived"]
    assert "1 object," in source.issues[0].message

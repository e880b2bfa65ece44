"""What a tool writes as JSON and as CSV is read alike: boxes, masks, and what is said of odd shapes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import assert_balanced
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions

_PLACE = re.compile(r"^(?:line \d+|regions\[\d+\]): ")

RECT = {"name": "rect", "x": 1, "y": 2, "width": 30, "height": 20}
TURNED = {"name": "ellipse", "cx": 20, "cy": 30, "rx": 10, "ry": 5, "theta": 0.5}
POLYGON = {"name": "polygon", "all_points_x": [1, 9, 5], "all_points_y": [2, 3, 8]}
VIA_SHAPES: list[Any] = [
    RECT,
    RECT | {"x": 1.5, "width": float("nan")},
    RECT | {"x": "1"},
    RECT | {"x": True},
    RECT | {"x": None},
    {"name": "circle", "cx": 20, "cy": 30, "r": 5.5},
    {"name": "circle", "cx": 20, "cy": 30},
    TURNED,
    TURNED | {"theta": "0"},
    POLYGON,
    POLYGON | {"all_points_x": [1, 9]},
    POLYGON | {"all_points_x": [1, 9, "5"]},
    POLYGON | {"all_points_x": "195"},
    {"name": "polygon", "all_points_x": [1, 9], "all_points_y": [2, 3]},
    {"name": "point", "cx": 1, "cy": 2},
    {"name": "polyline", "all_points_x": [1], "all_points_y": [2]},
    {"name": "cube"},
    {"x": 1},
    {},
    [],
    7,
]
VIA_ATTRIBUTES: list[Any] = [
    {"kind": "cat"},
    {"kind": " cat "},
    {"kind": ""},
    {"kind": 7},
    {"kind": True},
    {"kind": ["cat"]},
    {"kind": {"cat": True, "dog": "true", "cow": False, "pig": 1}},
    {"kind": {}},
    {},
    [],
    [1],
    "cat",
]
VIA_SCENES = [
    *((shape, {"kind": "cat"}) for shape in VIA_SHAPES),
    *((RECT, attributes) for attributes in VIA_ATTRIBUTES),
]


def answers(path: Path, kind: str, options: ReadOptions) -> list[Any]:
    """All that a reader says, besides where it was said."""
    assert registry.detect(path) == kind
    source = registry.read(path, None, options)
    assert_balanced(source)
    account = source.account
    assert account is not None
    records = [
        (record.filename, (record.width, record.height), record.names, str(record.boxes_xyxy.tolist()),
         record.relative, record.masks, sorted(record.labeled))
        for record in source.records
    ]  # fmt: skip
    issues = [(issue.code, issue.box, _PLACE.sub("", issue.message)) for issue in source.issues]
    return [source.classes, records, issues, account.found, account.images]


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("masks", [False, True])
def test_via(tmp_path: Path, masks: bool) -> None:
    images: dict[str, Any] = {}
    rows = []
    for number, (shape, attributes) in enumerate(VIA_SCENES):
        name = f"https://host/sub/{number}%20.jpg" if number == 0 else f"{number}.jpg"
        region = {"shape_attributes": shape, "region_attributes": attributes}
        images[name] = {"filename": name, "size": 1, "regions": [region], "file_attributes": {}}
        cells = {key: json.dumps(value) for key, value in region.items()}
        rows.append(
            {"filename": name, "file_size": 1, "region_count": 1}
            | {"region_shape_attributes": cells["shape_attributes"]}
            | {"region_attributes": cells["region_attributes"]}
        )
    images["n.jpg"] = {"filename": "n.jpg", "size": 1, "regions": []}
    rows.append({"filename": "n.jpg", "file_size": 1, "region_count": 0})
    options = ReadOptions(masks=masks, class_attribute="kind")
    of_json = answers(write_json(tmp_path / "via.json", images), "via", options)
    assert answers(write_csv(tmp_path / "via.csv", rows), "via-csv", options) == of_json
    assert any(record[5] for record in of_json[1]) == masks

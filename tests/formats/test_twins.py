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

_PLACE = re.compile(
    r"^(?:line \d+: |regions\[\d+\]: |annotations\[0\]\.result\[\d+\]: |label(?:\[\d+\])?: )+"
)

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
         record.relative, record.masks, record.labeled)
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


SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0}
BOX = {"x": 10, "y": 20, "width": 20, "height": 40, "rotation": 0}
OVAL = {"x": 20, "y": 50, "radiusX": 10, "radiusY": 30}
STUDIO_SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("rectangle", BOX),
    ("rectangle", BOX | {"rotation": 30}),
    ("rectangle", BOX | {"rotation": "30"}),
    ("rectangle", BOX | {"width": "20"}),
    ("rectangle", BOX | {"width": float("nan")}),
    ("rectangle", BOX | {"image_rotation": 90}),
    ("rectangle", BOX | {"original_width": None}),
    ("rectangle", BOX | {"original_width": "200"}),
    ("polygon", {"points": [[10, 20], [30, 25], [20, 60]]}),
    ("polygon", {"points": [[10, 20], [30, 25]]}),
    ("polygon", {"points": [[10]]}),
    ("polygon", {"points": "10"}),
    ("ellipse", OVAL),
    ("ellipse", OVAL | {"rotation": 90}),
    ("ellipse", OVAL | {"radiusX": True}),
    ("brush", {"format": "rle", "rle": [0, 1, 56, 128, 17]}),
    ("keypoint", {"x": 1, "y": 2, "width": 0.5}),
]
STUDIO_NAMES: list[Any] = [["cat"], ["cat", "dog"], [" cat"], [7], [None], [], "cat", None]
STUDIO_SCENES: list[list[Any]] = [
    *([(kind, SIZE | shape | {f"{kind}labels": ["cat"]})] for kind, shape in STUDIO_SHAPES),
    *([("rectangle", SIZE | BOX | {"rectanglelabels": names})] for names in STUDIO_NAMES),
    [("rectangle", SIZE | BOX | {"rectanglelabels": ["cat"], "original_width": side}) for side in (200, 300)],
]  # of one image each


def whole(kind: str, region: Mapping[str, Any], size_keys: Iterable[str] = tuple(SIZE)) -> dict[str, Any]:
    """A region of JSON_MIN or CSV as JSON has it."""
    value = {key: item for key, item in region.items() if key not in size_keys}
    return {"type": f"{kind}labels", "value": value} | {key: region.get(key) for key in size_keys}


@pytest.mark.parametrize("masks", [False, True])
def test_label_studio(tmp_path: Path, masks: bool) -> None:
    tasks: list[Any] = []
    least: list[Any] = []
    rows: list[dict[str, Any]] = []
    for number, scene in enumerate([*STUDIO_SCENES, []]):
        task = {"id": number + 1, "image": f"https://host/sub/{number}%20.jpg", "annotator": 1}
        regions = [region for _, region in scene]
        result = [whole(kind, region) for kind, region in scene]
        tasks.append({"data": {"image": task["image"]}, "annotations": [{"result": result}]})
        least.append(task | {"label": regions})
        rows.append(task | {"annotation_id": number, "lead_time": 1, "label": json.dumps(regions)})
    options = ReadOptions(masks=masks)
    of_json = answers(write_json(tmp_path / "tasks.json", tasks), "labelstudio", options)
    assert any(record[5] for record in of_json[1]) == masks
    assert answers(write_json(tmp_path / "min.json", least), "labelstudio", options) == of_json
    assert answers(write_csv(tmp_path / "project.csv", rows), "labelstudio-csv", options) == of_json


def test_label_studio_says_what_is_no_region_and_which_annotation_counts(tmp_path: Path) -> None:
    region = SIZE | BOX | {"rectanglelabels": ["cat"]}
    items = [[region, 7, {"note": "x"}], [region, region], [region]]
    tasks = [{"id": max(number, 1), "image": "a.jpg"} for number in range(len(items))]
    tasks[-1] |= {"image": "", "front": "b.jpg", "back": "c.jpg"}
    least = [task | {"label": regions} for task, regions in zip(tasks, items, strict=True)]
    rows = [
        task | {"annotation_id": 1, "lead_time": 1, "label": json.dumps(regions)}
        for task, regions in zip(tasks, items, strict=True)
    ]
    of_json = answers(write_json(tmp_path / "min.json", least), "labelstudio", ReadOptions())
    assert answers(write_csv(tmp_path / "a.csv", rows), "labelstudio-csv", ReadOptions()) == of_json
    assert [code for code, _, _ in of_json[2]] == ["annotation-unread"] * 3 + ["image-unknown"]

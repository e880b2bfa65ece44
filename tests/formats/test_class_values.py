"""Classes that are no texts in JSON: a number is the text that it is written as, anything else names none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.formats import registry

RECT = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
BOX = {"x": 10, "y": 20, "width": 20, "height": 40}


def labelme(name: Any) -> Any:
    shape = {"label": name, "points": [[1, 2], [4, 6]], "shape_type": "rectangle"}
    return {"imagePath": "a.jpg", "shapes": [shape | {"label": "cat"}, shape]}


def labelstudio(name: Any) -> Any:
    item = {"type": "rectanglelabels", "original_width": 100, "original_height": 100}
    regions = [item | {"value": BOX | {"rectanglelabels": [one]}} for one in ("cat", name)]
    return [{"data": {"image": "a.jpg"}, "annotations": [{"result": regions, "was_cancelled": False}]}]


def via(name: Any) -> Any:
    regions = [{"shape_attributes": RECT, "region_attributes": {"kind": one}} for one in ("cat", name)]
    return {"a": {"filename": "a.jpg", "regions": regions}}


def vott(name: Any) -> Any:
    box = {"left": 1, "top": 2, "width": 3, "height": 4}
    regions = [{"type": "RECTANGLE", "tags": [one], "boundingBox": box} for one in ("cat", name)]
    return {"asset": {"name": "a.jpg", "state": 2}, "regions": regions}


def createml(name: Any) -> Any:
    return [{"image": "a.jpg", "annotations": [{"label": one, "coordinates": BOX} for one in ("cat", name)]}]


def supervisely(name: Any) -> Any:
    item = {"geometryType": "rectangle", "points": {"exterior": [[1, 2], [4, 6]], "interior": []}}
    return {"objects": [item | {"classTitle": one} for one in ("cat", name)], "size": {}, "tags": []}


@pytest.mark.parametrize("of", [labelme, labelstudio, via, vott, createml, supervisely])
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (3, "3"),
        (0, "0"),
        (-1, "-1"),
        (3.5, "3.5"),
        (2**70, str(2**70)),
        ("3", "3"),
        (float("nan"), ""),
        (float("inf"), ""),
        (True, ""),
        (None, ""),
        ([], ""),
        ({}, ""),
        ([["cat"]], ""),
        ("", ""),
        (" ", ""),
    ],
)
def test_a_class_that_is_a_number_is_its_text(
    tmp_path: Path, of: Callable[[Any], Any], value: Any, name: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(of(value)))
    assert registry.detect(path) == of.__name__
    source = registry.read(path)
    assert_balanced(source)
    assert source.records[0].names == (("cat", name) if name else ("cat",))
    assert faults(source) == ([] if name else ["class-unknown"])

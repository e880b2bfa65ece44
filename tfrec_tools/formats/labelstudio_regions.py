"""Regions of Label Studio's tasks, of JSON, JSON_MIN and CSV alike: the box around a shape, and the class.

Numbers are percent of the image's width and height; rectangles are turned about their upper left corner, by
degrees, clockwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfrec_tools.formats import labelstudio_brush
from tfrec_tools.formats.drawn import Drawn
from tfrec_tools.formats.json_values import number, numbers, pixels, points, shown, text
from tfrec_tools.formats.labelstudio_tasks import Annotation
from tfrec_tools.formats.shapes import (
    Corners,
    Point,
    around_ellipse,
    around_points,
    from_size,
    outline,
    turned,
)

# What says more about an image or a region, and is no region itself.
_ATTRIBUTES = frozenset(
    ("choices", "taxonomy", "rating", "number", "textarea", "datetime", "pairwise", "ranker", "relation")
)
_SHAPES = ("rectangle", "polygon", "ellipse", "brush", "keypoint")


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a result: its place, kind ("rectangle"), class names, numbers, what it says of the size of
    its image, and of the page of its task that it is on, from 0; None where it says none."""

    where: str
    kind: str
    names: tuple[str, ...]
    value: Mapping[str, Any]
    size_wh: tuple[int, int]
    image_rotation: float
    page: Any = None


def regions_of(annotation: Annotation) -> Iterator[Region]:
    """Yields the regions of an annotation's result, each with the names that it has, and, where shapes and
    labels are chosen apart, those of all items of the same id."""
    whole = [item for _, item in annotation.result if isinstance(item, dict)]
    of_shapes = {_id(item) for item in whole if item.get("type") in _SHAPES and _id(item)}
    apart: dict[str, list[str]] = {}
    for item in whole:
        if item.get("type") == "labels" and _id(item) and isinstance(value := item.get("value"), dict):
            apart.setdefault(_id(item), []).extend(_names(value.get("labels")))
    for where, item in annotation.result:
        if not isinstance(item, dict) or not isinstance(item.get("value", {}), dict):
            yield Region(where, shown(item), (), {}, (0, 0), 0)
            continue
        kind = text(item.get("type"))
        if kind not in _ATTRIBUTES and not (kind == "labels" and _id(item) in of_shapes):
            yield _region(where, item, apart.get(_id(item), ()))


def _region(where: str, item: Mapping[str, Any], apart: Sequence[str]) -> Region:
    """Returns a region; `apart` are the labels that were chosen apart from its shape."""
    kind, value = text(item.get("type")), item.get("value", {})
    names = _names(value.get(kind if kind.endswith("labels") else "labels"))
    if kind in _SHAPES and apart:
        names = list(dict.fromkeys(name for name in (*names, *apart) if name)) or [""]
    return Region(
        where,
        _kind_of(value) if kind == "labels" else kind.removesuffix("labels"),
        tuple(names),
        value,
        (pixels(item.get("original_width")), pixels(item.get("original_height"))),
        number(item.get("image_rotation")) or 0.0,
        item.get("item_index"),
    )


def _names(listed: Any) -> list[str]:
    return list(map(text, listed)) if isinstance(listed, list) else [text(listed)]


def is_shape(item: Mapping[str, Any]) -> bool:
    """Returns whether an item of a result is a shape on an image."""
    kind, value = text(item.get("type")), item.get("value")
    if kind == "labels":
        return isinstance(value, dict) and _kind_of(value) != kind
    return kind.removesuffix("labels") in _SHAPES


def _id(item: Mapping[str, Any]) -> str:
    return text(item.get("id"))


def _kind_of(value: Mapping[str, Any]) -> str:
    """Returns the kind of a region of JSON_MIN that is said by its numbers alone."""
    marks = {"points": "polygon", "radiusX": "ellipse", "rle": "brush", "height": "rectangle"}
    return next((kind for key, kind in marks.items() if key in value), "labels")


def drawn(region: Region, size_wh: tuple[int, int], masks: bool) -> Iterator[Drawn]:
    """Yields an object for each name of a region, one without name where it has none."""
    try:
        box, around, code = _box(region, size_wh)
        why = "a keypoint has no box" if region.kind == "keypoint" else f"its {region.kind} marks nothing"
    except ValueError as fault:
        box, around, code, why = None, "", "annotation-unread", str(fault)
    is_outline = masks and region.kind == "polygon" and box is not None
    mask = outline(_corners(region.value, _units(size_wh))) if is_outline else b""
    for name in region.names or ("",):
        yield Drawn(region.where, name, box, around, code, why, mask=mask)


def _box(region: Region, size_wh: tuple[int, int]) -> tuple[Corners | None, str, str]:
    """Returns the box of a region in pixels, fractions where the size of the image is not known; what it is
    around where the region is no box; and the code of the issue where there is none. Raises ValueError where
    the region is not understood."""
    _require_known(region, size_wh)
    if region.kind == "keypoint":
        return None, "", "box-missing"
    if region.kind == "brush":
        if not all(size_wh):
            raise ValueError("is a brush on an image without original_width and original_height")
        return labelstudio_brush.box_around(region.value.get("rle"), *size_wh), "brush", "box-missing"
    units = _units(size_wh)
    if region.kind == "polygon":
        corners = _corners(region.value, units)
        return around_points(corners) if len(corners) > 2 else None, "polygon", "box-missing"
    radians = math.radians(_degrees(region.value, all(size_wh)))
    if region.kind == "ellipse":
        x, y, *radii = _scaled(region.value, ("x", "y", "radiusX", "radiusY"), units)
        return around_ellipse((x, y), (radii[0], radii[1]), radians), "ellipse", "box-missing"
    x, y, width, height = _scaled(region.value, ("x", "y", "width", "height"), units)
    box = from_size(x, y, width, height)
    return (turned(box, (x, y), radians), "rotated box", "box-missing") if radians else (box, "", "")


def _require_known(region: Region, size_wh: tuple[int, int]) -> None:
    if region.kind not in _SHAPES:
        raise ValueError(f"is {region.kind or 'of no type'}, which is no region of an image that is known")
    if region.image_rotation % 360:
        raise ValueError(f"was drawn on its image turned by image_rotation {region.image_rotation:g}")
    if all(region.size_wh) and region.size_wh != size_wh:
        raise ValueError(f"is of an image of {region.size_wh}, and others of one of {size_wh}")


def _units(size_wh: tuple[int, int]) -> tuple[float, float]:
    """Returns what a percent of the width and of the height is."""
    return (size_wh[0] / 100, size_wh[1] / 100) if all(size_wh) else (0.01, 0.01)


def _corners(value: Mapping[str, Any], units: tuple[float, float]) -> list[Point]:
    corners = points(value.get("points"))
    if corners is None:
        raise ValueError(f"its points are {shown(value.get('points'))}, expected [[x, y], ...]")
    return [(x * units[0], y * units[1]) for x, y in corners]


def _scaled(value: Mapping[str, Any], keys: Sequence[str], units: tuple[float, float]) -> tuple[float, ...]:
    listed = numbers(value, keys)
    if listed is None:
        raise ValueError(f"has no numbers {', '.join(keys)}, of {shown(value)}")
    return tuple(part * unit for part, unit in zip(listed, units * 2, strict=True))


def _degrees(value: Mapping[str, Any], has_size: bool) -> float:
    """Returns by how much a region is turned, which has no meaning in percent of both sides."""
    degrees = number(value.get("rotation") or 0)
    if degrees is None or not math.isfinite(degrees):
        raise ValueError(f"its rotation is {shown(value.get('rotation'))}, expected degrees")
    if degrees % 360 and not has_size:
        raise ValueError("is turned, on an image without original_width and original_height")
    return degrees % 360

"""The shapes of a CVAT XML file, and the boxes around them.

Pixels with continuous edges; `rotation` is in degrees, clockwise about the centre. A mask's `rle` is the
lengths of runs by rows of its own rectangle (left top width height), the first one of background. Format:
docs.cvat.ai, "XML annotation format", version 1.1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from tfrec_tools.annotations.run_lengths import extent, marked
from tfrec_tools.formats.drawn import Drawn
from tfrec_tools.formats.shapes import Corners, Point, around_ellipse, around_points, outline, turned
from tfrec_tools.images.limits import MAX_PIXELS

_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_CUBOID = tuple(f"{axis}{side}{end}" for end in "12" for side in ("tl", "bl", "tr", "br") for axis in "xy")
_YES = ("1", "true", "yes")
_FLAGS = {"difficult": "difficult", "truncated": "truncated", "occluded": "occluded", "is_crowd": "crowd"}


@dataclass(frozen=True, slots=True)
class ShapeReading:
    """What is made of the shapes of an image of that size in pixels (0 where it is unknown): with masks, and
    with boxes around keypoints, where they were asked for."""

    size_wh: tuple[int, int] = (0, 0)
    masks: bool = False
    keypoints: bool = False


def drawn_of(element: Any, name: str, number: int, reading: ShapeReading) -> Drawn:
    """Returns a shape, the one of that number in its image or track, as an object of the class `name`."""
    get = element.get
    if element.tag == "box" and get("rotation") is None and not len(element) and get("occluded") == "0":
        try:
            box = (float(get("xtl")), float(get("ytl")), float(get("xbr")), float(get("ybr")))
            return Drawn(_place(number), name, box)
        except (TypeError, ValueError):
            pass
    return _with_care(element, name, _place(number), reading)


def _with_care(element: Any, name: str, where: str, reading: ShapeReading) -> Drawn:
    """Returns any shape, whatever is odd about it."""
    tag = element.tag
    if tag not in _AROUND:
        return Drawn(where, name, None, code="annotation-unread", why=f"<{tag}> is no shape that is known")
    try:
        box, shape = _AROUND[tag](element, reading)
        mask = _mask(element, reading) if reading.masks else b""
    except ValueError as fault:
        return Drawn(where, name, None, why=f"a {tag}: {fault}")
    return Drawn(where, name, box, shape, mask=mask, **_flags(element))


@cache
def _place(number: int) -> str:
    return f"shapes[{number}]"


def _flags(element: Any) -> dict[str, Any]:
    """Returns what CVAT says of a shape itself, and by the attributes that keep what VOC and COCO say."""
    said: dict[str, Any] = {"occluded": True} if element.get("occluded") == "1" else {}
    for attribute in element if len(element) else ():
        if attribute.tag == "attribute" and (flag := _FLAGS.get(attribute.get("name", ""))):
            said[flag] = said.get(flag, False) or (attribute.text or "").strip().lower() in _YES
    return said


def _numbers(element: Any, names: Sequence[str]) -> Any:
    """Returns numbers of attributes. Raises ValueError, which says what is wrong."""
    words = [element.get(name) for name in names]
    try:
        return tuple(map(float, words))
    except (TypeError, ValueError):
        odd = next(pair for pair in zip(names, words, strict=True) if not _is_number(pair[1]))
        raise ValueError(f"{odd[0]} is {odd[1]!r}, expected a number") from None


def _is_number(word: str | None) -> bool:
    try:
        float(word or "")
    except ValueError:
        return False
    return True


def _radians(element: Any) -> float:
    (degrees,) = _numbers(element, ["rotation"]) if element.get("rotation") is not None else (0.0,)
    if not math.isfinite(degrees):
        raise ValueError(f"rotation is {degrees}, expected degrees")
    return math.radians(degrees)


def points_of(element: Any) -> list[Point]:
    """Returns the points of "x,y;x,y". Raises ValueError where there are none."""
    text = element.get("points", "")
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    try:
        points = [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        points = []
    if not points:
        raise ValueError(f"points are {text[:60]!r}, expected x,y;x,y")
    return points


def _around_box(element: Any, _: ShapeReading) -> tuple[Corners | None, str]:
    box, radians = _numbers(element, _CORNERS), _radians(element)
    if not radians:
        return box, ""
    xmin, ymin, xmax, ymax = box
    return turned(box, ((xmin + xmax) / 2, (ymin + ymax) / 2), radians), "rotated box"


def _around_polygon(element: Any, _: ShapeReading) -> tuple[Corners | None, str]:
    points = points_of(element)
    if len(points) < 3:
        raise ValueError(f"has {len(points)} points, expected 3 or more")
    return around_points(points), "polygon"


def _around_ellipse(element: Any, _: ShapeReading) -> tuple[Corners | None, str]:
    x, y, across, down = _numbers(element, ("cx", "cy", "rx", "ry"))
    return around_ellipse((x, y), (across, down), _radians(element)), "ellipse"


def _around_cuboid(element: Any, _: ShapeReading) -> tuple[Corners | None, str]:
    numbers = _numbers(element, _CUBOID)
    return around_points(zip(numbers[::2], numbers[1::2], strict=True)), "cuboid"


def _around_mask(element: Any, _: ShapeReading) -> tuple[Corners | None, str]:
    runs, (left, top, width, _height) = _runs(element)
    around = extent(marked(runs), width)
    if around is None:
        raise ValueError("has no pixels")
    ymin, xmin, ymax, xmax = around
    return (float(left + xmin), float(top + ymin), float(left + xmax), float(top + ymax)), "mask"


def _runs(element: Any) -> tuple[list[int], tuple[int, int, int, int]]:
    """Returns the runs of a mask, and its left, top, width and height. Raises ValueError where they do not
    fit."""
    try:
        left, top, width, height = (int(element.get(name, "")) for name in ("left", "top", "width", "height"))
        runs = [int(run) for run in element.get("rle", "").split(",")]
    except ValueError:
        raise ValueError("rle, left, top, width and height are not all whole numbers") from None
    if width <= 0 or height <= 0 or width * height > MAX_PIXELS or min(runs) < 0:
        raise ValueError(f"is {width} x {height} pixels with runs from {min(runs)} on")
    if sum(runs) != width * height:
        raise ValueError(f"its runs are {sum(runs)} pixels, expected {width} x {height}")
    return runs, (left, top, width, height)


def _around_keypoints(element: Any, reading: ShapeReading) -> tuple[Corners | None, str]:
    if not reading.keypoints:
        raise ValueError("has no box; --boxes-from keypoints takes the one around its points")
    return around_points(points_of(element)), "keypoints"


def _around_skeleton(element: Any, reading: ShapeReading) -> tuple[Corners | None, str]:
    if not reading.keypoints:
        raise ValueError("has no box; --boxes-from keypoints takes the one around its visible points")
    visible = [child for child in element if child.tag == "points" and child.get("outside") != "1"]
    if not visible:
        raise ValueError("has no visible points")
    return around_points(point for child in visible for point in points_of(child)), "keypoints"


def _boxless(_: Any, __: ShapeReading) -> tuple[Corners | None, str]:
    raise ValueError("has no box")


_AROUND: dict[str, Callable[[Any, ShapeReading], tuple[Corners | None, str]]] = {
    "box": _around_box,
    "polygon": _around_polygon,
    "mask": _around_mask,
    "ellipse": _around_ellipse,
    "cuboid": _around_cuboid,
    "points": _around_keypoints,
    "skeleton": _around_skeleton,
    "polyline": _boxless,
    "tag": _boxless,
}


def _mask(element: Any, reading: ShapeReading) -> bytes:
    """Returns COCO's segmentation of a polygon or a mask; of other shapes nothing is known."""
    if element.tag == "polygon":
        return outline(points_of(element))
    if element.tag != "mask":
        return b""
    runs, place = _runs(element)
    counts = _by_columns(runs, place, reading.size_wh)
    return json.dumps({"size": [reading.size_wh[1], reading.size_wh[0]], "counts": counts}).encode()


def _by_columns(runs: Sequence[int], place: tuple[int, int, int, int], size_wh: tuple[int, int]) -> list[int]:
    """Returns the runs of a mask by columns of its whole image, as COCO has them; what lies outside of the
    image is cut off."""
    import numpy as np

    left, top, width, height = place
    pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width).astype(np.int8)
    columns = pixels[max(-top, 0) : max(size_wh[1] - top, 0), max(-left, 0) : max(size_wh[0] - left, 0)].T
    edges = np.diff(np.pad(columns, ((0, 0), (1, 1))), axis=1)  # (columns, rows + 1)
    bounds = []
    for change in (1, -1):
        x, y = np.nonzero(edges == change)
        bounds.append((x + max(left, 0)) * size_wh[1] + y + max(top, 0))
    flat = [0, *np.stack(bounds, 1).ravel().tolist(), size_wh[0] * size_wh[1]]
    return [end - start for start, end in pairwise(flat)]

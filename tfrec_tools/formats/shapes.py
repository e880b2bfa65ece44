"""Boxes around shapes: [xmin ymin xmax ymax] with continuous edges, in the unit of the shape."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

Corners = tuple[float, float, float, float]
Point = tuple[float, float]

PNG_HEAD = 24  # bytes, up to its size


def around_points(points: Iterable[Point]) -> Corners | None:
    """Returns the box around points (x, y); None where there is none. NaN stays, to be reported."""
    xs, ys = zip(*points, strict=True) if (points := tuple(points)) else ((), ())
    if not xs:
        return None
    if math.isnan(sum(xs) + sum(ys)) and any(map(math.isnan, (*xs, *ys))):
        return math.nan, math.nan, math.nan, math.nan
    return min(xs), min(ys), max(xs), max(ys)


def around_png(x: float, y: float, head: bytes) -> Corners | None:
    """Returns the box around a PNG whose first pixel lies there, of which PNG_HEAD bytes are enough; None
    where it is no PNG (ISO/IEC 15948, 11.2.2)."""
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or len(head) < PNG_HEAD:
        return None
    return from_size(x, y, int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def outline(points: Iterable[Point]) -> bytes:
    """Returns a polygon as a mask (ImageRecord.masks): COCO's segmentation in JSON."""
    return json.dumps([[value for point in points for value in point]]).encode()


def from_size(x: float, y: float, width: float, height: float) -> Corners:
    """Returns the box of a corner at the top left and a size."""
    return x, y, x + width, y + height


def from_centre(x: float, y: float, width: float, height: float) -> Corners:
    """Returns the box of a centre and a size."""
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def turned(box_xyxy: Corners, centre: Point, radians: float) -> Corners | None:
    """Returns the box around a box that is turned about a point, clockwise where y points down."""
    xmin, ymin, xmax, ymax = box_xyxy
    cos, sin = math.cos(radians), math.sin(radians)
    offsets = ((x - centre[0], y - centre[1]) for x in (xmin, xmax) for y in (ymin, ymax))
    return around_points(
        (centre[0] + dx * cos - dy * sin, centre[1] + dx * sin + dy * cos) for dx, dy in offsets
    )


def around_ellipse(centre: Point, radii: Point, radians: float = 0.0) -> Corners:
    """Returns the box around an ellipse that is turned about its centre."""
    cos, sin = math.cos(radians), math.sin(radians)
    half_width = math.hypot(radii[0] * cos, radii[1] * sin)
    half_height = math.hypot(radii[0] * sin, radii[1] * cos)
    return from_centre(*centre, 2 * half_width, 2 * half_height)

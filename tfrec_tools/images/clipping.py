"""Polygons cut to what lies near an image, since libraries walk along every pixel of their edges."""

from __future__ import annotations

from collections.abc import Sequence

_Corner = tuple[float, float]


def near(polygon: Sequence[float], size_wh: tuple[int, int]) -> list[float]:
    """Returns a polygon, x, y, x, y, ..., cut to three times the image's width and height around it; as it is
    where it lies within. What it covers of the image stays the same. Empty where it lies elsewhere."""
    corners = list(zip(polygon[::2], polygon[1::2], strict=True))
    for axis, side in enumerate(size_wh):
        for limit, sign in ((-float(side), 1), (2.0 * side, -1)):
            corners = _cut(corners, axis, limit, sign)
    return [value for corner in corners for value in corner] if len(corners) > 2 else []


def _cut(corners: list[_Corner], axis: int, limit: float, sign: int) -> list[_Corner]:
    """Returns what lies on one side of a line (Sutherland and Hodgman's cut)."""
    inside = [(corner[axis] - limit) * sign >= 0 for corner in corners]
    if all(inside):
        return corners
    kept: list[_Corner] = []
    for i, corner in enumerate(corners):
        if inside[i] != inside[i - 1]:
            kept.append(_crossing(corners[i - 1], corner, axis, limit))
        if inside[i]:
            kept.append(corner)
    return kept


def _crossing(first: _Corner, second: _Corner, axis: int, limit: float) -> _Corner:
    share = (limit - first[axis]) / (second[axis] - first[axis])
    other = first[1 - axis] + share * (second[1 - axis] - first[1 - axis])
    return (limit, other) if axis == 0 else (other, limit)

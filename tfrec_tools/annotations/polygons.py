"""The polygons of a COCO segmentation, in the ways that tools nest them."""

from __future__ import annotations

from typing import Any

_AREA = 6  # numbers; less has none


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300


def polygons_of(segmentation: Any) -> list[list[float]]:
    """Returns polygons, each x, y, x, y, ..., without those of less than three points: of a list of such, of
    lists of pairs, or of a single polygon of either kind. None has none. Raises ValueError where there is
    anything else."""
    if segmentation is None:
        return []
    if not isinstance(segmentation, list):
        raise ValueError(f"{segmentation!r:.40} is neither polygons nor run lengths")
    is_one = bool(segmentation) and (is_number(segmentation[0]) or _is_pair(segmentation[0]))
    polygons = [_flat(polygon) for polygon in ([segmentation] if is_one else segmentation)]
    return [polygon for polygon in polygons if len(polygon) >= _AREA]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(is_number, value))


def _flat(polygon: Any) -> list[float]:
    if isinstance(polygon, list) and polygon and all(map(_is_pair, polygon)):
        return [value for pair in polygon for value in pair]
    if not isinstance(polygon, list) or len(polygon) % 2 or not all(map(is_number, polygon)):
        raise ValueError(f"{polygon!r:.40} is no polygon, expected numbers x, y, x, y, ...")
    return polygon

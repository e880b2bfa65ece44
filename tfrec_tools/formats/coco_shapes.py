"""The box around a COCO segmentation: polygons, or run lengths by columns from the top left."""

from __future__ import annotations

from typing import Any

from tfrec_tools.annotations.polygons import is_number, polygons_of
from tfrec_tools.annotations.run_lengths import extent, marked, unpacked

Box = tuple[float, float, float, float]  # x y width height

_MAX_PIXELS = 2**30


def box_around(segmentation: Any) -> Box | None:
    """Returns None where a segmentation is none, or is empty."""
    if isinstance(segmentation, dict):
        return _of_runs(segmentation)
    try:
        numbers = [value for polygon in polygons_of(segmentation) for value in polygon]
    except ValueError:
        return None
    xs, ys = numbers[::2], numbers[1::2]
    return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) if xs else None


def around_keypoints(keypoints: Any) -> Box | None:
    """Returns the box around COCO's keypoints, x y visibility in turn, without those of visibility 0, which
    nobody set; None where there are none."""
    if not isinstance(keypoints, list) or len(keypoints) % 3 or not all(map(is_number, keypoints)):
        return None
    points = [(x, y) for x, y, seen in zip(*[iter(keypoints)] * 3, strict=True) if seen > 0]
    if not points:
        return None
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _of_runs(run_lengths: dict[str, Any]) -> Box | None:
    size, counts = run_lengths.get("size"), run_lengths.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) for side in size):
        return None
    height, width = size
    if isinstance(counts, str):
        counts = unpacked(counts)
    if not isinstance(counts, list) or not all(isinstance(run, int) and run >= 0 for run in counts):
        return None
    if not 0 < height * width < _MAX_PIXELS or height < 0 or sum(counts) != height * width:
        return None
    around = extent(marked(counts), height)
    if around is None:
        return None
    left, top, right, bottom = around
    return float(left), float(top), float(right - left), float(bottom - top)

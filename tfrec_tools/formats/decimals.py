"""Boxes as the shortest decimals that come back, through a format's reader and the encoder, to the very same
float32 fractions. A box that was annotated at whole pixels is written at whole pixels again.

Functions of boxes take fractions_xyxy, (N, 4) float32 [xmin ymin xmax ymax], and return (N, 4) float64; those
of points take and return (..., 2). Each number is to be written by `text` or `whole`. Where a format writes
sums of edges, float64 does not bring back an edge that is tiny beside the other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Fractions = NDArray[np.float32]  # (N, 4), or (..., 2)
Values = NDArray[np.float64]
Holds = NDArray[np.bool_]

_MOST_PLACES = 18  # behind the point
_ROUNDING = 1e-12  # of sums of fractions in float64


def corners(fractions_xyxy: Fractions, width: int, height: int) -> Values:
    """[xmin ymin xmax ymax] in pixels, as VOC and CSV have them."""
    sides = np.array([width, height, width, height], np.float64)
    return _shortest(fractions_xyxy * sides, lambda values: _same(values / sides, fractions_xyxy))


def xywh(fractions_xyxy: Fractions, width: int, height: int) -> tuple[Values, int]:
    """[x y width height] in pixels, as COCO has them, whose reader adds the two up; and of how many boxes an
    edge does not come back to the bit."""
    sides = np.array([width, height], np.float64)
    low_xy = corners(fractions_xyxy, width, height)[:, :2]  # (N, 2)
    high = fractions_xyxy[:, 2:]
    exact_wh = high * sides - low_xy

    def hold(sizes: Values) -> Holds:
        return _same((low_xy + sizes) / sides, high)

    sizes_wh = _shortest(exact_wh, hold)
    return np.hstack([low_xy, sizes_wh]), _rows_without(hold(sizes_wh))


def centres(fractions_xyxy: Fractions, width: int, height: int) -> tuple[Values, int]:
    """[x y width height] of the centre and the sides as fractions of the image, as YOLO has them, whose
    reader takes half a side from the centre; and of how many boxes an edge does not come back to the bit."""
    sides = np.array([width, height], np.float64)
    low, high = fractions_xyxy[:, :2].astype(np.float64), fractions_xyxy[:, 2:].astype(np.float64)
    exact = np.stack([(low + high) / 2, high - low], axis=-1)  # (N, 2, 2) of each axis: centre, side

    def hold(pairs: Values) -> Holds:
        centre, side = pairs[..., 0], pairs[..., 1]
        begins = _same((centre - side / 2) * sides / sides, fractions_xyxy[:, :2])
        ends = _same((centre + side / 2) * sides / sides, fractions_xyxy[:, 2:])
        return np.stack([begins & ends] * 2, axis=-1)

    found = _shortest(exact, hold)
    return np.hstack([found[..., 0], found[..., 1]]), _rows_without(hold(found)[..., 0])


def points(fractions_xy: Fractions, width: int, height: int) -> Values:
    """[x y] in pixels, as COCO has keypoints."""
    sides = np.array([width, height], np.float64)
    return _shortest(fractions_xy * sides, lambda values: _same(values / sides, fractions_xy))


def shares(fractions_xy: Fractions, width: int, height: int) -> Values:
    """[x y] as fractions of the image, as YOLO has keypoints, whose reader makes pixels of them."""
    sides = np.array([width, height], np.float64)
    exact = fractions_xy.astype(np.float64)
    return _shortest(exact, lambda values: _same(values * sides / sides, fractions_xy))


def text(value: float) -> str:
    """Returns the shortest text that Python reads as the same float, a whole number without its point."""
    return str(whole(value))


def whole(value: float) -> float | int:
    """Returns a whole number as an int, so that JSON has no point in it; of one too large for pixels
    nothing."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _shortest(exact: Values, hold: Callable[[Values], Holds]) -> Values:
    """Returns each number rounded to the fewest decimals with which `hold` is true of it; as it is where
    none will do."""
    found = exact.copy()
    left = np.ones(exact.shape, bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for places in range(_MOST_PLACES):
            rounded = np.round(exact, places) + 0.0  # no -0
            now = left & hold(rounded)
            found[now] = rounded[now]
            left &= ~now
            if not left.any():
                break
    return found


def _rows_without(holds: Holds) -> int:
    """Returns in how many rows (N, 2) not all is True."""
    return int((~holds.all(axis=1)).sum())


def _same(fractions: Values, wanted: Fractions) -> Holds:
    """Returns where float32 comes out as wanted, without leaning over an edge of the image that it is at:
    half a step of float32 is more than checks of boxes let pass."""
    leaning = ((fractions > 1 + _ROUNDING) & (wanted <= 1)) | ((fractions < -_ROUNDING) & (wanted >= 0))
    with np.errstate(over="ignore"):
        same: Holds = (fractions.astype(np.float32) == wanted) & ~leaning
    return same

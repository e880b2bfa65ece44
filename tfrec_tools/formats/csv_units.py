"""What the numbers of a CSV's boxes are, seen from all of them: pixels or fractions of the image, and whether
points can be corners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats.box_units import RELATIVE_MAX, STRAY
from tfrec_tools.formats.grouping import Column

_ROUNDED = 1.0  # pixels by which boxes lean out that were rounded


@dataclass(frozen=True, slots=True)
class Units:
    """How many boxes can only be fractions of the image, and how many only pixels, with the line of the first
    of each (0: none); whether any coordinate is above 0; whether the points of boxes may be corners or
    centres; and how many boxes lie in their images only if they are corners, and only if they are centres."""

    fractions: int = 0
    pixels: int = 0
    fractions_line: int = 0
    pixels_line: int = 0
    positive: bool = False
    is_open: bool = False
    only_as_corners: int = 0
    only_as_centres: int = 0


def units_of(boxes_xyxy: NDArray[np.float64], lines: Column) -> Units:
    """Returns what boxes, which stand in those lines, can only be."""
    finite = np.where(np.isfinite(boxes_xyxy), boxes_xyxy, 0)
    reach = np.abs(finite).max(axis=1, initial=0)  # (N,)
    pixels = np.flatnonzero(reach > RELATIVE_MAX)
    fractions = np.flatnonzero((reach <= RELATIVE_MAX) & (finite != np.round(finite)).any(axis=1))
    first, other = (int(lines[rows[0]]) if len(rows) else 0 for rows in (fractions, pixels))
    return Units(len(fractions), len(pixels), first, other, bool((finite > 0).any()))


def with_meanings(units: Units, boxes_xyxy: NDArray[np.float64], sizes_wh: NDArray[np.float64]) -> Units:
    """Returns the units of boxes whose points were read as corners and may be centres, where their images'
    sizes, (N, 2), are known."""
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    as_centres = boxes_xyxy - np.tile(half, 2)

    def lies_inside(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        beyond = np.hstack([boxes[:, :2] < -_ROUNDED, boxes[:, 2:] > sizes_wh + _ROUNDED])
        return np.logical_not(beyond.any(axis=1))

    corners, centres = lies_inside(boxes_xyxy), lies_inside(as_centres)
    known = (sizes_wh > 0).all(axis=1)
    return replace(
        units,
        is_open=True,
        only_as_corners=int((known & corners & ~centres).sum()),
        only_as_centres=int((known & centres & ~corners).sum()),
    )


def is_relative(path: Path, units: Iterable[Units], coordinates: str | None) -> bool:
    """Returns whether boxes are fractions of the images: as the user says, else by what most of a file's
    boxes can only be. Raises InputError where that is unclear, and where points are not clearly corners:
    those of fractions, as what detectors read and YOLO writes are called the same, and those of pixels that
    fit their images better as centres."""
    pieces = list(units)
    relative = _are_fractions(path, pieces) if coordinates is None else coordinates == "fractions"
    if relative and any(piece.is_open for piece in pieces):
        reason = "x, y of fractions of the image may be the corner or the centre of a box"
        raise InputError(path, f"{reason}; say --box-format xywh or cxcywh")
    as_corners = sum(piece.only_as_corners for piece in pieces)
    as_centres = sum(piece.only_as_centres for piece in pieces)
    if as_centres > as_corners:
        reason = (
            f"of {counted(as_centres, 'box')} x, y can only be the centre, as they lie in their images, "
            f"of {as_corners} only the corner"
        )
        raise InputError(path, f"{reason}; say --box-format cxcywh or xywh")
    return relative


def _are_fractions(path: Path, pieces: Sequence[Units]) -> bool:
    """Returns what most boxes can only be. Raises InputError where that is unclear."""
    fractions, pixels = sum(one.fractions for one in pieces), sum(one.pixels for one in pieces)
    if not pixels:
        return any(one.positive for one in pieces)
    if min(fractions, pixels) <= STRAY * (fractions + pixels):
        return fractions > pixels
    line = min(one.fractions_line for one in pieces if one.fractions)
    other = min(one.pixels_line for one in pieces if one.pixels)
    reason = (
        f"looks like fractions of the image in {counted(fractions, 'box')} (line {line}) and like pixels "
        f"in {pixels} (line {other}); say --coordinates fractions or pixels"
    )
    raise InputError(path, reason)

"""Boxes of formats that have them in pixels, some of whose exporters write fractions of the image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.boxes import sides
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import InputError

# Fractions of the image are at most 1; a file whose boxes all end within this many pixels is of no use.
RELATIVE_MAX = 1.5
STRAY = 0.01  # of the boxes: as few as these may be faulty ones, and do not make it unclear what a file has


@dataclass(frozen=True, slots=True)
class BoxUnits:
    """How many boxes with an area may be fractions of their images, and how many boxes can only be pixels."""

    fractions: int = 0
    pixels: int = 0


def units_of(boxes_xyxy: NDArray[np.float64]) -> BoxUnits:
    """Returns what boxes can be; one whose corners are not all finite says nothing."""
    boxes = boxes_xyxy[np.isfinite(boxes_xyxy).all(axis=1)]
    pixels = np.abs(boxes).max(axis=1, initial=0) > RELATIVE_MAX
    return BoxUnits(int((~pixels & (sides(boxes) > 0).all(axis=1)).sum()), int(pixels.sum()))


def are_fractions(path: Path, units: Iterable[BoxUnits], coordinates: str | None) -> bool:
    """Returns whether the boxes of a file, of whose pieces there are units, are fractions of their images.
    Raises InputError where nearly all may be, and the user does not say it by `coordinates`."""
    pieces = list(units)
    fractions, pixels = sum(one.fractions for one in pieces), sum(one.pixels for one in pieces)
    if coordinates is None and fractions and pixels <= STRAY * (fractions + pixels):
        found = f"{fractions} of its {fractions + pixels} boxes lie between 0 and 1"
        raise InputError(path, f"{found}, expected pixels; say --coordinates fractions or pixels")
    return coordinates == "fractions"


def with_units(path: Path, source: Source, coordinates: str | None) -> Source:
    """Returns a source, whose boxes were read as pixels, in their unit. Raises InputError as
    `are_fractions` does."""
    if not are_fractions(path, (units_of(record.boxes_xyxy) for record in source.records), coordinates):
        return source
    return replace(source, records=[in_fractions(record) for record in source.records])


def in_fractions(record: ImageRecord) -> ImageRecord:
    """Returns a record whose numbers are fractions of the image. Areas above 1 can only be pixels; those are
    unknown where the file does not say the size of the image."""
    pixels = record.width * record.height or np.nan
    area = np.where(record.area > 1, record.area / pixels, record.area)
    return replace(record, area=area, relative=True)

"""The one noun of the light wing: an image with its annotations, as every format reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.issues import Issue

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """An annotated image. Shapes are checked here, contents by `checks`: a bad box must be able to
    exist to be reported.

    image_id    the source's own name for the image (COCO's id, else the file name)
    filename    the image's path as the source gives it, relative to the folder of images
    width, height   pixels as annotated; 0 where the source does not say
    boxes_xyxy  (N, 4) float64 [xmin ymin xmax ymax] in pixels, continuous edges
    names       (N,) class names; integer ids live only in the files read and the Examples written
    crowd, difficult, truncated   (N,) bool
    area        (N,) float64, square pixels; NaN where the source does not say
    labeled     the classes that this image was exhaustively annotated for; None means all
    source      where it came from ("instances.json images[17]", "a.xml"), so that messages can point
    """

    image_id: str
    filename: str
    width: int
    height: int
    boxes_xyxy: Floats
    names: tuple[str, ...]
    crowd: Bools
    difficult: Bools
    truncated: Bools
    area: Floats
    source: str
    labeled: frozenset[str] | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        if self.boxes_xyxy.shape != (count, 4):
            raise ValueError(f"boxes_xyxy has shape {self.boxes_xyxy.shape}, expected ({count}, 4)")
        for field in ("crowd", "difficult", "truncated", "area"):
            if getattr(self, field).shape != (count,):
                raise ValueError(f"{field} has shape {getattr(self, field).shape}, expected ({count},)")
        for array in (self.boxes_xyxy, self.crowd, self.difficult, self.truncated, self.area):
            array.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Source:
    """What a format's reader found: class names in the order of their ids, images in the order of the
    source, and the annotations that it could not give to any image."""

    classes: tuple[str, ...]
    records: Sequence[ImageRecord]
    issues: tuple[Issue, ...] = ()


def subset(record: ImageRecord, kept: Sequence[int]) -> ImageRecord:
    """The record with only the boxes at the indices `kept`."""
    index = np.array(kept, np.intp)
    return replace(
        record,
        boxes_xyxy=record.boxes_xyxy[index],
        names=tuple(record.names[i] for i in kept),
        crowd=record.crowd[index],
        difficult=record.difficult[index],
        truncated=record.truncated[index],
        area=record.area[index],
    )


def joined(first: ImageRecord, second: ImageRecord) -> ImageRecord:
    """The first record with the boxes of the second after its own."""
    return replace(
        first,
        boxes_xyxy=np.concatenate([first.boxes_xyxy, second.boxes_xyxy]),
        names=(*first.names, *second.names),
        crowd=np.concatenate([first.crowd, second.crowd]),
        difficult=np.concatenate([first.difficult, second.difficult]),
        truncated=np.concatenate([first.truncated, second.truncated]),
        area=np.concatenate([first.area, second.area]),
    )


def image_record(
    *,
    image_id: str,
    filename: str,
    source: str,
    width: int = 0,
    height: int = 0,
    boxes_xyxy: object = (),
    names: tuple[str, ...] = (),
    crowd: object = None,
    difficult: object = None,
    truncated: object = None,
    area: object = None,
    labeled: frozenset[str] | None = None,
) -> ImageRecord:
    """An ImageRecord from plain lists; what is not given is False (flags) or NaN (area)."""
    count = len(names)

    def flags(given: object) -> Bools:
        return np.zeros(count, bool) if given is None else np.array(given, bool)

    return ImageRecord(
        image_id=image_id,
        filename=filename,
        width=width,
        height=height,
        boxes_xyxy=np.array(boxes_xyxy, np.float64).reshape(count, 4),  # (N, 4)
        names=names,
        crowd=flags(crowd),
        difficult=flags(difficult),
        truncated=flags(truncated),
        area=np.full(count, np.nan) if area is None else np.array(area, np.float64),
        source=source,
        labeled=labeled,
    )

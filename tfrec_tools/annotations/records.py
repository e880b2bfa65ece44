"""The one noun of the light wing: an image with its annotations, as every format reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FLAGS = ("crowd", "difficult", "truncated", "occluded", "group_of")
_COLUMNS = (*_FLAGS, "area")
_columns = attrgetter(*_COLUMNS)
_TUPLES = ("poses", "masks")  # one a box, or none at all


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a picture are: a whole file, or `length` bytes of one from `offset` on."""

    path: Path
    offset: int = 0
    length: int | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size if self.length is None else self.length

    def read(self) -> bytes:
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            return file.read() if self.length is None else file.read(self.length)


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """An annotated image. Shapes are checked here, contents by `checks`: a bad box must be able to
    exist to be reported.

    image_id    the source's own name for the image (COCO's id, else the file name)
    filename    the image's path as the source gives it, relative to the folder of images
    width, height   pixels as annotated; 0 where the source does not say
    boxes_xyxy  (N, 4) float64 [xmin ymin xmax ymax] in pixels, continuous edges
    names       (N,) class names; integer ids live only in the files read and the Examples written
    crowd, difficult, truncated, occluded, group_of   (N,) bool
    area        (N,) float64, square pixels; NaN where the source does not say
    source      where it came from ("instances.json images[17]", "a.xml"), so that messages can point
    labeled     the classes that this image was exhaustively annotated for; None means all
    relative    whether boxes_xyxy are fractions of the picture instead, as YOLO and OpenImages write them
    poses       (N,) views of the objects ("Frontal"), "" where unknown; or () where the source has none
    masks       (N,) each a PNG, or COCO's segmentation in JSON; or () where they were not asked for
    stem        the name, without suffix, of the annotation's own file; a picture of that name is meant
                where `filename` says otherwise. Empty where the source is one file for many images
    place       where the picture is; None where it is to be looked up by `filename`
    split       the part of the data that the source puts the image in ("train"); None where it does not
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
    occluded: Bools
    group_of: Bools
    area: Floats
    source: str
    labeled: frozenset[str] | None = None
    relative: bool = False
    poses: tuple[str, ...] = ()
    masks: tuple[bytes, ...] = ()
    stem: str = ""
    place: Place | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        if self.boxes_xyxy.shape != (count, 4):
            raise ValueError(f"boxes_xyxy has shape {self.boxes_xyxy.shape}, expected ({count}, 4)")
        self.boxes_xyxy.setflags(write=False)
        for array, field in zip(_columns(self), _COLUMNS, strict=True):
            if array.shape != (count,):
                raise ValueError(f"{field} has shape {array.shape}, expected ({count},)")
            array.setflags(write=False)
        for field in _TUPLES:
            if len(getattr(self, field)) not in (0, count):
                raise ValueError(f"{field} has {len(getattr(self, field))} values, expected {count} or none")


@dataclass(frozen=True, slots=True)
class Source:
    """What a format's reader found: class names in the order of their ids, images in the order of the
    source, and the annotations that it could not give to any image."""

    classes: tuple[str, ...]
    records: Sequence[ImageRecord]
    issues: tuple[Issue, ...] = ()


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
    occluded: object = None,
    group_of: object = None,
    area: object = None,
    labeled: frozenset[str] | None = None,
    relative: bool = False,
    poses: tuple[str, ...] = (),
    masks: tuple[bytes, ...] = (),
    stem: str = "",
    place: Place | None = None,
    split: str | None = None,
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
        occluded=flags(occluded),
        group_of=flags(group_of),
        area=np.full(count, np.nan) if area is None else np.array(area, np.float64),
        source=source,
        labeled=labeled,
        relative=relative,
        poses=poses,
        masks=masks,
        stem=stem,
        place=place,
        split=split,
    )


def subset(record: ImageRecord, kept: Sequence[int]) -> ImageRecord:
    """The record with only the boxes of those numbers, in that order."""
    index = np.array(kept, np.intp)
    arrays = ("boxes_xyxy", "area", *_FLAGS)
    changed: dict[str, Any] = {field: getattr(record, field)[index] for field in arrays}
    for field in ("names", *_TUPLES):
        values = getattr(record, field)
        changed[field] = tuple(values[i] for i in kept) if values else ()
    return replace(record, **changed)


def joined(first: ImageRecord, second: ImageRecord) -> ImageRecord:
    """The first record with the boxes of the second, of the same picture, after its own. InputError where
    one has fractions and the other pixels of a picture whose size it does not say."""
    if first.relative != second.relative:
        first, second = _in_fractions(first), _in_fractions(second)
    changed: dict[str, Any] = {
        field: np.concatenate([getattr(first, field), getattr(second, field)])
        for field in ("boxes_xyxy", "area", *_FLAGS)
    }
    if first.poses or second.poses:
        changed["poses"] = (*_padded(first, first.poses, ""), *_padded(second, second.poses, ""))
    if first.masks or second.masks:
        changed["masks"] = (*_padded(first, first.masks, b""), *_padded(second, second.masks, b""))
    return replace(first, names=(*first.names, *second.names), **changed)


def _in_fractions(record: ImageRecord) -> ImageRecord:
    if record.relative:
        return record
    if not (record.width and record.height) or any(record.masks):
        reason = "cannot be joined with fractions of the same picture: it states no size, or it has masks"
        raise InputError(record.source, reason)
    size = np.array([record.width, record.height] * 2, np.float64)
    area = record.area / (record.width * record.height)
    return replace(record, boxes_xyxy=record.boxes_xyxy / size, area=area, relative=True)


def _padded(record: ImageRecord, values: tuple[Any, ...], empty: Any) -> tuple[Any, ...]:
    return values or (empty,) * len(record.names)

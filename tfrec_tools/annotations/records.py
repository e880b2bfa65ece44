"""The one noun of the light wing: an image with its annotations, as every format reads it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.system.regular_files import Stamp, open_unbuffered, read_part
from tfrec_tools.system.remote_path import RemotePath

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_BLOCK_BYTES = 1 << 20
_FLAGS = ("crowd", "difficult", "truncated", "occluded", "group_of")
_COLUMNS = (*_FLAGS, "area")
_columns = attrgetter(*_COLUMNS)
_TUPLES = ("poses", "masks", "weights")  # one a box, or none at all
_tuples = attrgetter(*_TUPLES)
_MOST_BLANK = 1000  # boxes of an image, up to which arrays that say nothing are shared


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Where the bytes of an image are: a whole file, or `length` bytes of one from `offset` on. `stamp` is
    what the file was when it was found, where that is known: what is read later must be of the same."""

    path: Path
    offset: int = 0
    length: int | None = None
    stamp: Stamp | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Bytes."""
        if self.length is not None:
            return self.length
        return self.path.stat().st_size if self.stamp is None else self.stamp[0]

    @property
    def origin(self) -> tuple[str, int]:
        """Which image it is, however its file's path is spelled."""
        path = str(self.path)
        return os.path.normpath(path) if ".." in path else path, self.offset

    def sha256(self) -> bytes:
        """Returns the digest of its bytes, which are never all in memory but for those of a store."""
        if isinstance(self.path, RemotePath):
            return hashlib.sha256(self.read()).digest()
        digest = hashlib.sha256()
        left = self.length
        with open_unbuffered(self.path) as file:
            file.seek(self.offset)
            while block := file.read(_BLOCK_BYTES if left is None else min(_BLOCK_BYTES, left)):
                digest.update(block)
                left = None if left is None else left - len(block)
        return digest.digest()

    def head(self, count: int) -> bytes:
        """Returns its first bytes, at most so many."""
        return read_part(self.path, self.offset, count if self.length is None else min(count, self.length))

    def read(self) -> bytes:
        """Raises ChangedError where the file is not what the stamp says; other errors as opening has them."""
        return read_part(self.path, self.offset, self.length, self.stamp)


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """An annotated image. Shapes are checked here, contents by `checks`: a bad box must be able to
    exist to be reported.

    image_id    the source's own name for the image (COCO's id, else the file name)
    filename    the image's path as the source gives it, relative to the folder of images; once the file is
                found, its path below that folder
    width, height   pixels as annotated; 0 where the source does not say
    boxes_xyxy  (N, 4) float64 [xmin ymin xmax ymax] in pixels, continuous edges
    names       (N,) class names; integer ids live only in the files read and the Examples written
    crowd, difficult, truncated, occluded, group_of   (N,) bool
    area        (N,) float64, square pixels; NaN where the source does not say
    source      where it came from ("instances.json images[17]", "a.xml"), so that messages can point
    labeled     the classes that this image was exhaustively annotated for; None means all
    relative    whether boxes_xyxy are fractions of the image instead, as YOLO and OpenImages write them
    of_any_size  whether the source has fractions, and boxes_xyxy are these in pixels of the size that it
                states: they are scaled to the image, whatever its size
    poses       (N,) views of the objects ("Frontal"), "" where unknown; or () where the source has none
    masks       (N,) each a PNG, or COCO's segmentation in JSON; or () where they were not asked for
    keypoints   (N, K, 3) float64 [x y visibility], x and y in the unit of the boxes, visibility 0 (not
                labeled), 1 (hidden) or 2 (visible), as COCO has them; in the order of the names that the
                Source gives to the class's keypoints, then zeros. None where no box has any
    weights     (N,) how much each box counts in training, 0 to 1; or () where all count as 1
    stem        the name, without suffix, of the annotation's own file; an image of that name is meant
                where `filename` says otherwise. Empty where the source is one file for many images
    place       where the image is; None where it is to be looked up by `filename`
    split       the part of the data that the source puts the image in ("train"); None where it does not
    precision   the unit of the last decimal that the source writes of fractions of the image: a box that
                leans over an edge by no more is at the edge. 0 where it writes pixels
    upright     whether its tool turns images as their EXIF orientation says before anything is drawn; False
                where that is not known
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
    of_any_size: bool = False
    poses: tuple[str, ...] = ()
    masks: tuple[bytes, ...] = ()
    stem: str = ""
    place: ByteRange | None = None
    split: str | None = None
    precision: float = 0.0
    keypoints: Floats | None = None
    weights: tuple[float, ...] = ()
    upright: bool = False

    def __post_init__(self) -> None:
        if not (self.source.isascii() and self.image_id.isascii()):
            object.__setattr__(self, "source", readable(self.source))
            object.__setattr__(self, "image_id", readable(self.image_id))
        count = len(self.names)
        if self.boxes_xyxy.shape != (count, 4):
            raise ValueError(f"boxes_xyxy has shape {self.boxes_xyxy.shape}, expected ({count}, 4)")
        self.boxes_xyxy.setflags(write=False)
        shape, checked = (count,), None
        for array, name in zip(_columns(self), _COLUMNS, strict=True):
            if array is checked:  # one array may stand for several flags
                continue
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
            array.setflags(write=False)
            checked = array
        if self.keypoints is not None:
            if self.keypoints.ndim != 3 or self.keypoints.shape[::2] != (count, 3):
                raise ValueError(f"keypoints has shape {self.keypoints.shape}, expected ({count}, K, 3)")
            self.keypoints.setflags(write=False)
        for name, values in zip(_TUPLES, _tuples(self), strict=True):
            if values and len(values) != count:
                raise ValueError(f"{name} has {counted(len(values), 'value')}, expected {count} or none")


@dataclass(frozen=True, slots=True)
class Source:
    """What a format's reader found: class names in the order of their ids, images in the order of the
    source, what is odd about its annotations, and the account of all of them. `category_ids`: the source's
    own ids of its classes, where COCO's evaluation asks for them. `keypoints`: the names of the keypoints of
    each class that has any, in the order of the records' keypoints."""

    classes: tuple[str, ...]
    records: Sequence[ImageRecord]
    issues: tuple[Issue, ...]
    account: Account
    category_ids: Mapping[str, int | str] | None = None
    keypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Said(TypedDict, total=False):
    """Fields of an ImageRecord that not every source knows, as plain lists or None; the rest as they are."""

    width: int
    height: int
    crowd: object
    difficult: object
    truncated: object
    occluded: object
    group_of: object
    area: object
    labeled: frozenset[str] | None
    relative: bool
    of_any_size: bool
    poses: tuple[str, ...]
    masks: tuple[bytes, ...]
    stem: str
    place: ByteRange | None
    split: str | None
    precision: float
    keypoints: Floats | None
    weights: tuple[float, ...]
    upright: bool


def image_record(
    *,
    image_id: str,
    filename: str,
    source: str,
    boxes_xyxy: object = (),
    names: tuple[str, ...] = (),
    **said: Unpack[Said],
) -> ImageRecord:
    """Returns an ImageRecord from plain lists; what is not said is 0 (width, height), False (flags) or NaN
    (area)."""
    count = len(names)
    fields: dict[str, Any] = {"width": 0, "height": 0, **said}
    unset, unknown = _blank(count) if count <= _MOST_BLANK else _blank.__wrapped__(count)
    for flag in _FLAGS:
        values = fields.get(flag)
        fields[flag] = unset if values is None else np.array(values, bool)
    area = fields.get("area")
    fields["area"] = unknown if area is None else np.array(area, np.float64)
    corners = np.array(boxes_xyxy, np.float64).reshape(count, 4)  # (N, 4)
    return ImageRecord(
        image_id=image_id, filename=filename, source=source, boxes_xyxy=corners, names=names, **fields
    )


@lru_cache(maxsize=_MOST_BLANK)
def _blank(count: int) -> tuple[Bools, Floats]:
    """Returns flags and areas that say nothing of so many boxes; records never write into theirs."""
    return np.zeros(count, bool), np.full(count, np.nan)


def subset(record: ImageRecord, kept: Sequence[int]) -> ImageRecord:
    """Returns the record with only the boxes of those numbers, in that order."""
    index = np.array(kept, np.intp)
    arrays = ("boxes_xyxy", "area", *_FLAGS)
    changed: dict[str, Any] = {name: getattr(record, name)[index] for name in arrays}
    for name in ("names", *_TUPLES):
        values = getattr(record, name)
        changed[name] = tuple(values[i] for i in kept) if values else ()
    if record.keypoints is not None:
        changed["keypoints"] = record.keypoints[index]
    return replace(record, **changed)


def scaled(record: ImageRecord, scale_xy: tuple[float, float]) -> ImageRecord:
    """Returns the record with boxes, areas and keypoints in a unit of which so many make its own."""
    with np.errstate(invalid="ignore"):  # infinity times zero; `box_checks` reports such a box
        boxes_xyxy = record.boxes_xyxy * np.array([*scale_xy, *scale_xy])
        keypoints = None if record.keypoints is None else record.keypoints * np.array([*scale_xy, 1.0])
    area = record.area * scale_xy[0] * scale_xy[1]
    return replace(record, boxes_xyxy=boxes_xyxy, area=area, keypoints=keypoints)


def joined(first: ImageRecord, second: ImageRecord) -> ImageRecord:
    """Returns the first record with the boxes of the second, of the same image, after its own. Raises
    InputError where one has fractions and the other pixels of an image whose size it does not say."""
    if first.relative != second.relative:
        first, second = _in_fractions(first), _in_fractions(second)
    first, second = _of_one_size(first, second)
    changed: dict[str, Any] = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("boxes_xyxy", "area", *_FLAGS)
    }
    is_one_size = (first.width, first.height) == (second.width, second.height)
    changed["of_any_size"] = first.of_any_size and second.of_any_size and is_one_size
    changed["precision"] = max(first.precision, second.precision)
    if first.poses or second.poses:
        changed["poses"] = (*_padded(first, first.poses, ""), *_padded(second, second.poses, ""))
    if first.masks or second.masks:
        changed["masks"] = (*_padded(first, first.masks, b""), *_padded(second, second.masks, b""))
    changed["keypoints"] = _joined_keypoints(first, second)
    if first.weights or second.weights:
        changed["weights"] = (*_padded(first, first.weights, 1.0), *_padded(second, second.weights, 1.0))
    return replace(first, names=(*first.names, *second.names), **changed)


def _in_fractions(record: ImageRecord) -> ImageRecord:
    if record.relative:
        return record
    if not (record.width and record.height) or any(record.masks):
        reason = "cannot be joined with fractions of the same image: it states no size, or it has masks"
        raise InputError(record.source, reason)
    size = np.array([record.width, record.height] * 2, np.float64)
    area = record.area / (record.width * record.height)
    keypoints = None if record.keypoints is None else record.keypoints / np.array([*size[:2], 1.0])
    boxes_xyxy = record.boxes_xyxy / size
    said: dict[str, Any] = {"boxes_xyxy": boxes_xyxy, "area": area, "keypoints": keypoints}
    return replace(record, relative=True, of_any_size=False, **said)


def _of_one_size(first: ImageRecord, second: ImageRecord) -> tuple[ImageRecord, ImageRecord]:
    """Returns both, one of any size in pixels of the size that the other states, or, where that states none,
    of its own, which is then that of both."""
    if second.of_any_size:
        second = _resized(second, first)
        first = (
            first
            if first.width and first.height
            else replace(first, width=second.width, height=second.height)
        )
    return _resized(first, second) if first.of_any_size else first, second


def _resized(record: ImageRecord, other: ImageRecord) -> ImageRecord:
    """Returns a record of any size in pixels of the size that another states; as it is where that states
    none, or where it has masks, which would not follow."""
    size_wh = (other.width, other.height)
    if not all(size_wh) or size_wh == (record.width, record.height) or any(record.masks):
        return record
    in_other = scaled(record, (size_wh[0] / record.width, size_wh[1] / record.height))
    return replace(in_other, width=size_wh[0], height=size_wh[1])


def _joined_keypoints(first: ImageRecord, second: ImageRecord) -> Floats | None:
    """Returns those of both; zeros for the boxes of one that has none, and behind the shorter ones."""
    each = [record.keypoints for record in (first, second)]
    longest = max((keypoints.shape[1] for keypoints in each if keypoints is not None), default=None)
    if longest is None:
        return None
    both = np.zeros((len(first.names) + len(second.names), longest, 3))  # (N + M, K, 3)
    for keypoints, start in zip(each, (0, len(first.names)), strict=True):
        if keypoints is not None:
            both[start : start + len(keypoints), : keypoints.shape[1]] = keypoints
    return both


def _padded(record: ImageRecord, values: tuple[Any, ...], empty: Any) -> tuple[Any, ...]:
    return values or (empty,) * len(record.names)

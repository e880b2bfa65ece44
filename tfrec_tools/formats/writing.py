"""What a format's writer takes and gives: an image with its boxes, and what is said of it in the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations import boxes, keypoint_checks
from tfrec_tools.annotations.records import Floats, ImageRecord

_STEP = 2.0**-22  # of a fraction: some steps of float32, by which the edges that make an area may differ


@dataclass(frozen=True)
class Outgoing:
    """An image to be written.

    record      boxes are fractions of the image, as records of TFOD have them
    name        of its file, below the folder of images, with slashes
    width, height   of its pixels
    image_id    a number that no other image of the extraction has
    first_box   how many boxes the images before it have
    split       "" where the records have none
    """

    record: ImageRecord
    name: str
    width: int
    height: int
    image_id: int
    first_box: int
    split: str

    @cached_property
    def finite(self) -> list[int]:
        """The numbers of the boxes that can be written."""
        return np.flatnonzero(np.isfinite(self.record.boxes_xyxy).all(axis=1)).tolist()

    @cached_property
    def fractions_xyxy(self) -> NDArray[np.float32]:
        """(N, 4) of the boxes that can be written."""
        return self.record.boxes_xyxy[self.finite].astype(np.float32)

    @cached_property
    def keypoints(self) -> Floats:
        """(N, K, 3) float64 [x y visibility] of the boxes that can be written, x and y fractions of the
        image; zeros for a box whose keypoints are damaged."""
        mended = keypoint_checks.undamaged(self.record)
        return np.zeros((len(self.finite), 0, 3)) if mended is None else mended[self.finite]

    def keypoints_of(self, row: int, count: int) -> Floats:
        """Returns (count, 3) of one of the boxes that can be written, whose class has so many."""
        keypoints = np.zeros((count, 3))
        own = self.keypoints[row, :count]
        keypoints[: len(own)] = own
        return keypoints

    @cached_property
    def areas(self) -> list[float]:
        """Square pixels of the boxes that can be written: what the record says, else the box's own."""
        said = self.record.area[self.finite] * self.width * self.height
        with np.errstate(over="ignore"):  # of a box that reaches far out of its image
            areas = np.where(np.isfinite(said), said, self.own_areas).astype(np.float32)
        return [float(str(area)) for area in areas]  # the shortest decimals of a float32

    @cached_property
    def own_areas(self) -> NDArray[np.float64]:
        """(N,) square pixels."""
        return boxes.areas(self.fractions_xyxy.astype(np.float64)) * self.width * self.height


@dataclass(frozen=True, slots=True)
class Told:
    """An image in a format.

    files     {path below the folder of the extraction: content} of the files that are the image's alone
    texts     {part of a file of all images: what of it is this image's}
    boxes     how many are in them
    unsaid    {what: of how many of them} the format cannot say besides what `unsaid` counts
    """

    boxes: int
    files: Mapping[str, bytes] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    unsaid: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A split of an extraction, or all of it: its name ("" where there are no splits), the names of its
    images, and what `Told.texts` said of them, by part."""

    split: str
    names: Sequence[str]
    texts: Callable[[str], Iterable[str]]


Document = tuple[str, Iterator[bytes]]  # path below the folder of the extraction, content


KEYPOINTS = "keypoints"

# What a record may say of its boxes beside class and place: how many of them have it.
_OF_BOXES: dict[str, Callable[[Outgoing], int]] = {
    "crowd": lambda image: int(image.record.crowd.sum()),
    "difficult": lambda image: int(image.record.difficult.sum()),
    "truncated": lambda image: int(image.record.truncated.sum()),
    "occluded": lambda image: int(image.record.occluded.sum()),
    "group_of": lambda image: int(image.record.group_of.sum()),
    "pose": lambda image: sum(map(bool, image.record.poses)),
    "area": lambda image: _areas_of_their_own(image),
    "mask": lambda image: len(image.record.masks),
    KEYPOINTS: lambda image: with_keypoints(image),
    "weight": lambda image: sum(weight != 1 for weight in image.record.weights),
}
EDGES = "edges"  # that float64 does not bring back
BOX = "box"  # where it is not the one around the mask
BOX_FACTS = (*_OF_BOXES, EDGES, BOX)


def unsaid(image: Outgoing, says: frozenset[str]) -> Counter[str]:
    """Returns of how many boxes the format, which says only so much, leaves out what the record says."""
    counts = {name: count(image) for name, count in _OF_BOXES.items() if name not in says}
    return Counter({name: number for name, number in counts.items() if number})


def with_keypoints(image: Outgoing) -> int:
    """Returns how many boxes have a labeled keypoint."""
    return int((image.keypoints[..., 2] > 0).any(axis=1).sum())


def _areas_of_their_own(image: Outgoing) -> int:
    """Returns how many boxes have another area than the box covers, as far as float32 edges say that."""
    sides = boxes.sides(image.fractions_xyxy.astype(np.float64))  # (N, 2)
    tolerance = _STEP * image.width * image.height * (np.abs(sides).sum(axis=1) + _STEP)
    return int((np.abs(image.areas - image.own_areas) > tolerance).sum())

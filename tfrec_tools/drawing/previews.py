"""What pages and sheets show: a record with its image and issues, small enough to draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from tfrec_tools.annotations import box_checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.drawing.boxes import DrawnBox
from tfrec_tools.drawing.palette import FAULT
from tfrec_tools.errors import InputError
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import DEFAULT, EncodedImage, decoded, is_file_itself
from tfrec_tools.images.masks import to_pixels
from tfrec_tools.system.remote_path import RemotePath

_MASK_SHARE = 0.45  # of a mask's colour in what lies under it


@dataclass(frozen=True, slots=True)
class Mark:
    """What a box is besides its class: its kind, one of `Chosen.kinds`, what is to be said behind its name,
    and whether it is drawn as a fault."""

    kind: str
    note: str
    is_fault: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """A record to draw with the image that its boxes lie on, None where that cannot be read. `file` is where
    the very bytes of the image lie as a file of their own, if they do; `split` is "" where there is none;
    `marks` one a box, or none at all."""

    record: ImageRecord
    image: EncodedImage | None
    issues: tuple[Issue, ...] = ()
    split: str = ""
    file: Path | None = None
    marks: tuple[Mark, ...] = ()


Waiting = Callable[[], Preview]  # an image that is not read before it is drawn


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be shown, of so many images in all (None: nobody knows), the classes in the order of
    their ids, of which others may come up, and the kinds of boxes where they have marks."""

    images: Sequence[Waiting]
    total: int | None
    classes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def show(
    record: ImageRecord, place: ByteRange, issues: Sequence[Issue] = (), is_checked: bool = False
) -> Preview:
    """Returns a record with its image as a conversion would store it, and the issues of its boxes unless all
    issues are known (`is_checked`)."""
    split = record.split or ""
    try:
        fitted = fit(record, place)
    except InputError:
        return Preview(record, None, tuple(issues), split)
    if fitted.pair is None:
        return Preview(record, None, tuple(issues), split)
    new, image = fitted.pair
    of_boxes = (
        () if is_checked else box_checks.check(new, image.width, image.height, None, fitted.damaged_masks)[1]
    )
    is_own = place.length is None and not place.offset and not isinstance(place.path, RemotePath)
    file = place.path if is_own and is_file_itself(DEFAULT, fitted.issues) else None
    return Preview(new, image, (*issues, *of_boxes), split, file)


def damaged_masks(record: ImageRecord) -> dict[int, str]:
    """Returns {box: why its mask is none}."""
    damaged = {}
    for box, mask in enumerate(record.masks):
        try:
            to_pixels(mask, record.source, (record.width, record.height))
        except InputError as fault:
            damaged[box] = fault.reason
    return damaged


def thumbnail(preview: Preview, side_px: int, colours: Mapping[str, str]) -> Image.Image | None:
    """Returns the image in RGB with its masks on it, its longer side at most side_px; None where it cannot be
    decoded."""
    if preview.image is None:
        return None
    try:
        small = decoded(preview.image, side_px)
        small.thumbnail((side_px, side_px))
        _draw_masks(small, preview, colours)
    except Exception:  # Pillow raises many kinds; a page without one of its images is still a page
        return None
    return small


def _draw_masks(small: Image.Image, preview: Preview, colours: Mapping[str, str]) -> None:
    record = preview.record
    for mask, name in zip(record.masks, record.names, strict=False):
        try:
            pixels = to_pixels(mask, record.source, (record.width, record.height))
        except InputError:  # which is an issue of the box
            continue
        share = Image.fromarray(pixels * np.uint8(255 * _MASK_SHARE)).resize(small.size)
        small.paste(ImageColor.getrgb(colours.get(name, FAULT)), mask=share)


def boxes_of(preview: Preview, scale: float, colours: Mapping[str, str]) -> list[DrawnBox]:
    """Returns a preview's boxes with their labeled keypoints in the pixels of its thumbnail, those that
    have an issue in FAULT, those that count for nothing without a name."""
    record = preview.record
    faulty = {issue.box for issue in preview.issues}
    boxes = (record.boxes_xyxy * scale).tolist()
    return [
        DrawnBox(
            box,
            FAULT if index in faulty else colours.get(name, FAULT),
            name + note_of(record, index) if weight_of(record, index) else "",
            points=points_of(record, index, scale),
        )
        for index, (name, box) in enumerate(zip(record.names, boxes, strict=True))
    ]


def note_of(record: ImageRecord, box: int) -> str:
    """Returns what is to be said behind a box's name: what it is besides, and how much it counts."""
    flags = (("crowd", record.crowd), ("difficult", record.difficult), ("group", record.group_of))
    words = [word for word, flag in flags if flag[box]]
    weight = weight_of(record, box)
    return (f" ({', '.join(words)})" if words else "") + ("" if weight == 1 else f" \u00d7{weight:.3g}")


def weight_of(record: ImageRecord, box: int) -> float:
    return float(record.weights[box]) if record.weights else 1.0


def points_of(record: ImageRecord, box: int, scale: float) -> list[tuple[float, float]]:
    """Returns x y of the labeled keypoints of a box in the pixels of its thumbnail."""
    if record.keypoints is None:
        return []
    labeled = [
        (x * scale, y * scale) for x, y, visibility in record.keypoints[box].tolist() if visibility > 0
    ]
    return [point for point in labeled if all(map(math.isfinite, point))]

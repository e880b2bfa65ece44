"""What pages and sheets show: a record with its image and issues, small enough to draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.drawing.boxes import DrawnBox
from tfrec_tools.drawing.palette import FAULT, palette
from tfrec_tools.errors import InputError
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import EncodedImage, decoded


@dataclass(frozen=True, slots=True)
class Preview:
    """A record to draw with the image that its boxes lie on, None where that cannot be read."""

    record: ImageRecord
    image: EncodedImage | None
    issues: tuple[Issue, ...] = ()


def show(record: ImageRecord, place: ByteRange, issues: Sequence[Issue] = ()) -> Preview:
    """Returns a record with its image as a conversion would store it."""
    try:
        fitted = fit(record, place)
    except InputError:
        return Preview(record, None, tuple(issues))
    if fitted.pair is None:
        return Preview(record, None, tuple(issues))
    return Preview(*fitted.pair, tuple(issues))


def thumbnail(image: EncodedImage, side_px: int) -> Image.Image | None:
    """Returns the image in RGB, its longer side at most side_px; None where it cannot be decoded."""
    try:
        small = decoded(image, side_px)
        small.thumbnail((side_px, side_px))
    except Exception:  # Pillow raises many kinds; a page without one of its images is still a page
        return None
    return small


def colours_of(shown: Iterable[Preview]) -> dict[str, str]:
    """Returns {class name: its colour} of the classes that are to be seen."""
    return palette(sorted({name for preview in shown for name in preview.record.names}))


def boxes_of(preview: Preview, scale: float, colours: Mapping[str, str]) -> list[DrawnBox]:
    """Returns a preview's boxes with their labeled keypoints in the pixels of its thumbnail, those that
    have an issue in FAULT."""
    faulty = {issue.box for issue in preview.issues}
    boxes = (preview.record.boxes_xyxy * scale).tolist()
    return [
        DrawnBox(
            box,
            FAULT if index in faulty else colours[name],
            name,
            points=_points(preview.record, index, scale),
        )
        for index, (name, box) in enumerate(zip(preview.record.names, boxes, strict=True))
    ]


def _points(record: ImageRecord, box: int, scale: float) -> list[tuple[float, float]]:
    """Returns x y of the labeled keypoints of a box in the pixels of its thumbnail."""
    if record.keypoints is None:
        return []
    labeled = [
        (x * scale, y * scale) for x, y, visibility in record.keypoints[box].tolist() if visibility > 0
    ]
    return [point for point in labeled if all(map(math.isfinite, point))]

"""A record and its image brought together: the image as it will be stored, boxes in its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord, scaled
from tfrec_tools.errors import InputError
from tfrec_tools.images import loading
from tfrec_tools.images.loading import DEFAULT, Canvas, EncodedImage, ImageOptions, Loaded


@dataclass(frozen=True, slots=True)
class Fitted:
    """A record whose boxes are pixels of the image; None for both where the image file is damaged. Masks
    that are none are all 0 in it; damaged_masks says of which boxes, and why."""

    pair: tuple[ImageRecord, EncodedImage] | None
    issues: tuple[Issue, ...]
    damaged_masks: Mapping[int, str] = field(default_factory=dict)


def fit(record: ImageRecord, place: ByteRange, rules: ImageOptions = DEFAULT) -> Fitted:
    """Reads a record's image. Raises InputError where the file cannot be read at all."""
    loaded = loading.load(place, _canvas(record), rules)
    issues = tuple(
        issue for issue in loaded.issues if not (record.relative and issue.code == "size-mismatch")
    )
    if loaded.image is None:
        return Fitted(None, issues)
    fitted = _in_pixels(record, loaded, loaded.image)
    damaged: dict[int, str] = {}
    if record.masks:
        drawn = tuple(_drawn(record, loaded, loaded.image, damaged))
        fitted = replace(fitted, masks=drawn)
    return Fitted((fitted, loaded.image), issues, damaged)


def _canvas(record: ImageRecord) -> Canvas:
    if record.width or record.relative or not record.names:
        reach_xy = (0.0, 0.0)
    else:
        x, y = record.boxes_xyxy.reshape(-1, 2).max(axis=0).tolist()
        reach_xy = (x, y)
    return Canvas(record.source, (record.width, record.height), reach_xy, record.upright, record.of_any_size)


def _drawn(
    record: ImageRecord, loaded: Loaded, image: EncodedImage, damaged: dict[int, str]
) -> Iterator[bytes]:
    """Yields the masks as PNG of the image's size; why those that are none are so goes to `damaged`."""
    from tfrec_tools.images import masks  # which loads Pillow

    size_wh = (image.width, image.height)
    given_wh = (round(size_wh[0] / loaded.scale_xy[0]), round(size_wh[1] / loaded.scale_xy[1]))
    for i, mask in enumerate(record.masks):
        try:
            yield masks.to_png(mask, record.source, given_wh, size_wh, record.relative)
        except InputError as fault:
            damaged[i] = fault.reason
            yield masks.to_png(b"", record.source, given_wh, size_wh)


def _in_pixels(record: ImageRecord, loaded: Loaded, image: EncodedImage) -> ImageRecord:
    """Returns the record with boxes, areas and keypoints in pixels of the image."""
    size_wh = (image.width, image.height)
    scale_xy = size_wh if record.relative else loaded.scale_xy
    in_pixels = record if scale_xy == (1.0, 1.0) else scaled(record, scale_xy)
    is_size = (in_pixels.width, in_pixels.height) == size_wh
    if is_size and not (in_pixels.relative or in_pixels.of_any_size):
        return in_pixels
    return replace(in_pixels, width=image.width, height=image.height, relative=False, of_any_size=False)

"""Masks of objects: COCO's polygons and run lengths, or PNG, as 8-bit PNG of an image's size: 1 is the
object, 0 the rest (TFOD's `image/object/mask`)."""

from __future__ import annotations

import json
import warnings
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tfrec_tools.annotations.polygons import polygons_of
from tfrec_tools.annotations.run_lengths import unpacked
from tfrec_tools.errors import InputError
from tfrec_tools.images import clipping
from tfrec_tools.images.limits import MAX_PIXELS
from tfrec_tools.images.opening import open_image

_PNG_MAGIC = b"\x89PNG"
_MAX_PIXELS = 2**30  # beyond four times as many pycocotools' own numbers overflow
_MOST_STEPS = 4_000_000  # pixels along the edges of a mask, for which pycocotools takes 0.3 GB


def to_png(
    mask: bytes, source: str, given_wh: tuple[int, int], size_wh: tuple[int, int], relative: bool = False
) -> bytes:
    """Returns a mask, PNG or COCO's segmentation in JSON, as PNG of size_wh.

    given_wh is the size of the image that it was drawn for, which decides the scale of polygons; where
    relative is true their coordinates are fractions of the image. An empty mask comes out all 0. Raises
    InputError, naming `source`, where it is none.
    """
    try:
        if size_wh[0] * size_wh[1] >= _MAX_PIXELS:
            raise ValueError(f"its image has {size_wh[0]} x {size_wh[1]} pixels")
        if mask.startswith(_PNG_MAGIC):
            image = open_image(mask, source, max(MAX_PIXELS, size_wh[0] * size_wh[1]))
            return mask if image.size == size_wh else _encode(_resized(image, size_wh))
        segmentation = json.loads(mask or b"[]")
        if isinstance(segmentation, dict):
            return _encode(_resized(Image.fromarray(_decoded(segmentation, given_wh)), size_wh))
        scale_xy = size_wh if relative else (size_wh[0] / given_wh[0], size_wh[1] / given_wh[1])
        return _encode(Image.fromarray(_filled(polygons_of(segmentation), scale_xy, size_wh)))
    except Exception as fault:  # pycocotools and Pillow raise many kinds on damaged masks
        raise InputError(
            source, f"is no mask ({' '.join(str(fault).split())})", where="segmentation"
        ) from fault


def to_rle(mask: bytes, source: str, size_wh: tuple[int, int]) -> dict[str, Any] | None:
    """Returns a mask, a PNG of an image of size_wh, as COCO's packed run lengths; None where it is all 0.
    Raises InputError, naming `source`, where it is none."""
    from pycocotools import mask as coco_mask

    pixels = to_pixels(mask, source, size_wh)
    if not pixels.any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own use of NumPy
        packed = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    return {"size": [size_wh[1], size_wh[0]], "counts": packed["counts"].decode()}


def to_pixels(mask: bytes, source: str, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """Returns a mask, a PNG of an image of size_wh, as (height, width). Raises InputError, naming `source`,
    where it is none."""
    image = open_image(
        to_png(mask, source, size_wh, size_wh), source, max(MAX_PIXELS, size_wh[0] * size_wh[1])
    )
    try:
        return np.asarray(image.convert("L")) > 0
    except Exception as fault:  # Pillow raises many kinds on damaged images
        reason = f"is no mask ({' '.join(str(fault).split())})"
        raise InputError(source, reason, where="segmentation") from fault


def box_around(png: bytes) -> tuple[int, int, int, int] | None:
    """Returns the box [xmin ymin xmax ymax] around the pixels that a PNG marks, None where it marks none:
    those that are not transparent, or, where it has no transparency, not black. Raises ValueError where it
    is none, or has too many pixels."""
    if not png.startswith(_PNG_MAGIC):
        raise ValueError("it is no PNG")
    try:
        image = open_image(png, "it", None)
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"it has {image.width} x {image.height} pixels")
        if image.mode == "P" and image.info.get("transparency") != 0:  # else that is what getbbox leaves out
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        if image.mode in ("RGBA", "LA"):
            image = image.getchannel("A")
        return image.getbbox()
    except Exception as fault:  # Pillow raises many kinds on damaged images
        raise ValueError(" ".join(str(fault).split())) from fault


def _filled(
    polygons: list[list[float]], scale_xy: tuple[float, float], size_wh: tuple[int, int]
) -> NDArray[np.uint8]:
    """Returns (height, width) 0 or 1. Polygons are lists of x, y, x, y, ..."""
    from pycocotools import mask as coco_mask

    width, height = size_wh
    scaled = [
        (np.array(polygon, np.float64).reshape(-1, 2) * scale_xy).ravel().tolist() for polygon in polygons
    ]
    if not np.isfinite([value for polygon in scaled for value in polygon]).all():
        raise ValueError("a coordinate is not finite")
    scaled = [near for polygon in scaled if (near := clipping.near(polygon, size_wh))]
    if not scaled:
        return np.zeros((height, width), np.uint8)
    _require_drawable(scaled)
    return _pixels(coco_mask.merge(coco_mask.frPyObjects(scaled, height, width)))


def _require_drawable(polygons: list[list[float]]) -> None:
    """Raises ValueError where pycocotools would need too much memory: it notes every step along the edges."""
    steps = 0.0
    for polygon in polygons:
        corners = np.array(polygon, np.float64).reshape(-1, 2)  # (N, 2) x y
        edges = np.abs(corners - np.roll(corners, 1, 0))
        steps += float(edges.max(axis=1).sum())
    if steps > _MOST_STEPS:
        raise ValueError(f"its edges are {steps:,.0f} pixels long, expected {_MOST_STEPS:,} at most")


def _decoded(run_lengths: dict[str, Any], given_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns (height, width) 0 or 1, from COCO's RLE, plain or packed. All is judged before pycocotools
    sees it, which reads and writes on without a bound."""
    from pycocotools import mask as coco_mask

    size, counts = run_lengths["size"], run_lengths["counts"]
    if size != [given_wh[1], given_wh[0]] or not all(type(side) is int for side in size):
        raise ValueError(f"its size is {size}, expected {given_wh[1]} x {given_wh[0]} of the image")
    height, width = size
    runs = unpacked(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("its counts are no run lengths, expected whole numbers from 0 on or COCO's text")
    if sum(runs) != height * width:
        raise ValueError(f"its runs do not add up to {height} x {width}")
    if isinstance(counts, list):
        run_lengths = coco_mask.frPyObjects(run_lengths, height, width)
    return _pixels(run_lengths)


def _pixels(run_lengths: Any) -> NDArray[np.uint8]:
    from pycocotools import mask as coco_mask

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own use of NumPy
        return np.ascontiguousarray(coco_mask.decode(run_lengths), np.uint8)


def _resized(image: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    return image if image.size == size_wh else image.resize(size_wh, Image.Resampling.NEAREST)


def _encode(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()

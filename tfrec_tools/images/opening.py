"""The one place that lets Pillow open an image: of the formats that are meant, and judged by its header
before a pixel is decoded. Pillow's others start programs (Ghostscript for PostScript) or are never meant."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from tfrec_tools.errors import InputError
from tfrec_tools.images.limits import MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image  # which a set of plain JPEG and PNG never needs

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
_PREFIX_BYTES = 16  # bytes by which Pillow's plugins know their format


class HugeImageError(InputError):
    """An image of more pixels than are allowed."""


def open_image(data: bytes, path: Path | str, max_pixels: int | None = MAX_PIXELS) -> Image.Image:
    """Returns an image whose pixels are not decoded yet; its plugin is called without Image.open, whose own
    ceiling is the process's and warns. Raises HugeImageError, or InputError where it is of no format that is
    read; what Pillow raises on a damaged header goes through."""
    from PIL import Image

    name = format_of(data, path)
    if name == "WEBP" and (size_wh := _webp_size(data)):  # its decoder takes the memory when it is opened
        require_within(size_wh, path, max_pixels)
    image: Image.Image = Image.OPEN[name][0](BytesIO(data), "")
    require_within(image.size, path, max_pixels)
    return image


def load(image: Image.Image) -> None:
    """Decodes an image's pixels. What libtiff writes about a damaged one, past Python, does not reach
    stderr."""
    if image.format != "TIFF":
        image.load()
        return
    with _without_stderr():
        image.load()


@contextmanager
def _without_stderr() -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def format_of(data: bytes, path: Path | str) -> str:
    """Returns the one of FORMATS that bytes begin as. Raises InputError where they are none."""
    if not data:
        raise InputError(path, "is no image; it is empty")
    from PIL import Image

    Image.preinit()
    if not all(name in Image.OPEN for name in FORMATS):
        Image.init()
    for name in FORMATS:
        _, accept = Image.OPEN.get(name, (None, _never))
        if accept is None or accept(data[:_PREFIX_BYTES]) is True:
            return name
    raise InputError(
        path, f"is no image that can be read ({', '.join(FORMATS)}); it starts with {data[:8]!r}"
    )


def _never(_: bytes) -> bool:
    """Pillow's answer for a format that it was built without."""
    return False


def require_within(size_wh: tuple[int, int], path: Path | str, max_pixels: int | None) -> None:
    """Raises HugeImageError where an image has more pixels than max_pixels; None allows any number."""
    width, height = size_wh
    if max_pixels is not None and width * height > max_pixels:
        raise HugeImageError(
            path,
            f"its {width} x {height} are {width * height:,} pixels, expected {max_pixels:,} at most; make it "
            "smaller, or raise --max-pixels",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what Pillow warns of, and logs, from stderr: what matters is an issue."""
    import logging  # which a set of plain JPEG and PNG never needs

    log = logging.getLogger("PIL")
    if not log.handlers:  # for which Python would write it there
        log.addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Returns the size of the canvas in a WebP's first chunk; None where it is cut off."""
    kind, content = data[12:16], data[20:30]
    if len(content) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", content, 6)
    return width & 0x3FFF, height & 0x3FFF

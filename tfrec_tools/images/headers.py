"""What an image file is, from its first bytes, and whether it has its last ones."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfrec_tools.errors import InputError, counted
from tfrec_tools.images.limits import MAX_PIXELS
from tfrec_tools.images.opening import format_of, load, open_image, quiet, require_within

if TYPE_CHECKING:
    from PIL import Image  # which a set of plain JPEG and PNG never needs

_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright, 5 to 8 swap width and height
_JPEG_END = b"\xff\xd9"  # EOI; inside the coded pixels 0xff is never followed by 0xd9
_PNG_END = b"IEND\xaeB`\x82"

HEAD_BYTES = 1 << 16  # of a large file, by which it is judged
_MOST_BYTES = (1 << 31) - 1  # of a protobuf message, which a record is
_MOST_BYTES_A_PIXEL = 16  # twice those of 16 bits a sample that no coder could shrink
_MOST_APPENDED_BYTES = 1 << 26  # such as the film of a phone's photo


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's first bytes say. `obstacle` is what keeps TensorFlow from decoding the file as it is;
    empty where nothing does. `pixels_at` is a byte between the header and the end of the first image."""

    format: str
    width: int
    height: int
    orientation: int = 1
    obstacle: str = ""
    pixels_at: int = 0


def read_header(data: bytes, path: Path, max_pixels: int | None = MAX_PIXELS) -> Header:
    """Returns what an image file is; raises InputError, naming `path`, where it is none or is cut off, and
    HugeImageError, before anything is decoded, where it has more than max_pixels."""
    header = _known_header(data, path)
    if header is None:
        return _decoded_header(data, path, max_pixels)
    require_within((header.width, header.height), path, max_pixels)
    return header


def require_plausible(head: bytes, size: int, path: Path, max_pixels: int | None) -> None:
    """Judges a large file of so many bytes by its first ones, so that it need not be read whole. Raises
    InputError where it cannot be an image, or HugeImageError."""
    if size > _MOST_BYTES:
        raise InputError(path, f"has {size:,} bytes, expected {_MOST_BYTES:,} at most, as a record holds")
    if format_of(head, path) not in ("JPEG", "PNG"):
        return
    try:
        header = _jpeg_header(head) if head.startswith(_JPEG_MAGIC) else _png_header(head)
    except (struct.error, IndexError):  # it goes on behind the head
        return
    except ValueError as fault:
        raise InputError(path, f"damaged image: {fault}") from fault
    require_within((header.width, header.height), path, max_pixels)
    most = header.width * header.height * _MOST_BYTES_A_PIXEL + _MOST_APPENDED_BYTES
    if size > most:
        wanted = f"expected {most:,} at most of {header.width} x {header.height} pixels"
        raise InputError(path, f"damaged image: it has {size:,} bytes, {wanted}")


def _known_header(data: bytes, path: Path) -> Header | None:
    """Returns that of a JPEG or PNG."""
    try:
        if data.startswith(_JPEG_MAGIC):
            return _jpeg_header(data)
        if data.startswith(_PNG_MAGIC):
            return _png_header(data)
    except (struct.error, IndexError) as fault:
        raise InputError(
            path, f"the image ends inside its header, after {counted(len(data), 'byte')}"
        ) from fault
    except ValueError as fault:
        raise InputError(path, f"damaged image: {fault}") from fault
    return None


def _decoded_header(data: bytes, path: Path, max_pixels: int | None) -> Header:
    """Returns that of another format."""
    image = decode(data, path, max_pixels)
    kind = image.format or "unknown"
    with _faults(path), quiet():  # a later frame may be damaged where the first is not
        frames = getattr(image, "n_frames", 1)
        orientation = _orientation_of(image.getexif())
    obstacle = f"its format is {kind}" + (
        f", of whose {frames} frames the first is taken" if frames > 1 else ""
    )
    return Header(kind.lower(), *image.size, orientation, obstacle)


def require_end(data: bytes, header: Header, path: Path) -> None:
    """Raises InputError where a JPEG or PNG lacks its end marker, as one does whose download or copy broke
    off. What programs append behind the marker is no fault."""
    end = {"jpeg": _JPEG_END, "png": _PNG_END}.get(header.format)
    if end is not None and data.rfind(end, header.pixels_at) < 0:
        raise InputError(path, f"the image is cut off: its {len(data)} bytes have no end marker")


def _jpeg_header(data: bytes) -> Header:
    """Reads the frame header (ISO/IEC 10918-1, B.2.2). Raises IndexError or struct.error where it is cut
    off."""
    orientation = 1
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and data.startswith(b"Exif\0\0", start):
            orientation = _parse_exif(data[start:end])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame; not DHT, JPG, DAC
            bits, height, width, components = struct.unpack_from(">BHHB", data, start)
            if not width or not height:
                raise ValueError(f"its size is {width} x {height}")
            obstacle = _jpeg_obstacle(marker, bits, components)
            return Header("jpeg", width, height, orientation, obstacle, end)
    raise ValueError("it has no frame header")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields (marker, start, end) of each segment's content before the scan."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError(f"byte {at} is {data[at]:#04x}, expected a JPEG marker (0xff)")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in (0xD9, 0xDA):
            return
        else:
            length = struct.unpack_from(">H", data, at + 2)[0]
            yield marker, at + 4, at + 2 + length
            at += 2 + length


def _jpeg_obstacle(marker: int, bits: int, components: int) -> str:
    if marker not in (0xC0, 0xC1, 0xC2):
        return "its JPEG process is neither baseline nor progressive"
    if bits != 8:
        return f"it has {bits} bits a sample"
    return "" if components in (1, 3) else f"it has {components} components (CMYK)"


def _png_header(data: bytes) -> Header:
    """Reads IHDR (ISO/IEC 15948, 11.2.2). TensorFlow decodes every colour type and depth."""
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise ValueError("a PNG without IHDR or without size")
    return Header("png", width, height, _png_orientation(data), pixels_at=33)


def _png_orientation(data: bytes) -> int:
    """Reads the orientation from a chunk eXIf before the pixels."""
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"eXIf":
            return _parse_exif(data[at + 8 : at + 8 + length])
        if kind == b"IDAT":
            break
        at += 12 + length
    return 1


def _parse_exif(block: bytes) -> int:
    """Returns the orientation of an EXIF block; a damaged block says nothing, as for every viewer."""
    from PIL import Image

    exif = Image.Exif()
    try:
        with quiet():
            exif.load(block)
            return _orientation_of(exif)
    except Exception:  # Pillow raises many kinds
        return 1


def _orientation_of(exif: Image.Exif) -> int:
    orientation = exif.get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def decode(data: bytes, path: Path, max_pixels: int | None = MAX_PIXELS) -> Image.Image:
    """Pillow's image, its first where there are several. Loaded at once, since TIFF turns only then. Raises
    InputError, naming `path`, where it is none or is damaged; HugeImageError as `read_header` does."""
    with _faults(path), quiet():
        image = open_image(data, path, max_pixels)
        load(image)
    return image


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as fault:  # Pillow's decoders let many kinds through on damaged files
        reason = " ".join(str(fault).split()) or type(fault).__name__
        raise InputError(path, f"damaged image: {reason}") from fault

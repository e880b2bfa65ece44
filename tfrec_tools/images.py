"""Image files: found by name, known by their header, passed on byte for byte or transcoded."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from PIL import Image, ImageOps, UnidentifiedImageError

from tfrec_tools.errors import InputError
from tfrec_tools.issues import Issue

_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright, 5 to 8 swap width and height
_LOSSY = frozenset({"JPEG", "MPO", "JPEG2000", "AVIF", "WEBP"})
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture that TensorFlow decodes; width and height are those of the stored pixels."""

    data: bytes
    format: str  # "jpeg" or "png": what the bytes are, whatever the file's name says
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file's first bytes say. `obstacle` is what keeps TensorFlow from decoding the file as it is;
    empty where nothing does."""

    format: str
    width: int
    height: int
    orientation: int = 1
    obstacle: str = ""


def locate(folder: Path, wanted: Sequence[tuple[str, str]]) -> list[Path]:
    """The files of the images `wanted`, each a pair (file name, where it is asked for): in `folder` as
    named, else anywhere below it by base name in any case. InputError where one is missing or ambiguous.
    """
    if not folder.is_dir():
        raise InputError(folder, "", "is no folder; expected the folder of the images")
    direct = [folder / _relative(filename) for filename, _ in wanted]
    if all(path.is_file() for path in direct):
        return direct
    index = _by_base_name(folder)
    found = [
        path if path.is_file() else _search(folder, index, filename, source)
        for path, (filename, source) in zip(direct, wanted, strict=True)
    ]
    missing = [pair for pair, path in zip(wanted, found, strict=True) if path is None]
    if missing:
        filename, source = missing[0]
        count = f" (and {len(missing) - 1} more of {len(wanted)})" if len(missing) > 1 else ""
        raise InputError(source, "", f"image {filename!r}{count} is nowhere in {folder}; is --images right?")
    return [path for path in found if path is not None]


def load(path: Path, annotated_wh: tuple[int, int], source: str) -> tuple[Picture, tuple[Issue, ...]]:
    """The picture to store for a file, and what had to be done to it or is odd about it.

    annotated_wh is the size that the annotation states, (0, 0) where it states none. TensorFlow's decoder
    ignores EXIF orientation, and so do we unless the annotation fits only the turned picture. InputError
    where the file is no picture.
    """
    data = path.read_bytes()
    header = read_header(data, path)
    turn = _fits_only_turned(header, annotated_wh)
    issues = [*_orientation_issue(header, turn, path, source), *_obstacle_issue(header, path, source)]
    if turn or header.obstacle:
        picture = _transcode(data, path, turn)
    else:
        picture = Picture(data, header.format, header.width, header.height)
    issues += _size_issue(picture, annotated_wh, path, source)
    return picture, tuple(issues)


def read_header(data: bytes, path: Path) -> Header:
    """What an image file is; InputError, naming `path`, where it is none or is cut off."""
    try:
        if data.startswith(_JPEG_MAGIC):
            return _jpeg_header(data)
        if data.startswith(_PNG_MAGIC):
            return _png_header(data)
    except (struct.error, IndexError) as fault:
        raise InputError(path, "", f"the image ends inside its header, after {len(data)} bytes") from fault
    except ValueError as fault:
        raise InputError(path, "", f"damaged image: {fault}") from fault
    image = _decode(data, path)
    kind = image.format or "unknown"
    return Header(kind.lower(), *image.size, _orientation_of(image.getexif()), f"its format is {kind}")


def _relative(filename: str) -> PurePosixPath:
    """A file name of any system as a path below a folder."""
    return PurePosixPath(filename.replace("\\", "/").lstrip("/"))


def _by_base_name(folder: Path) -> dict[str, list[Path]]:
    index: dict[str, list[Path]] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            index.setdefault(name.lower(), []).append(Path(parent, name))
    return index


def _search(folder: Path, index: Mapping[str, list[Path]], filename: str, source: str) -> Path | None:
    """The one file of that base name; of several, the one whose folders or whose case agree as well."""
    relative = _relative(filename)
    candidates = index.get(relative.name.lower(), [])
    ending = f"/{relative}".lower()
    for closer in (
        [path for path in candidates if path.as_posix().lower().endswith(ending)],
        [path for path in candidates if path.name == relative.name],
    ):
        if len(candidates) > 1 and closer:
            candidates = closer
    if len(candidates) > 1:
        listed = ", ".join(sorted(str(path.relative_to(folder)) for path in candidates)[:3])
        reason = f"image {filename!r} could be any of {len(candidates)} files in {folder}: {listed}"
        raise InputError(source, "", reason)
    return candidates[0] if candidates else None


def _jpeg_header(data: bytes) -> Header:
    """From the frame header (ISO/IEC 10918-1, B.2.2). IndexError or struct.error where it is cut off."""
    orientation = 1
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and data.startswith(b"Exif\0\0", start):
            orientation = _parse_exif(data[start:end])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame; not DHT, JPG, DAC
            bits, height, width, components = struct.unpack_from(">BHHB", data, start)
            if not width or not height:
                raise ValueError(f"its size is {width} x {height}")
            obstacle = _jpeg_obstacle(marker, bits, components)
            return Header("jpeg", width, height, orientation, obstacle)
    raise ValueError("it has no frame header")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment's content before the scan."""
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
    """From IHDR (ISO/IEC 15948, 11.2.2). TensorFlow decodes every colour type and depth."""
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise ValueError("a PNG without IHDR or without size")
    return Header("png", width, height, _png_orientation(data))


def _png_orientation(data: bytes) -> int:
    """From a chunk eXIf that stands before the pixels."""
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
    """The orientation of an EXIF block; a damaged block says nothing, as for every viewer."""
    exif = Image.Exif()
    try:
        exif.load(block)
        return _orientation_of(exif)
    except (SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return 1


def _orientation_of(exif: Image.Exif) -> int:
    orientation = exif.get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _fits_only_turned(header: Header, annotated_wh: tuple[int, int]) -> bool:
    stored_wh = (header.width, header.height)
    swaps = header.orientation >= 5
    return swaps and annotated_wh != stored_wh and annotated_wh == stored_wh[::-1]


def _orientation_issue(header: Header, turn: bool, path: Path, source: str) -> list[Issue]:
    if header.orientation == 1:
        return []
    what = "the pixels were turned as" if turn else "left out of account:"
    message = f"{path.name}: {what} its EXIF orientation {header.orientation}"
    if turn:
        return [Issue("exif-turned", source, None, f"{message} and its annotation say", True)]
    return [Issue("exif-kept", source, None, message, False)]


def _obstacle_issue(header: Header, path: Path, source: str) -> list[Issue]:
    if not header.obstacle:
        return []
    return [Issue("image-transcoded", source, None, f"{path.name}: {header.obstacle}", True)]


def _size_issue(picture: Picture, annotated_wh: tuple[int, int], path: Path, source: str) -> list[Issue]:
    stored_wh = (picture.width, picture.height)
    if annotated_wh in ((0, 0), stored_wh):
        return []
    said, found = ("{} x {}".format(*size) for size in (annotated_wh, stored_wh))
    hint = (
        "; the same shape: was it resized after annotation?" if _same_shape(annotated_wh, stored_wh) else ""
    )
    message = f"annotated as {said}, but {path.name} is {found}{hint}"
    return [Issue("size-mismatch", source, None, message, False)]


def _same_shape(a_wh: tuple[int, int], b_wh: tuple[int, int]) -> bool:
    """Whether two sizes have the same ratio of width to height, within 1 %."""
    a, b = a_wh[0] * b_wh[1], b_wh[0] * a_wh[1]
    return a > 0 and abs(a - b) <= 0.01 * a


def _transcode(data: bytes, path: Path, turn: bool) -> Picture:
    """The picture as JPEG where its own format loses, else as PNG; turned upright where asked."""
    image = _decode(data, path)
    lossless_webp = image.format == "WEBP" and data[12:16] == b"VP8L"
    lossy = image.format in _LOSSY and not lossless_webp
    if turn:
        image = ImageOps.exif_transpose(image)
    out = BytesIO()
    if lossy:
        stored = image if image.mode in ("L", "RGB") else image.convert("RGB")
        stored.save(out, "JPEG", quality=_JPEG_QUALITY)
    else:
        stored = image if image.mode in _PNG_MODES else image.convert("RGB")
        stored.save(out, "PNG")
    return Picture(out.getvalue(), "jpeg" if lossy else "png", *stored.size)


def _decode(data: bytes, path: Path) -> Image.Image:
    """Pillow's picture, its first where there are several. Loaded at once, since TIFF turns only then."""
    try:
        image = Image.open(BytesIO(data))
        image.load()
    except UnidentifiedImageError as fault:
        raise InputError(path, "", f"is no image that can be read; it starts with {data[:8]!r}") from fault
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:
        raise InputError(path, "", f"damaged image: {fault}") from fault
    return image

"""Image files as TensorFlow can decode them: passed on byte for byte, or transcoded by rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.errors import InputError
from tfrec_tools.images import opening
from tfrec_tools.images.headers import HEAD_BYTES, Header, decode, read_header, require_end, require_plausible
from tfrec_tools.images.limits import MAX_PIXELS
from tfrec_tools.images.opening import HugeImageError, format_of, open_image, quiet
from tfrec_tools.system.regular_files import ChangedError, NotRegularError
from tfrec_tools.system.remote_path import RemotePath

if TYPE_CHECKING:
    from PIL import Image  # which a set of plain JPEG and PNG never needs

VERIFY = ("header", "decode", "off")
EXIF = ("auto", "turn", "keep")
_LOSSY = frozenset({"JPEG", "MPO", "JPEG2000", "AVIF", "WEBP"})
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_LARGE_BYTES = 1 << 26
_UNSCALABLE = {"1": "L", "P": "RGB"}  # modes whose values cannot be averaged, and what can
_USUAL_SUFFIXES = {  # of the formats of `opening`
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "TIFF": (".tif", ".tiff"),
    "JPEG2000": (".jp2",),
}
_SUFFIXES = {kind.lower(): frozenset(_USUAL_SUFFIXES[kind]) for kind in ("JPEG", "PNG")}
_OTHER_SUFFIXES = frozenset({".bmp", ".gif", ".tif", ".tiff", ".webp"})
_IMAGE_SUFFIXES = _SUFFIXES["jpeg"] | _SUFFIXES["png"] | _OTHER_SUFFIXES


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How image files are treated.

    rescale        boxes are scaled to the image where the annotation states another size of its shape
    max_side       images are shrunk so that no side is longer; None leaves them as they are
    jpeg_quality   of what is transcoded, 1 to 100
    max_pixels     images of more are not taken; their headers say how many they have
    verify         "header" looks for the end marker too, "decode" decodes every image, "off" does neither
    exif           "turn" turns images as their EXIF orientation says, "keep" none, "auto" those that were
                   annotated so, as far as that is known
    """

    rescale: bool = False
    max_side: int | None = None
    jpeg_quality: int = 95
    verify: str = "header"
    max_pixels: int = MAX_PIXELS
    exif: str = "auto"

    def __post_init__(self) -> None:
        for name, choices in (("verify", VERIFY), ("exif", EXIF)):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(choices)}")


DEFAULT = ImageOptions()


class Canvas(NamedTuple):
    """What an annotation says of the image that it was drawn on.

    source    where it stands
    size_wh   pixels, (0, 0) where it states none
    reach_xy  the furthest corner of its boxes, in pixels; (0, 0) where it has none, or fractions
    upright   whether its tool turns images as their EXIF orientation says before anything is drawn
    of_any_size  whether its boxes are to be scaled from the size to whichever the image has
    """

    source: str
    size_wh: tuple[int, int] = (0, 0)
    reach_xy: tuple[float, float] = (0.0, 0.0)
    upright: bool = False
    of_any_size: bool = False


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image that TensorFlow decodes; width and height are those of the stored pixels."""

    data: bytes
    format: str  # "jpeg" or "png": what the bytes are, whatever the file's name says
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The image to store, None where the file is damaged; the factors that bring annotated pixels to its
    pixels; and what had to be done to it or is odd about it."""

    image: EncodedImage | None
    scale_xy: tuple[float, float]
    issues: tuple[Issue, ...]


def load(place: ByteRange, canvas: Canvas, rules: ImageOptions = DEFAULT) -> Loaded:
    """Returns the encoded image to store for an image file.

    TensorFlow's decoder ignores EXIF orientation, and so do we unless the annotation is of the turned image.
    A damaged file is an issue; raises InputError where it cannot be read at all, and ChangedError where it is
    not what the place's stamp says.
    """
    path = place.path
    try:
        if _is_large(place):
            require_plausible(place.head(HEAD_BYTES), place.size, path, rules.max_pixels)
        data = place.read()
    except ChangedError:
        raise
    except InputError as fault:
        return _not_taken(fault, path, canvas.source)
    except NotRegularError as fault:
        return _not_taken(InputError(path, str(fault.strerror)), path, canvas.source)
    except OSError as fault:
        raise InputError(path, f"cannot be read ({fault.strerror or fault})") from fault
    try:
        return _loaded(data, path, canvas, rules)
    except InputError as fault:
        return _not_taken(fault, path, canvas.source)


def _is_large(place: ByteRange) -> bool:
    """Returns whether a file is so large that its head is looked at first; stores are not asked."""
    return place.length is None and not isinstance(place.path, RemotePath) and place.size > _LARGE_BYTES


def _not_taken(fault: InputError, path: Path, source: str) -> Loaded:
    code = "image-huge" if isinstance(fault, HugeImageError) else "image-damaged"
    issue = Issue(code, source, None, f"{path.name}: {fault.reason}", False)
    return Loaded(None, (1.0, 1.0), (issue,))


def decoded(image: EncodedImage, within_px: int | None = None) -> Image.Image:
    """Returns the image in RGB, 16 bits cut to 8; with `within_px` it may be read as small as its longer side
    comes near that. It may have any number of pixels: whoever stored it has judged that. Raises InputError,
    or OSError, ValueError or SyntaxError, as Pillow does, where it is damaged."""
    from PIL import Image

    with quiet():
        opened = open_image(image.data, f"an image of {image.width} x {image.height}", None)
        if within_px is not None:
            longest = max(*opened.size, 1)
            width, height = (max(1, side * within_px // longest) for side in opened.size)
            opened.draft("RGB", (width, height))
        opening.load(opened)
        if opened.mode.startswith("I"):  # 16 bits
            opened = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
        return opened.convert("RGB")


def is_file_itself(rules: ImageOptions, issues: Iterable[Issue]) -> bool:
    """Returns whether an image that was loaded with these issues has the bytes of its file, for certain."""
    return rules.max_side is None and not any(
        issue.code in ("image-transcoded", "exif-turned") for issue in issues
    )


def has_image_suffix(name: str) -> bool:
    return Path(name).suffix.lower() in _IMAGE_SUFFIXES


def suffixes_of(head: bytes) -> tuple[str, ...]:
    """Returns the suffixes of files that begin so, the usual one first; none where they are no image."""
    try:
        kind = format_of(head, "")
    except InputError:
        return ()
    return _USUAL_SUFFIXES.get(kind, (f".{kind.lower()}",))


def _loaded(data: bytes, path: Path, canvas: Canvas, rules: ImageOptions) -> Loaded:
    source, annotated_wh = canvas.source, canvas.size_wh
    header = read_header(data, path, rules.max_pixels)
    if rules.verify != "off":
        require_end(data, header, path)
    turn = _is_turned(header, canvas, rules.exif)
    upright_wh = _turned_wh(header) if turn else (header.width, header.height)
    stored_wh = _within(upright_wh, rules.max_side)
    if turn or header.obstacle or stored_wh != upright_wh:
        image = _transcode(
            decode(data, path, rules.max_pixels), data, path, turn, stored_wh, rules.jpeg_quality
        )
    else:
        if rules.verify == "decode":
            decode(data, path, rules.max_pixels)
        image = EncodedImage(data, header.format, *stored_wh)
    scales = canvas.of_any_size or (rules.rescale and _same_shape(annotated_wh, upright_wh))
    rescale = scales and annotated_wh != upright_wh
    issues = (
        *_suffix_issue(header, path, source),
        *_orientation_issue(header, turn, path, source),
        *_obstacle_issue(header, path, source),
        *_size_issue(upright_wh, annotated_wh, rescale, path, source),
    )
    given_wh = annotated_wh if rescale else upright_wh
    return Loaded(image, (stored_wh[0] / given_wh[0], stored_wh[1] / given_wh[1]), issues)


def _within(size_wh: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """Returns the size, shrunk in its proportions where a side is longer than max_side."""
    longest = max(size_wh)
    if max_side is None or longest <= max_side:
        return size_wh
    return max(1, round(size_wh[0] * max_side / longest)), max(1, round(size_wh[1] * max_side / longest))


def _is_turned(header: Header, canvas: Canvas, exif: str) -> bool:
    """Returns whether an image is to be turned as its EXIF orientation says. What the annotation's size says,
    or its boxes where it states none, counts more than what its tool is known to do: versions differ."""
    if header.orientation == 1 or exif != "auto":
        return exif == "turn" and header.orientation != 1
    stored_wh, turned_wh = (header.width, header.height), _turned_wh(header)
    if stored_wh == turned_wh:
        return canvas.upright
    if canvas.size_wh in (stored_wh, turned_wh):
        return canvas.size_wh == turned_wh
    if canvas.of_any_size and _same_shape(canvas.size_wh, stored_wh) != _same_shape(
        canvas.size_wh, turned_wh
    ):
        return _same_shape(canvas.size_wh, turned_wh)
    if canvas.size_wh == (0, 0) and _holds(stored_wh, canvas) != _holds(turned_wh, canvas):
        return _holds(turned_wh, canvas)
    return canvas.upright


def _turned_wh(header: Header) -> tuple[int, int]:
    """Returns the size of the image as its EXIF orientation turns it; from 5 on sides are swapped."""
    size_wh = (header.width, header.height)
    return size_wh[::-1] if header.orientation >= 5 else size_wh


def _holds(size_wh: tuple[int, int], canvas: Canvas) -> bool:
    """Returns whether an image of that size holds all boxes."""
    return all(side >= reach for side, reach in zip(size_wh, canvas.reach_xy, strict=True))


def _suffix_issue(header: Header, path: Path, source: str) -> list[Issue]:
    """JPEG and PNG under each other's name or another image's; other names say nothing."""
    suffix = path.suffix.lower()
    if suffix not in _IMAGE_SUFFIXES or suffix in _SUFFIXES.get(header.format, {suffix}):
        return []
    message = f"{path.name} is named {suffix}, but its bytes are {header.format.upper()}"
    return [Issue("image-suffix", source, None, message, True)]


def _orientation_issue(header: Header, turn: bool, path: Path, source: str) -> list[Issue]:
    if header.orientation == 1:
        return []
    if turn:
        message = f"{path.name}: the pixels were turned as its EXIF orientation {header.orientation} says"
        return [Issue("exif-turned", source, None, message, True)]
    message = f"{path.name}: left out of account: its EXIF orientation {header.orientation}"
    hint = "if boxes were drawn on the turned image, then --exif turn"
    return [Issue("exif-kept", source, None, f"{message}; {hint}", False)]


def _obstacle_issue(header: Header, path: Path, source: str) -> list[Issue]:
    if not header.obstacle:
        return []
    return [Issue("image-transcoded", source, None, f"{path.name}: {header.obstacle}", True)]


def _size_issue(
    found_wh: tuple[int, int], annotated_wh: tuple[int, int], rescaled: bool, path: Path, source: str
) -> list[Issue]:
    if annotated_wh in ((0, 0), found_wh):
        return []
    said, actual = ("{} x {}".format(*size) for size in (annotated_wh, found_wh))
    if rescaled:
        hint = "; the boxes were scaled to it"
    elif _same_shape(annotated_wh, found_wh):
        hint = "; the same shape: was it resized after annotation? Then --rescale"
    else:
        hint = ""
    message = f"annotated as {said}, but {path.name} is {actual}{hint}"
    return [Issue("size-mismatch", source, None, message, rescaled)]


def _same_shape(a_wh: tuple[int, int], b_wh: tuple[int, int]) -> bool:
    """Returns whether two sizes have the same ratio of width to height, within 1 %."""
    a, b = a_wh[0] * b_wh[1], b_wh[0] * a_wh[1]
    return a > 0 and abs(a - b) <= 0.01 * a


def _transcode(
    image: Image.Image, data: bytes, path: Path, turn: bool, stored_wh: tuple[int, int], quality: int
) -> EncodedImage:
    """Returns the image as JPEG where its own format loses, else as PNG; turned upright and shrunk where
    asked."""
    lossless_webp = image.format == "WEBP" and data[12:16] == b"VP8L"
    lossy = image.format in _LOSSY and not lossless_webp
    if turn:
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
    image = _in_mode(image, ("L", "RGB") if lossy else _PNG_MODES, path)
    if image.size != stored_wh:
        image = _shrunk(image, stored_wh)
    out = BytesIO()
    if lossy:
        image.save(out, "JPEG", quality=quality)
    else:
        image.save(out, "PNG")
    return EncodedImage(out.getvalue(), "jpeg" if lossy else "png", *stored_wh)


def _in_mode(image: Image.Image, modes: tuple[str, ...] | frozenset[str], path: Path) -> Image.Image:
    """Returns the image in one of the modes; raises InputError where its values cannot be brought to 8 or 16
    bits."""
    if image.mode in modes:
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I;16")
    if image.mode in ("I", "F"):
        low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
        if image.mode == "F" or low < 0 or high > 65535:
            raise InputError(path, "its samples have 32 bits, and nothing says how they become 8 or 16")
        return image.convert("I;16")
    return image.convert("RGB")


def _shrunk(image: Image.Image, size_wh: tuple[int, int]) -> Image.Image:
    from PIL import Image

    if image.mode == "I;16":  # the finer filters overshoot its range
        return image.resize(size_wh, Image.Resampling.BOX)
    if image.mode in _UNSCALABLE:
        image = image.convert(_UNSCALABLE[image.mode])
    return image.resize(size_wh, Image.Resampling.LANCZOS)

"""An image of a page as plain values, and its thumbnail."""

from __future__ import annotations

import base64
import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from tfrec_tools.annotations.boxes import size_classes
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.drawing.previews import Preview, note_of, points_of, thumbnail, weight_of
from tfrec_tools.errors import readable

SIDE_PX, SMALL_SIDE_PX = 640, 320  # longer side of a thumbnail: where there are few of them, and many
LARGE_SIDE_PX = 1280  # of what is enlarged, where that is no copy
MOST_COPIED_BYTES = 300_000  # of an image that is copied to be enlarged
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_QUALITY = 80  # of JPEG
_MESSAGES = 6  # of one image
_EMPTY_SAYS = ("boxes", "labeled")  # that there are none


@dataclass(frozen=True, slots=True)
class Style:
    """How cards are made.

    colours   {class: its colour}
    classes   all classes that an image may have been annotated for
    folder    where thumbnails are written; None where they go into the page
    address   of that folder, as the page will name it
    page      where the page will lie, so that it can name original files; None where it may not
    side_px   the longer side of a thumbnail
    most_bytes   of a thumbnail of SIDE_PX in the page itself, which is of SMALL_SIDE_PX where it has more;
              None where that does not matter
    kinds     of boxes, in the order of their numbers
    """

    colours: Mapping[str, str] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    folder: Path | None = None
    address: str = ""
    page: Path | None = None
    side_px: int = SIDE_PX
    most_bytes: int | None = None
    kinds: Sequence[str] = ()


def card(preview: Preview, style: Style) -> dict[str, Any]:
    """Returns what `gallery.js` draws, with class names where that has their numbers. What says nothing is
    left out."""
    record, image = preview.record, preview.image
    small, larger = _pixels(preview, style)
    scale = small.width / image.width if small and image else None
    named = f"{record.filename}: "
    issues = [(issue.code, issue.message.removeprefix(named)) for issue in preview.issues]
    said: dict[str, Any] = {
        "name": record.filename or record.source,
        "source": record.source,
        "size": [image.width, image.height] if image else None,
        "split": preview.split,
        "boxes": _boxes(preview, scale, style.kinds),
        "issues": issues[:_MESSAGES],
        "more": max(0, len(issues) - _MESSAGES),
        "codes": sorted({code for code, _ in issues}),
        "labeled": _labeled(record, style.classes),
    }
    if small is None:
        said["lack"] = f"this {'image cannot be decoded' if image else 'file cannot be shown'}"
    else:
        said |= {"thumb": list(small.size), "src": _address(_jpeg(small), style), "original": larger}
    return {key: value for key, value in said.items() if value or (value == [] and key in _EMPTY_SAYS)}


def _pixels(preview: Preview, style: Style) -> tuple[Image.Image | None, str]:
    """Returns the thumbnail, and the address of what is enlarged, "" where that is the thumbnail: the file of
    the image, where that lies by itself; else, beside a page, a copy of its bytes where they are few, or a
    smaller image, on which masks are drawn."""
    image, side = preview.image, style.side_px
    own = _relative(preview.file, style.page) if preview.file and style.page else ""
    if style.folder is None or image is None:
        return _embedded(preview, style), "" if preview.record.masks else own
    is_small = max(image.width, image.height) <= side
    if not preview.record.masks and (is_small or preview.file or _is_shown(image.data)):
        small = thumbnail(preview, side, style.colours)
        copied = small is not None and not own and not is_small and _is_shown(image.data)
        return small, _address(image.data, style) if copied else own
    large = thumbnail(preview, LARGE_SIDE_PX, style.colours)
    if large is None or max(large.size) <= side:
        return large, ""
    small = large.copy()
    small.thumbnail((side, side))
    return small, _address(_jpeg(large), style)


def _embedded(preview: Preview, style: Style) -> Image.Image | None:
    """Returns the thumbnail that a page holds itself."""
    large = thumbnail(preview, SIDE_PX, style.colours)
    if large is not None and style.most_bytes is not None and len(_jpeg(large)) > style.most_bytes:
        large.thumbnail((SMALL_SIDE_PX, SMALL_SIDE_PX))
    return large


def _is_shown(data: bytes) -> bool:
    """Returns whether a browser shows these bytes, which are few enough to be copied."""
    return data.startswith((_JPEG, _PNG)) and len(data) <= MOST_COPIED_BYTES


def _jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def _boxes(preview: Preview, scale: float | None, kinds: Sequence[str]) -> list[list[Any]]:
    """Returns the boxes as `gallery.js` says, in pixels of the thumbnail."""
    record, marks = preview.record, preview.marks
    faulty = {issue.box for issue in preview.issues}
    faulty |= {index for index, mark in enumerate(marks) if mark.is_fault}
    of_kind = [kinds.index(mark.kind) for mark in marks] or [0] * len(record.names)
    boxes: list[list[Any]] = []
    for index, (name, size, xyxy) in enumerate(
        zip(record.names, size_classes(record.boxes_xyxy), record.boxes_xyxy.tolist(), strict=True)
    ):
        box: list[Any] = [name, (index in faulty) + 2 * size + 8 * of_kind[index]]
        if scale is not None and all(map(math.isfinite, xyxy)):
            (left, right), (top, bottom) = sorted(xyxy[::2]), sorted(xyxy[1::2])
            box += [_tenths(value * scale) for value in (left, top, right - left, bottom - top)]
            box += _details(record, index, scale, marks[index].note if marks else "")
        boxes.append(box)
    return boxes


def _details(record: ImageRecord, box: int, scale: float, note: str) -> list[Any]:
    """Returns what most boxes do not have, up to the last that this one has."""
    points = [[_tenths(x), _tenths(y)] for x, y in points_of(record, box, scale)]
    details = [note_of(record, box) + note, weight_of(record, box), points]
    usual: list[Any] = ["", 1.0, []]
    while details and details[-1] == usual[len(details) - 1]:
        details.pop()
    return details


def _labeled(record: ImageRecord, classes: frozenset[str]) -> list[str] | None:
    """Returns the classes that an image was annotated for; None where those are all."""
    if record.labeled is None or classes <= record.labeled:
        return None
    return sorted(record.labeled)


def _tenths(value: float) -> float | int:
    tenths = round(float(value), 1)
    return int(tenths) if tenths.is_integer() else tenths


def _address(data: bytes, style: Style) -> str:
    """Returns the address of an image: the page's own, or that of its file, which is called after its bytes
    so that pages that are made again keep what stays the same."""
    if style.folder is None:
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    name = f"{hashlib.sha256(data).hexdigest()[:20]}.{'png' if data.startswith(_PNG) else 'jpg'}"
    (style.folder / name).write_bytes(data)
    return f"{style.address}/{name}"


def _relative(file: Path, page: Path) -> str:
    """Returns the address of a file as a page names it."""
    try:
        path = os.path.relpath(file.absolute(), page.absolute().parent)
    except ValueError:  # on another drive of Windows
        return ""
    return quote(readable(path).replace(os.sep, "/"))


def numbered(cards: Sequence[dict[str, Any]], classes: Sequence[str]) -> tuple[str, ...]:
    """Puts numbers of classes in the place of the names of boxes. Returns the classes: those given, then
    others that came up, by name."""
    there = {box[0] for each in cards for box in each["boxes"]}
    listed = tuple(dict.fromkeys((*classes, *sorted(there - set(classes)))))
    number = {name: place for place, name in enumerate(listed)}
    for each in cards:
        for box in each["boxes"]:
            box[0] = number[box[0]]
    return listed

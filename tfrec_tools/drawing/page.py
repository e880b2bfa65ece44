"""An HTML page of images with their boxes and issues: one file that needs nothing else."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.drawing.boxes import DrawnBox
from tfrec_tools.drawing.palette import FAULT, ink
from tfrec_tools.drawing.previews import Preview, boxes_of, colours_of, show, thumbnail
from tfrec_tools.drawing.templates import filled

EXAMPLES = 12  # images of each code on a page of issues
_THUMB_PX = 320  # the longer side
_MESSAGES = 6  # of one image


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of issues: a code, how many there are, what it means, and the first of them."""

    code: str
    count: int
    meaning: str
    first: str


@dataclass(frozen=True, slots=True)
class _Box:
    """A box, its name and x y of its keypoints in the pixels of a picture; the name ends at text_x where
    `ends`, else it begins."""

    name: str
    colour: str
    ink: str
    is_faulty: bool
    left: float
    top: float
    width: float
    height: float
    text_x: float
    text_y: float
    ends: bool
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A thumbnail as JPEG, and what lies on it."""

    base64: str
    width: int
    height: int
    boxes: tuple[_Box, ...]


@dataclass(frozen=True, slots=True)
class _Card:
    """An image of the page; where there is no picture, `lack` says why."""

    preview: Preview
    picture: _Picture | None

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.preview.record.names))

    @property
    def codes(self) -> list[str]:
        return sorted({issue.code for issue in self.preview.issues})

    @property
    def lack(self) -> str:
        return f"this {'image cannot be decoded' if self.preview.image else 'file cannot be shown'}"

    @property
    def size(self) -> str:
        image = self.preview.image
        return f"{image.width} x {image.height}, " if image else ""

    @property
    def notes(self) -> list[tuple[str, str]]:
        named = f"{self.preview.record.filename}: "
        return [(issue.code, issue.message.removeprefix(named)) for issue in self.preview.issues[:_MESSAGES]]

    @property
    def more(self) -> int:
        return len(self.preview.issues) - _MESSAGES


def issues_page(name: str, images: Iterable[tuple[ImageRecord, ByteRange]], issues: Sequence[Issue]) -> bytes:
    """Returns the issues of a set in a table, and for each code the first images that have it."""
    by_source: dict[str, list[Issue]] = {}
    for issue in issues:
        by_source.setdefault(issue.source, []).append(issue)
    shown = []
    left = Counter(dict.fromkeys(CODES, EXAMPLES))
    for record, place in images:
        of_record = by_source.get(record.source, ())
        if any(left[issue.code] > 0 for issue in of_record):
            left.subtract({issue.code for issue in of_record})
            shown.append(show(record, place, of_record))
    counts = Counter(issue.code for issue in issues)
    lead = f"{len(issues)} issue(s) of {len(counts)} kind(s); the first {EXAMPLES} images of each are below"
    return render(f"Issues of {name}", lead, _rows(issues, counts), shown)


def render(title: str, lead: str, table: Sequence[Row], shown: Sequence[Preview]) -> bytes:
    """Returns the page."""
    colours = colours_of(shown)
    there = {issue.code for preview in shown for issue in preview.issues}
    text = filled(
        "tfrec_tools.drawing",
        "page.html",
        title=title,
        lead=lead,
        table=table,
        classes=sorted(colours),
        codes=[code for code in CODES if code in there],
        cards=(_Card(preview, _picture(preview, colours)) for preview in shown),
    )
    return text.encode(errors="replace")


def _rows(issues: Sequence[Issue], counts: Counter[str]) -> list[Row]:
    first = {issue.code: issue for issue in reversed(issues)}
    return [
        Row(code, counts[code], meaning, f"{first[code].source}: {first[code].message}")
        for code, meaning in CODES.items()
        if code in counts
    ]


def _picture(preview: Preview, colours: Mapping[str, str]) -> _Picture | None:
    small = thumbnail(preview.image, _THUMB_PX) if preview.image else None
    if small is None or preview.image is None:
        return None
    out = BytesIO()
    small.save(out, "JPEG", quality=80)
    boxes = (
        _box(box, small.size)
        for box in boxes_of(preview, small.width / preview.image.width, colours)
        if all(map(math.isfinite, box.xyxy))
    )
    return _Picture(base64.b64encode(out.getvalue()).decode(), *small.size, tuple(boxes))


def _box(box: DrawnBox, size_wh: tuple[int, int]) -> _Box:
    (left, right), (top, bottom) = sorted(box.xyxy[::2]), sorted(box.xyxy[1::2])
    ends = left > 0.75 * size_wh[0]
    text_x = min(right, size_wh[0]) - 3 if ends else max(left, 0) + 3
    text_y = min(max(top, 0) + 12, size_wh[1] - 3)
    return _Box(
        name=box.name,
        colour=box.colour,
        ink=ink(box.colour),
        is_faulty=box.colour == FAULT,
        left=round(left, 1),
        top=round(top, 1),
        width=round(right - left, 1),
        height=round(bottom - top, 1),
        text_x=round(text_x, 1),
        text_y=round(text_y, 1),
        ends=ends,
        points=tuple((round(x, 1), round(y, 1)) for x, y in box.points),
    )

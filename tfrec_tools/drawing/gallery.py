"""An HTML page of images with their boxes and issues."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.drawing.cards import SIDE_PX, SMALL_SIDE_PX, Style, card, numbered
from tfrec_tools.drawing.page_files import published_page
from tfrec_tools.drawing.palette import FAULT, ink, palette
from tfrec_tools.drawing.previews import Chosen, Waiting, show
from tfrec_tools.drawing.templates import embedded_json, filled
from tfrec_tools.errors import counted, inflected
from tfrec_tools.system import workers
from tfrec_tools.system.options import Progress, silent

EXAMPLES = 12  # images of each code on a page of issues
MOST_EMBEDDED = 200  # images of a page that is one file; those of a larger one lie beside it
_FEW = 60  # images
_EMBEDDED_BYTES = 7_500_000  # of the images in a page that are more; base64 makes 10 MB of them
_AT_A_TIME = 16  # images that a worker does
_MOST_BARS = 200
_LEAST_LOG2, _MOST_LOG2 = 3, 10  # bounds of the first and the last bar of sizes, in pixels

Done = Callable[[int], None]  # called with how many images are done more


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of issues: a code, how many there are, what it means, and the first of them."""

    code: str
    count: int
    meaning: str
    first: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart; the usual colour where `colour` is empty."""

    name: str
    count: int
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and how many images and boxes it shows."""

    html: bytes
    images: int
    boxes: int


@dataclass(frozen=True, slots=True)
class Line:
    """A row of numbers; that of a mean or of a sum is set off from the others."""

    cells: Sequence[str]
    is_mean: bool = False


@dataclass(frozen=True, slots=True)
class Numbers:
    """A table to be sorted by any of its columns."""

    headers: Sequence[str]
    rows: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the images; the line under the title counts them where it is empty. With `numbers`
    there are no charts of what the images show."""

    title: str
    lead: str = ""
    table: Sequence[Row] = ()
    numbers: Numbers | None = None


def issues_page(
    name: str,
    images: Iterable[tuple[ImageRecord, ByteRange]],
    issues: Sequence[Issue],
    classes: Sequence[str] = (),
) -> bytes:
    """Returns the issues of a set in a table, and for each code the first images that have it."""
    by_source: dict[str, list[Issue]] = {}
    for issue in issues:
        by_source.setdefault(issue.source, []).append(issue)
    chosen: list[Waiting] = []
    left = Counter(dict.fromkeys(CODES, EXAMPLES))
    for record, place in images:
        of_record = by_source.get(record.source, ())
        if any(left[issue.code] > 0 for issue in of_record):
            left.subtract({issue.code for issue in of_record})
            chosen.append(partial(show, record, place, of_record, is_checked=True))
    counts = Counter(issue.code for issue in issues)
    found = f"{counted(len(issues), 'issue')} of {counted(len(counts), 'kind')}"
    lead = f"{found}; the first {EXAMPLES} images of each are below"
    head = Head(f"Issues of {name}", lead, _rows(issues, counts))
    return render(head, Chosen(chosen, len(chosen), tuple(classes))).html


def render(head: Head, chosen: Chosen, style: Style | None = None, done: Done = lambda _: None) -> Page:
    """Returns the page; of `style` only where its thumbnails go is taken. They are made by processes beside
    this one."""
    count = len(chosen.images)
    style = replace(
        style or Style(),
        colours=palette(chosen.classes),
        classes=frozenset(chosen.classes),
        kinds=chosen.kinds,
        side_px=SIDE_PX if count <= _FEW else SMALL_SIDE_PX,
        most_bytes=None if count <= _FEW else _EMBEDDED_BYTES // count,
    )
    cards = cards_of(chosen.images, style, done)
    classes = numbered(cards, chosen.classes)
    colours = palette(classes)
    boxes = sum(len(each["boxes"]) for each in cards)
    html = filled(
        __package__,
        "gallery.html",
        title=head.title,
        lead=head.lead or extent(len(cards), chosen.total, boxes),
        table=head.table,
        numbers=head.numbers,
        is_number=is_number,
        class_bars=[] if head.numbers else _class_bars(cards, classes, colours),
        size_bars=_size_bars(cards),
        data=embedded_json({**_data(cards, classes, colours), "kinds": chosen.kinds}),
    )
    return Page(html.encode(errors="replace"), len(cards), boxes)


def write(out: Path, head: Head, chosen: Chosen, progress: Progress = silent) -> Page:
    """Writes the page, and beside it the thumbnails where they are many; all of it appears, or nothing."""
    count, finished = len(chosen.images), 0

    def done(more: int) -> None:
        nonlocal finished
        finished += more
        progress("drawing images", finished, count)

    with published_page(out) as parts:
        is_large = count > MOST_EMBEDDED
        style = Style(folder=parts.folder, address=parts.address, page=out) if is_large else Style(page=out)
        page = render(head, chosen, style, done)
        parts.page.write_bytes(page.html)
    return page


def is_number(text: str) -> bool:
    """Returns whether a cell stands to the right; an interval may follow the number."""
    return text.partition(" (")[0].replace(".", "", 1).lstrip("+-").isdigit()


def cards_of(images: Sequence[Waiting], style: Style, done: Done) -> list[dict[str, Any]]:
    """Returns the images as plain values (`cards.card`), in order."""
    parts = [images[start : start + _AT_A_TIME] for start in range(0, len(images), _AT_A_TIME)]

    def cards(part: Sequence[Waiting]) -> list[dict[str, Any]]:
        return [card(waiting(), style) for waiting in part]

    made = workers.each(cards, parts, workers.cores(), lambda number: done(len(parts[number])))
    return [each for part in made for each in part]


def extent(images: int, total: int | None, boxes: int) -> str:
    """Returns "48 of 364 images, 120 boxes"."""
    of_total = f" of {total:,}" if total and total > images else ""
    noun = inflected(max(images, total or 0), "image")
    return f"{images:,}{of_total} {noun}, {boxes:,} {inflected(boxes, 'box')}"


def _data(
    cards: list[dict[str, Any]], classes: Sequence[str], colours: Mapping[str, str]
) -> dict[str, object]:
    there = {code for each in cards for code in each.get("codes", ())}
    return {
        "fault": FAULT,
        "classes": [(name, colours[name], ink(colours[name])) for name in classes],
        "codes": [code for code in CODES if code in there],
        "splits": sorted({each["split"] for each in cards if "split" in each}),
        "cards": cards,
    }


def _class_bars(cards: list[dict[str, Any]], classes: Sequence[str], colours: Mapping[str, str]) -> list[Bar]:
    """Returns the most frequent classes; the others as one."""
    counts = Counter(classes[box[0]] for each in cards for box in each["boxes"])
    ranked = sorted(counts.items(), key=lambda item: (-item[1], classes.index(item[0])))
    bars = [Bar(name, count, colours[name]) for name, count in ranked[:_MOST_BARS]]
    if rest := ranked[_MOST_BARS:]:
        bars.append(Bar(f"{len(rest)} others", sum(count for _, count in rest)))
    return bars


def _size_bars(cards: list[dict[str, Any]]) -> list[Bar]:
    """Returns how many boxes have a root of their area between two powers of 2 pixels."""
    counts: Counter[int] = Counter()
    for each in cards:
        if "thumb" not in each:
            continue
        scale = each["size"][0] / each["thumb"][0]
        for box in each["boxes"]:
            if len(box) > 2 and (side := scale * math.sqrt(box[4] * box[5])) > 0:
                counts[min(max(math.floor(math.log2(side)) + 1, _LEAST_LOG2), _MOST_LOG2 + 1)] += 1
    shown = range(min(counts, default=0), max(counts, default=-1) + 1)
    return [Bar(_size_name(power), counts[power]) for power in shown]


def _size_name(power: int) -> str:
    if power == _LEAST_LOG2:
        return f"below {2**power}"
    return f"from {2**_MOST_LOG2}" if power > _MOST_LOG2 else f"{2 ** (power - 1)} to {2**power}"


def _rows(issues: Sequence[Issue], counts: Counter[str]) -> list[Row]:
    first = {issue.code: issue for issue in reversed(issues)}
    return [
        Row(code, counts[code], meaning, f"{first[code].source}: {first[code].message}")
        for code, meaning in CODES.items()
        if code in counts
    ]

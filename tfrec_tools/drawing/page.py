"""An HTML page of pictures with their boxes and issues: one file that needs nothing else."""

from __future__ import annotations

import base64
import colorsys
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from io import BytesIO

import numpy as np
from PIL import Image

from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.annotations.records import ImageRecord, Place
from tfrec_tools.errors import InputError
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import Picture

EXAMPLES = 12  # pictures of each code on a page of issues
_THUMB_PX = 320  # the longer side
_MESSAGES = 6  # of one picture


@dataclass(frozen=True, slots=True)
class Shown:
    """A record to draw with the picture that its boxes lie on, None where that cannot be read."""

    record: ImageRecord
    picture: Picture | None
    issues: tuple[Issue, ...] = ()


def show(record: ImageRecord, place: Place, issues: Sequence[Issue] = ()) -> Shown:
    """A record with its picture as a conversion would store it."""
    try:
        fitted = fit(record, place)
    except InputError:
        return Shown(record, None, tuple(issues))
    if fitted.pair is None:
        return Shown(record, None, tuple(issues))
    return Shown(*fitted.pair, tuple(issues))


def issues_page(name: str, images: Iterable[tuple[ImageRecord, Place]], issues: Sequence[Issue]) -> bytes:
    """The issues of a set in a table, and for each code the first pictures that have it."""
    by_source: dict[str, list[Issue]] = {}
    for issue in issues:
        by_source.setdefault(issue.source, []).append(issue)
    shown = []
    left = Counter(dict.fromkeys(CODES, EXAMPLES))
    for record, place in images:
        found = by_source.get(record.source, ())
        if any(left[issue.code] > 0 for issue in found):
            left.subtract({issue.code for issue in found})
            shown.append(show(record, place, found))
    counts = Counter(issue.code for issue in issues)
    lead = f"{len(issues)} issue(s) of {len(counts)} kind(s); the first {EXAMPLES} pictures of each are below"
    return render(f"Issues of {name}", lead, _table(issues, counts), shown)


def render(title: str, lead: str, table: str, shown: Sequence[Shown]) -> bytes:
    """The page; `table` is HTML, the other texts are plain."""
    classes = sorted({name for one in shown for name in one.record.names})
    codes = [code for code in CODES if any(issue.code == code for one in shown for issue in one.issues)]
    fields = {
        "title": escape(title),
        "lead": escape(lead),
        "table": table,
        "classes": "".join(map(_option, classes)),
        "issues": "".join(map(_option, codes)),
        "cards": "\n".join(map(_card, shown)),
    }
    text = files("tfrec_tools.drawing").joinpath("page.html").read_text(encoding="utf-8")
    for key, value in fields.items():
        text = text.replace(f"{{{{{key}}}}}", value)
    return text.encode(errors="replace")


def thumbnail(picture: Picture, side_px: int) -> Image.Image:
    """The picture in RGB, its longer side at most side_px."""
    opened = Image.open(BytesIO(picture.data))
    opened.draft("RGB", (side_px, side_px))
    deep = opened.mode.startswith("I")  # 16 bits
    image = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8)) if deep else opened
    small = image.convert("RGB")
    small.thumbnail((side_px, side_px))
    return small


def colour(name: str) -> tuple[int, int, int]:
    """A strong colour, always the same for a class name; never red, which is for what is wrong."""
    hue = 0.08 + 0.84 * (zlib.crc32(name.encode()) * 0.618034 % 1)
    red, green, blue = colorsys.hls_to_rgb(hue, 0.42, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)


def _table(issues: Sequence[Issue], counts: Counter[str]) -> str:
    first = {issue.code: issue for issue in reversed(issues)}
    rows = "".join(
        f"<tr><td><code>{code}</code></td><td class=n>{counts[code]}</td><td>{escape(CODES[code])}</td>"
        f"<td>{escape(first[code].source)}: {escape(first[code].message)}</td></tr>"
        for code in CODES
        if code in counts
    )
    return f"<table><tr><th>code</th><th>count</th><th>meaning</th><th>first</th></tr>{rows}</table>"


def _option(value: str) -> str:
    return f"<option>{escape(value)}</option>"


def _card(one: Shown) -> str:
    record = one.record
    codes = sorted({issue.code for issue in one.issues})
    data = [escape(json.dumps(values)) for values in (sorted(set(record.names)), codes)]
    size = f"{one.picture.width} x {one.picture.height}, " if one.picture else ""
    notes = "".join(
        f'<p><span class="tag">{issue.code}</span> {escape(_brief(issue, record))}</p>'
        for issue in one.issues[:_MESSAGES]
    )
    more = f"<p>and {len(one.issues) - _MESSAGES} more</p>" if len(one.issues) > _MESSAGES else ""
    return (
        f'<figure data-classes="{data[0]}" data-issues="{data[1]}"><div class="picture">{_picture(one)}</div>'
        f"<figcaption><b>{escape(record.filename)}</b>"
        f"<small>{size}{_counted(len(record.names))}, {escape(record.source)}</small>{notes}{more}"
        "</figcaption></figure>"
    )


def _counted(boxes: int) -> str:
    return "1 box" if boxes == 1 else f"{boxes} boxes"


def _brief(issue: Issue, record: ImageRecord) -> str:
    return issue.message.removeprefix(f"{record.filename}: ")


def _picture(one: Shown) -> str:
    if one.picture is None:
        return '<div class="none">this file cannot be shown</div>'
    try:
        image = thumbnail(one.picture, _THUMB_PX)
    except (OSError, ValueError, SyntaxError):
        return '<div class="none">this picture cannot be decoded</div>'
    out = BytesIO()
    image.save(out, "JPEG", quality=80)
    data = base64.b64encode(out.getvalue()).decode()
    scale = image.width / one.picture.width
    bad = {issue.box for issue in one.issues}
    boxes = "".join(
        _box(name, [float(value) * scale for value in box], image.width, index in bad)
        for index, (name, box) in enumerate(zip(one.record.names, one.record.boxes_xyxy, strict=True))
        if np.isfinite(box).all()
    )
    return (
        f'<div class="frame"><img alt="" width="{image.width}" height="{image.height}" '
        f'src="data:image/jpeg;base64,{data}">'
        f'<svg viewBox="0 0 {image.width} {image.height}">{boxes}</svg></div>'
    )


def _box(name: str, corners_px: Sequence[float], width_px: int, bad: bool) -> str:
    left, right = sorted(corners_px[::2])
    top, bottom = sorted(corners_px[1::2])
    at = f'x="{max(left, 0) + 3:.1f}"'
    if left > 0.75 * width_px:
        at = f'x="{min(right, width_px) - 3:.1f}" text-anchor="end"'
    tint = "#e11d2e" if bad else "#{:02x}{:02x}{:02x}".format(*colour(name))
    return (
        f'<g data-name="{escape(name)}"><rect class="{"bad" if bad else ""}" x="{left:.1f}" y="{top:.1f}" '
        f'width="{right - left:.1f}" height="{bottom - top:.1f}" stroke="{tint}"/>'
        f'<text {at} y="{max(top, 0) + 12:.1f}" fill="{tint}">{escape(name)}</text></g>'
    )

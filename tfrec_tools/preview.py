"""Pictures with their boxes and names on one sheet (PNG) or page (HTML), from records or from a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tfrec_tools import checks, page, plan, shards, stats, tfrecord
from tfrec_tools.errors import InputError
from tfrec_tools.example import parse_example
from tfrec_tools.page import Shown
from tfrec_tools.plan import Options

_CELL_PX = 240
_GAP_PX = 12
_LINE_PX = 16
_SUFFIXES = (".png", ".html")


def preview(shown: Sequence[Shown], title: str, suffix: str) -> bytes:
    """The file's content for the suffix .png or .html."""
    if suffix == ".png":
        return sheet(shown)
    boxes = sum(len(one.record.names) for one in shown)
    return page.render(title, f"{len(shown)} pictures, {boxes} boxes", "", shown)


def is_source(what: str, format_given: bool) -> bool:
    """Whether the words name annotations rather than record files."""
    path = Path(what)
    if format_given or path.is_file():
        return format_given or not shards.is_record_file(path)
    try:
        return not shards.record_files([what])
    except InputError:
        return path.exists()


def require_suffix(out: Path) -> str:
    if out.suffix.lower() not in _SUFFIXES:
        raise InputError(out, "", f"ends in {out.suffix!r}, expected {' or '.join(_SUFFIXES)}")
    return out.suffix.lower()


def of_records(patterns: Sequence[str], count: int) -> list[Shown]:
    """The first `count` records (sets are shuffled), with what checks find odd about them."""
    return [shown for shown, _ in zip(_records(patterns), range(count), strict=False)]


def of_source(options: Options, count: int) -> list[Shown]:
    """`count` pictures of a source, evenly spaced, with their issues."""
    items = plan.make_plan(options).items
    wanted = min(count, len(items))
    chosen = [items[i * len(items) // wanted] for i in range(wanted)]
    return [_checked(page.show(item)) for item in chosen]


def sheet(shown: Sequence[Shown]) -> bytes:
    """A contact sheet as PNG, nearly square."""
    columns = max(1, min(len(shown), round(len(shown) ** 0.5 * 1.2)))
    rows = -(-len(shown) // columns)
    cell_wh = (_CELL_PX + _GAP_PX, _CELL_PX + _LINE_PX + _GAP_PX)
    canvas = Image.new("RGB", (columns * cell_wh[0] + _GAP_PX, rows * cell_wh[1] + _GAP_PX), "#f7f8fa")
    for i, one in enumerate(shown):
        at = (_GAP_PX + i % columns * cell_wh[0], _GAP_PX + i // columns * cell_wh[1])
        _draw_cell(canvas, at, one)
    out = BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()


def _records(patterns: Sequence[str]) -> Iterator[Shown]:
    for file in shards.record_files(patterns):
        manifest = shards.manifest_of(file)
        names = {} if manifest is None else {item.id: item.name for item in manifest.classes}
        for index, data in enumerate(tfrecord.read(file)):
            parsed = parse_example(data, f"{file.name} record {index}")
            record = replace(parsed.record, names=stats.class_names(parsed, names))
            yield _checked(Shown(record, parsed.picture))


def _checked(one: Shown) -> Shown:
    if one.picture is None:
        return one
    _, issues = checks.check(one.record, one.picture.width, one.picture.height)
    return replace(one, issues=(*one.issues, *issues))


def _draw_cell(canvas: Image.Image, at: tuple[int, int], one: Shown) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = at
    draw.rectangle((left, top, left + _CELL_PX, top + _CELL_PX), fill="#eceff3")
    if one.picture is not None:
        small = _with_boxes(one, page.thumbnail(one.picture, _CELL_PX))
        canvas.paste(small, (left + (_CELL_PX - small.width) // 2, top + (_CELL_PX - small.height) // 2))
    font = ImageFont.load_default(11)
    name = _fitting(one.record.filename, font, _CELL_PX)
    draw.text((left, top + _CELL_PX + 2), name, fill="#68717d", font=font)


def _with_boxes(one: Shown, small: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(small)
    font = ImageFont.load_default(11)
    scale = small.width / (one.picture.width if one.picture else 1)
    for name, box in zip(one.record.names, one.record.boxes_xyxy.tolist(), strict=True):
        left, right = sorted(value * scale for value in box[::2])
        top, bottom = sorted(value * scale for value in box[1::2])
        if all(abs(value) < 1e6 for value in (left, right, top, bottom)):  # not NaN or infinite
            tint = page.colour(name)
            draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=tint, width=2)
            draw.text((left + 3, top + 1), name, fill=tint, font=font, stroke_width=2, stroke_fill="white")
    return small


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> str:
    """The text, its middle left out where it is too long."""
    if font.getlength(text) <= width_px:
        return text
    keep = len(text)
    while keep > 4 and font.getlength(f"{text[: keep // 2]}...{text[-(keep // 2) :]}") > width_px:
        keep -= 2
    return f"{text[: keep // 2]}...{text[-(keep // 2) :]}"

"""A sheet of images with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from tfrec_tools.drawing import page
from tfrec_tools.drawing.page import Shown

_CELL_PX = 240


_GAP_PX = 12


_LINE_PX = 16


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

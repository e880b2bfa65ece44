"""A sheet of images with their boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from PIL import Image, ImageDraw

from tfrec_tools.drawing.boxes import FONT_PX, draw_boxes
from tfrec_tools.drawing.letters import fitting, write
from tfrec_tools.drawing.previews import Preview, boxes_of, colours_of, thumbnail

_CELL_PX = 240
_GAP_PX = 12
_LINE_PX = 16


def sheet(shown: Sequence[Preview]) -> bytes:
    """Returns a contact sheet as PNG, nearly square."""
    columns = max(1, min(len(shown), round(len(shown) ** 0.5 * 1.2)))
    rows = -(-len(shown) // columns)
    cell_wh = (_CELL_PX + _GAP_PX, _CELL_PX + _LINE_PX + _GAP_PX)
    canvas = Image.new("RGB", (columns * cell_wh[0] + _GAP_PX, rows * cell_wh[1] + _GAP_PX), "#f7f8fa")
    colours = colours_of(shown)
    for i, preview in enumerate(shown):
        at = (_GAP_PX + i % columns * cell_wh[0], _GAP_PX + i // columns * cell_wh[1])
        _draw_cell(canvas, at, preview, colours)
    out = BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()


def _draw_cell(
    canvas: Image.Image, at: tuple[int, int], preview: Preview, colours: Mapping[str, str]
) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = at
    draw.rectangle((left, top, left + _CELL_PX, top + _CELL_PX), fill="#eceff3")
    small = thumbnail(preview.image, _CELL_PX) if preview.image else None
    if small is not None and preview.image is not None:
        draw_boxes(small, boxes_of(preview, small.width / preview.image.width, colours))
        canvas.paste(small, (left + (_CELL_PX - small.width) // 2, top + (_CELL_PX - small.height) // 2))
    name = fitting(preview.record.filename, FONT_PX, _CELL_PX)
    write(draw, (left, top + _CELL_PX + 1), name, "#68717d", FONT_PX)

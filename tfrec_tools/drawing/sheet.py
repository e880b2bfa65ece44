"""A sheet of images with their boxes."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from PIL import Image, ImageDraw

from tfrec_tools.drawing.boxes import FONT_PX, draw_boxes
from tfrec_tools.drawing.letters import fitting, line_px, write
from tfrec_tools.drawing.palette import palette
from tfrec_tools.drawing.previews import Chosen, Preview, boxes_of, thumbnail

_CELL_PX = 240
_GAP_PX = 12
_LINE_PX = line_px(FONT_PX)


def sheet(chosen: Chosen) -> tuple[bytes, int]:
    """Returns a contact sheet as PNG, nearly square, and how many boxes are on it."""
    count = len(chosen.images)
    columns = max(1, min(count, round(count**0.5 * 1.2)))
    rows = -(-count // columns)
    cell_wh = (_CELL_PX + _GAP_PX, _CELL_PX + _LINE_PX + _GAP_PX)
    canvas = Image.new("RGB", (columns * cell_wh[0] + _GAP_PX, rows * cell_wh[1] + _GAP_PX), "#f7f8fa")
    boxes = 0
    colours = palette(chosen.classes)
    for i, waiting in enumerate(chosen.images):
        at = (_GAP_PX + i % columns * cell_wh[0], _GAP_PX + i // columns * cell_wh[1])
        preview = waiting()
        colours = palette((*colours, *sorted(preview.record.names)))  # what no label map has
        _draw_cell(canvas, at, preview, colours)
        boxes += len(preview.record.names)
    out = BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue(), boxes


def _draw_cell(
    canvas: Image.Image, at: tuple[int, int], preview: Preview, colours: Mapping[str, str]
) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = at
    draw.rectangle((left, top, left + _CELL_PX, top + _CELL_PX), fill="#eceff3")
    small = thumbnail(preview, _CELL_PX, colours)
    if small is not None and preview.image is not None:
        draw_boxes(small, boxes_of(preview, small.width / preview.image.width, colours))
        canvas.paste(small, (left + (_CELL_PX - small.width) // 2, top + (_CELL_PX - small.height) // 2))
    name = fitting(preview.record.filename, FONT_PX, _CELL_PX)
    write(draw, (left, top + _CELL_PX + 1), name, "#68717d", FONT_PX)

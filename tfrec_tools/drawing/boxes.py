"""Boxes with their names and scores, drawn on an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from tfrec_tools.drawing.letters import fitting, line_px, width_px, write
from tfrec_tools.drawing.palette import ink

FONT_PX = 11
_PADDING_PX = 2
_DOT_PX = 2  # radius


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box to draw.

    xyxy     pixels of the image, rounded when it is drawn
    colour   as "#RRGGBB"
    name     what to write at it; nothing, and a thin line, where it is empty
    score    written behind the name, if there is one
    points   x y of each, finite, drawn as dots
    """

    xyxy: Sequence[float]
    colour: str
    name: str = ""
    score: float | None = None
    points: Sequence[tuple[float, float]] = ()


def draw_boxes(image: Image.Image, boxes: Sequence[DrawnBox], font_px: int = FONT_PX) -> None:
    """Draws boxes on an RGB image: below those without a name, on top that of the best score. Labels lie
    above all boxes, and within the image; a box that is not finite is left out."""
    canvas = ImageDraw.Draw(image)
    finite = [box for box in boxes if all(map(math.isfinite, box.xyxy))]
    from_below = sorted(finite, key=lambda box: (box.name != "", box.score or 0.0))
    for box in from_below:
        left, top, right, bottom = _seen(box.xyxy, image.size)
        width = max(2, font_px // 5) if box.name else 1
        canvas.rectangle(
            (left, top, max(left, right - 1), max(top, bottom - 1)), outline=box.colour, width=width
        )
        for point in box.points:
            x, y, _, _ = _seen((*point, *point), image.size)
            canvas.ellipse((x - _DOT_PX, y - _DOT_PX, x + _DOT_PX, y + _DOT_PX), fill=box.colour)
    for box in from_below:
        if box.name:
            _draw_label(canvas, box, image.size, font_px)


def _seen(xyxy: Sequence[float], size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns left, top, right, bottom in this order; what lies far outside of the image is drawn nearer,
    since Pillow cannot count so far."""
    (left, right), (top, bottom) = (
        sorted(round(min(max(value, -side), 2 * side)) for value in values)
        for values, side in zip((xyxy[::2], xyxy[1::2]), size_wh, strict=True)
    )
    return left, top, right, bottom


def _draw_label(canvas: ImageDraw.ImageDraw, box: DrawnBox, size_wh: tuple[int, int], font_px: int) -> None:
    """Draws the label above its box; in it, where the box begins at the image's upper edge. A name that is
    too long is cut, its score is not."""
    width, height = size_wh
    left, top, _, _ = _seen(box.xyxy, size_wh)
    score = "" if box.score is None else f"{box.score:.2f}"
    behind_px = width_px(f" {score}", font_px) if score else 0.0
    name = fitting(box.name, font_px, width - 2 * _PADDING_PX - behind_px)
    if not name:
        behind_px = width_px(score, font_px)
    name_px = width_px(name, font_px)
    label_wh = math.ceil(name_px + behind_px) + 2 * _PADDING_PX, line_px(font_px)
    above = top - label_wh[1] if top >= label_wh[1] else top
    x, y = max(0, min(left, width - label_wh[0])), max(0, min(above, height - label_wh[1]))
    canvas.rectangle((x, y, x + label_wh[0] - 1, y + label_wh[1] - 1), fill=box.colour)
    ends_at = x + _PADDING_PX + name_px + behind_px
    write(canvas, (x + _PADDING_PX, y), name, ink(box.colour), font_px)
    write(canvas, (ends_at - width_px(score, font_px), y), score, ink(box.colour), font_px)

"""Pictures of a run: detections beside the annotations, and the loss curve."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tfrec_tools.detector.data.index import Annotated, read_picture
from tfrec_tools.detector.evaluation.average_precision import Found
from tfrec_tools.labels.label_map import LabelMap

# Okabe and Ito's palette, which colour-blind people can tell apart.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#FFFFFF")
_PANEL_PX = 320
_HEADER_PX = 22
_GAP_PX = 6
_ROWS = 4
_FONT_PX = 11
_MOST_LABELLED, _PER_ROW = 12, 3
_IN_DOUBT = "#9AA0A6"


def detections_picture(
    examples: Sequence[Annotated],
    columns: Sequence[tuple[str, Sequence[Found] | None]],
    labels: LabelMap,
    wanted: frozenset[int],
) -> Image.Image:
    """Some examples as rows, and as columns the annotations (None) and what detectors found. The
    examples are those with most of the classes `wanted`, then with most classes."""
    chosen = sorted(range(len(examples)), key=lambda i: _interest(examples[i], wanted), reverse=True)[:_ROWS]
    heights = [_panel_height(examples[i]) for i in chosen]
    width = len(columns) * (_PANEL_PX + _GAP_PX) - _GAP_PX
    sheet = Image.new("RGB", (width, _HEADER_PX + sum(heights) + _GAP_PX * (len(chosen) - 1)), "#222222")
    draw = ImageDraw.Draw(sheet)
    for column, (title, found) in enumerate(columns):
        left, top = column * (_PANEL_PX + _GAP_PX), _HEADER_PX
        draw.text((left + 4, 3), title, fill="white", font=ImageFont.load_default(14))
        for index, height in zip(chosen, heights, strict=True):
            sheet.paste(_panel(examples[index], found[index] if found else None, labels, height), (left, top))
            top += height + _GAP_PX
    return sheet


def labels_picture(examples: Sequence[Annotated], labels: LabelMap) -> Image.Image:
    """Some examples, evenly spaced, with their boxes; what is in doubt is grey."""
    chosen = examples[:: max(1, -(-len(examples) // _MOST_LABELLED))]
    rows = [chosen[first : first + _PER_ROW] for first in range(0, len(chosen), _PER_ROW)]
    heights = [max(map(_panel_height, row)) for row in rows]
    side = _PANEL_PX + _GAP_PX
    size_wh = min(_PER_ROW, len(chosen)) * side, sum(heights) + _GAP_PX * len(rows)
    sheet = Image.new("RGB", size_wh, "#222222")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, example in enumerate(row):
            panel = _panel(example, None, labels, _panel_height(example))
            sheet.paste(panel, (column * side, top))
        top += height + _GAP_PX
    return sheet


def draw(picture: Image.Image, found: Found, labels: LabelMap) -> None:
    """Draws boxes with their class and score on an RGB picture, the surest on top."""
    canvas, names = ImageDraw.Draw(picture), labels.name_by_id
    font_px = max(_FONT_PX, max(picture.size) // 60)
    for box, label_id, score in list(zip(found.boxes, found.ids.tolist(), found.scores, strict=True))[::-1]:
        caption = f"{names[label_id]} {score:.2f}"
        _draw_box(canvas, box, picture.size, caption, _colour(label_id), font_px)


def _interest(example: Annotated, wanted: frozenset[int]) -> tuple[int, int, int]:
    ids = set(example.ids.tolist())
    return len(ids & wanted), len(ids), -len(example.ids)


def _panel_height(example: Annotated) -> int:
    return round(_PANEL_PX * example.height / example.width)


def _panel(example: Annotated, found: Found | None, labels: LabelMap, height_px: int) -> Image.Image:
    picture = Image.open(io.BytesIO(read_picture(example))).convert("RGB").resize((_PANEL_PX, height_px))
    canvas = ImageDraw.Draw(picture)
    for box, caption, colour in _annotations(example, labels) if found is None else _found(found, labels):
        _draw_box(canvas, box, (_PANEL_PX, height_px), caption, colour)
    return picture


def _annotations(example: Annotated, labels: LabelMap) -> Iterator[tuple[NDArray[np.float32], str, str]]:
    """What is in doubt comes first, to lie below, and without its name: there is much of it."""
    is_sure = example.weights > 0
    for box in example.boxes[~is_sure]:
        yield box, "", _IN_DOUBT
    for box, label_id in zip(example.boxes[is_sure], example.ids[is_sure].tolist(), strict=True):
        yield box, labels.name_by_id[label_id], _colour(label_id)


def _found(found: Found, labels: LabelMap) -> Iterator[tuple[NDArray[np.float32], str, str]]:
    for box, label_id, score in zip(found.boxes, found.ids.tolist(), found.scores, strict=True):
        yield box, f"{labels.name_by_id[label_id]} {score:.2f}", _colour(label_id)


def _colour(label_id: int) -> str:
    return _COLOURS[(label_id - 1) % len(_COLOURS)]


def _draw_box(
    draw: ImageDraw.ImageDraw,
    box: NDArray[np.float32],
    size_wh: tuple[int, int],
    caption: str,
    colour: str,
    font_px: int = _FONT_PX,
) -> None:
    ymin, xmin, ymax, xmax = box * np.array([size_wh[1], size_wh[0], size_wh[1], size_wh[0]])
    draw.rectangle((xmin, ymin, xmax, ymax), outline=colour, width=max(2, font_px // 5) if caption else 1)
    if not caption:
        return
    font = ImageFont.load_default(font_px)
    place = (xmin + 2, max(0.0, ymin - font_px - 2))
    left, top, right, bottom = draw.textbbox(place, caption, font=font)
    draw.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=colour)
    draw.text(place, caption, fill="black", font=font)

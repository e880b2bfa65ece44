"""Figures of a run: detections beside the annotations, and the labels that the base gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tfrec_tools.detector.data.index import IndexedExample, read_image
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.drawing.boxes import FONT_PX, DrawnBox, draw_boxes
from tfrec_tools.drawing.letters import write
from tfrec_tools.drawing.palette import palette
from tfrec_tools.images.opening import open_image, quiet
from tfrec_tools.labels.label_map import LabelMap

_PANEL_PX = 320
_TALLEST_PX = 4 * _PANEL_PX
_HEADER_PX, _TITLE_PX = 22, 14
_GAP_PX = 6
_ROWS = 4
_MOST_LABELLED, _PER_ROW = 12, 3
_IN_DOUBT = "#9AA0A6"


def detections_sheet(
    examples: Sequence[IndexedExample],
    columns: Sequence[tuple[str, Sequence[ImageDetections] | None]],
    labels: LabelMap,
    wanted: frozenset[int],
) -> Image.Image:
    """Returns some examples as rows, and as columns the annotations (None) and what detectors found. The
    examples are those with most of the classes `wanted`, then with most classes."""
    chosen = sorted(range(len(examples)), key=lambda i: _interest(examples[i], wanted), reverse=True)[:_ROWS]
    heights = [_panel_height(examples[i]) for i in chosen]
    width = len(columns) * (_PANEL_PX + _GAP_PX) - _GAP_PX
    sheet = Image.new("RGB", (width, _HEADER_PX + sum(heights) + _GAP_PX * (len(chosen) - 1)), "#222222")
    draw = ImageDraw.Draw(sheet)
    for column, (title, detections) in enumerate(columns):
        left, top = column * (_PANEL_PX + _GAP_PX), _HEADER_PX
        write(draw, (left + 4, 1), title, "white", _TITLE_PX)
        for index, height in zip(chosen, heights, strict=True):
            sheet.paste(
                _panel(examples[index], detections[index] if detections else None, labels, height),
                (left, top),
            )
            top += height + _GAP_PX
    return sheet


def labels_sheet(examples: Sequence[IndexedExample], labels: LabelMap) -> Image.Image:
    """Returns some examples, evenly spaced, with their boxes; what is in doubt is grey."""
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


def draw(image: Image.Image, detections: ImageDetections, labels: LabelMap) -> None:
    """Draws boxes with their class and score on an RGB image, the highest scores on top."""
    draw_boxes(image, _detected(detections, labels, image.size), max(FONT_PX, max(image.size) // 60))


def _interest(example: IndexedExample, wanted: frozenset[int]) -> tuple[int, int, int]:
    ids = set(example.ids.tolist())
    return len(ids & wanted), len(ids), -len(example.ids)


def _panel_height(example: IndexedExample) -> int:
    """As the image's shape asks for; one of 4000 x 2 or 2 x 4000 is made higher or lower than that."""
    return min(max(round(_PANEL_PX * example.height / example.width), 1), _TALLEST_PX)


def _panel(
    example: IndexedExample, detections: ImageDetections | None, labels: LabelMap, height_px: int
) -> Image.Image:
    panel = _decoded(example).resize((_PANEL_PX, height_px))
    draw_boxes(
        panel,
        _annotated(example, labels, panel.size)
        if detections is None
        else _detected(detections, labels, panel.size),
    )
    return panel


def _decoded(example: IndexedExample) -> Image.Image:
    with quiet():
        size = f"{example.width} x {example.height}"
        return open_image(read_image(example), f"an image of {size}", None).convert("RGB")


def _annotated(example: IndexedExample, labels: LabelMap, size_wh: tuple[int, int]) -> list[DrawnBox]:
    """Returns the annotated boxes; those in doubt are without their names: there are many of them."""
    colours = palette(labels.names)
    names = [labels.name_by_id[label_id] for label_id in example.ids.tolist()]
    return [
        DrawnBox(xyxy, colours[name], name) if weight > 0 else DrawnBox(xyxy, _IN_DOUBT)
        for xyxy, name, weight in zip(
            _xyxy(example.boxes, size_wh), names, example.weights.tolist(), strict=True
        )
    ]


def _detected(detections: ImageDetections, labels: LabelMap, size_wh: tuple[int, int]) -> list[DrawnBox]:
    colours = palette(labels.names)
    names = [labels.name_by_id[label_id] for label_id in detections.ids.tolist()]
    return [
        DrawnBox(xyxy, colours[name], name, score)
        for xyxy, name, score in zip(
            _xyxy(detections.boxes, size_wh), names, detections.scores.tolist(), strict=True
        )
    ]


def _xyxy(boxes: NDArray[np.float32], size_wh: tuple[int, int]) -> list[list[float]]:
    """Returns (N, 4) normalised [ymin xmin ymax xmax] in pixels, x first."""
    width, height = size_wh
    return (boxes[:, [1, 0, 3, 2]] * (width, height, width, height)).tolist()

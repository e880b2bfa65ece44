"""Pictures of a run: detections beside the annotations, and the loss curve."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tfrec_tools.detector.dataset import Annotated, read_picture
from tfrec_tools.detector.evaluate import Found
from tfrec_tools.detector.train import StepLosses
from tfrec_tools.labels import LabelMap

# Okabe and Ito's palette, which colour-blind people can tell apart.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#FFFFFF")
_PANEL_PX = 320
_HEADER_PX = 22
_GAP_PX = 6
_ROWS = 4
_MIN_SCORE = 0.5
_FONT_PX = 11


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


def draw(picture: Image.Image, found: Found, labels: LabelMap) -> None:
    """Draws boxes with their class and score on an RGB picture, the surest on top."""
    canvas, names = ImageDraw.Draw(picture), labels.name_by_id
    font_px = max(_FONT_PX, max(picture.size) // 60)
    for box, label_id, score in list(zip(found.boxes, found.ids.tolist(), found.scores, strict=True))[::-1]:
        caption = f"{names[label_id]} {score:.2f}"
        _draw_box(canvas, box, picture.size, caption, _colour(label_id), font_px)


def save_loss_curve(rows: Sequence[StepLosses], path: Path) -> None:
    """A PNG of the losses by step, each smoothed over a fiftieth of the run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = [row.step for row in rows]
    for name in ("classification", "localization"):
        values = np.array([getattr(row, name) for row in rows])
        axes.plot(steps, values, alpha=0.2, color=f"C{len(axes.lines) // 2}")
        axes.plot(
            steps, _smoothed(values, max(1, len(rows) // 50)), label=name, color=f"C{len(axes.lines) // 2}"
        )
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, format="png")


def _interest(example: Annotated, wanted: frozenset[int]) -> tuple[int, int, int]:
    ids = set(example.ids.tolist())
    return len(ids & wanted), len(ids), -len(example.ids)


def _panel_height(example: Annotated) -> int:
    return round(_PANEL_PX * example.height / example.width)


def _panel(example: Annotated, found: Found | None, labels: LabelMap, height_px: int) -> Image.Image:
    picture = Image.open(io.BytesIO(read_picture(example))).convert("RGB").resize((_PANEL_PX, height_px))
    if found is None:
        boxes, ids, scores = example.boxes, example.ids, np.ones(len(example.ids), np.float32)
    else:
        kept = found.scores >= _MIN_SCORE
        boxes, ids, scores = found.boxes[kept], found.ids[kept], found.scores[kept]
    draw = ImageDraw.Draw(picture)
    names = labels.name_by_id
    for box, label_id, score in zip(boxes, ids.tolist(), scores, strict=True):
        caption = names[label_id] if found is None else f"{names[label_id]} {score:.2f}"
        _draw_box(draw, box, (_PANEL_PX, height_px), caption, _colour(label_id))
    return picture


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
    draw.rectangle((xmin, ymin, xmax, ymax), outline=colour, width=max(2, font_px // 5))
    font = ImageFont.load_default(font_px)
    place = (xmin + 2, max(0.0, ymin - font_px - 2))
    left, top, right, bottom = draw.textbbox(place, caption, font=font)
    draw.rectangle((left - 2, top - 1, right + 2, bottom + 1), fill=colour)
    draw.text(place, caption, fill="black", font=font)


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean of the last `window` values, of fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)

"""Charts of a measurement: precision over recall, and the confusion of classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfrec_tools.detector.evaluation.metrics import Metrics
from tfrec_tools.drawing import letters
from tfrec_tools.drawing.palette import palette

_MOST_CURVES = 12  # more cannot be told apart, and hide the mean
_MOST_NUMBERS = 30  # classes up to which a cell's number can be read
_NOTHING = "(nothing)"


def save_precision_recall(metrics: Metrics, path: Path) -> None:
    """A PNG with a curve a class, at IoU 0.5, of the classes with the most boxes, and their mean."""
    with _letters_of_any_script():
        _precision_recall(metrics).savefig(path, dpi=120, format="png")


def _precision_recall(metrics: Metrics) -> Figure:
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.add_subplot()
    recalls = np.linspace(0.0, 1.0, 101)
    colours = palette(metrics.names)
    shown = sorted(metrics.classes, key=lambda class_metrics: -class_metrics.boxes)[:_MOST_CURVES]
    for class_metrics in shown:
        axes.plot(
            recalls,
            class_metrics.precision,
            color=colours[class_metrics.name],
            linewidth=1.2,
            label=f"{letters.legible(class_metrics.name)} {_points(class_metrics.scores.ap50)}",
        )
    if metrics.classes:
        mean = np.mean([class_metrics.precision for class_metrics in metrics.classes], axis=0)
        label = f"mean of {len(metrics.classes)} {_points(metrics.overall.ap50)}"
        axes.plot(recalls, mean, color="black", linewidth=2.5, label=label)
        axes.legend(fontsize="small", loc="lower left")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="IoU 0.5; AP50")
    axes.grid(alpha=0.3)
    return figure


def save_confusion(metrics: Metrics, min_score: float | None, path: Path) -> None:
    """A PNG of the counts, each row shaded by its own shares; `min_score` as in `measure`."""
    with _letters_of_any_script():
        _confusion(metrics, min_score).savefig(path, dpi=120, format="png")


def _confusion(metrics: Metrics, min_score: float | None) -> Figure:
    counts, names = metrics.confusion, [*map(letters.legible, metrics.names), _NOTHING]
    side = min(4.0 + 0.32 * len(names), 30.0)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    since = "where F1 is best" if min_score is None else f"{min_score:g}"
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=90, fontsize="small")
    axes.set_yticks(ticks, names, fontsize="small")
    axes.set(xlabel="found as", ylabel="annotated as", title=f"IoU 0.5, scores from {since}")
    if len(names) <= _MOST_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=8
            )
    return figure


@contextmanager
def _letters_of_any_script() -> Iterator[None]:
    """Names are drawn as they are: in the fonts of the sheets, and a $ begins no formula."""
    how: dict[Any, Any] = {"font.family": letters.matplotlib_families(), "text.parse_math": False}
    how |= dict.fromkeys(("font.weight", "axes.titleweight", "axes.labelweight"), letters.WEIGHT)
    with matplotlib.rc_context(how):
        yield


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"

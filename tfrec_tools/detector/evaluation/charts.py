"""Charts of a measurement: precision over recall, F1 over the score, and the confusion of classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfrec_tools.detector.evaluation.measured import ClassMetrics
from tfrec_tools.detector.evaluation.metrics import Metrics
from tfrec_tools.drawing import letters
from tfrec_tools.drawing.palette import palette

_MOST_CURVES = 12  # more cannot be told apart, and hide the mean
_MOST_NUMBERS = 30  # classes up to which a cell's number can be read
_WEIGHT = 500  # of the fonts; Matplotlib warns where another is asked for
_NOTHING = "(nothing)"


def save_precision_recall(metrics: Metrics, path: Path) -> None:
    """A PNG with a curve a class, at IoU 0.5, of the classes with the most boxes, and their mean."""
    with _letters_of_any_script():
        _precision_recall(metrics).savefig(path, dpi=120, format="png")


def save_f1(metrics: Metrics, path: Path) -> None:
    """A PNG of F1 over the score from which on detections count, at IoU 0.5, with a curve a class and their
    mean."""
    with _letters_of_any_script():
        figure = _curves(metrics, "f1", _best_score)
        figure.axes[0].set(xlabel="score from which on", ylabel="F1", title="IoU 0.5; the best score")
        figure.savefig(path, dpi=120, format="png")


def _precision_recall(metrics: Metrics) -> Figure:
    figure = _curves(
        metrics, "precision", lambda of_class: _points(of_class.scores.ap50), metrics.overall.ap50
    )
    figure.axes[0].set(xlabel="recall", ylabel="precision", title="IoU 0.5; AP50")
    return figure


def _curves(
    metrics: Metrics,
    curve: Literal["precision", "f1"],
    number: Callable[[ClassMetrics], str],
    of_mean: float | None = None,
) -> Figure:
    """Draws the curves of the classes with the most boxes at 0, 0.01, ..., 1, and their mean over all; each
    is called by its name and a number."""
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.add_subplot()
    places = np.linspace(0.0, 1.0, 101)
    colours = palette(metrics.names)
    shown = sorted(metrics.classes, key=lambda class_metrics: -class_metrics.boxes)[:_MOST_CURVES]
    for class_metrics in shown:
        axes.plot(
            places,
            getattr(class_metrics, curve),
            color=colours[class_metrics.name],
            linewidth=1.2,
            label=f"{letters.legible(class_metrics.name)} {number(class_metrics)}",
        )
    if metrics.classes:
        mean = np.mean([getattr(class_metrics, curve) for class_metrics in metrics.classes], axis=0)
        label = f"mean of {len(metrics.classes)}" + ("" if of_mean is None else f" {_points(of_mean)}")
        axes.plot(places, mean, color="black", linewidth=2.5, label=label)
        axes.legend(fontsize="small", loc="lower left" if curve == "precision" else "lower center")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    return figure


def save_confusion(metrics: Metrics, min_score: float | None, path: Path) -> None:
    """A PNG of the confusion, each row in percent of its own sum; `min_score` as in `measure`."""
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
    axes.set(xlabel="found as", ylabel="annotated as", title=f"% of each row; IoU 0.5, scores from {since}")
    if len(names) <= _MOST_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            percent = f"{100 * shares[row, column]:.0f}"
            axes.text(column, row, percent, ha="center", va="center", color=colour, fontsize=8)
    return figure


@contextmanager
def _letters_of_any_script() -> Iterator[None]:
    """Names are drawn as they are: in the fonts of the sheets, and a $ begins no formula."""
    with matplotlib.rc_context(
        {
            "font.family": letters.matplotlib_families(),
            "font.weight": _WEIGHT,
            "axes.titleweight": _WEIGHT,
            "axes.labelweight": _WEIGHT,
            "text.parse_math": False,
        }
    ):
        yield


def _best_score(of_class: ClassMetrics) -> str:
    return "-" if of_class.best is None else f"{of_class.best.score:.2f}"


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"

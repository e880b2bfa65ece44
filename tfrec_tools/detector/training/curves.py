"""Losses and validations over the steps of a run, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.validation import Validation


def save_loss_curve(rows: Sequence[StepLosses], validations: Sequence[Validation], path: Path) -> None:
    """A PNG of the losses by step, each smoothed over a fiftieth of the run, and of AP50 on the way."""
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
    axes.grid(alpha=0.3)
    if validations:
        _add_validations(axes.twinx(), validations)
    figure.legend(loc="outside upper center", ncols=5)
    figure.savefig(path, dpi=120, format="png")


def _add_validations(axes: Axes, validations: Sequence[Validation]) -> None:
    steps = [validation.step for validation in validations]
    for name, label, marker in (
        ("old", "AP50 old", "s"),
        ("new", "AP50 new", "^"),
        ("all", "AP50 all", "o"),
        ("agreement", "agreement with the base", "s"),
    ):
        points = [
            np.nan if (value := getattr(validation, name)) is None else 100 * value
            for validation in validations
        ]
        if not np.isnan(points).all():
            axes.plot(steps, points, "--", marker=marker, label=label, color=f"C{len(axes.lines) + 2}")
    axes.set(ylabel="AP50 on --val", ylim=(0, 100))


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Returns the mean of the last `window` values, of fewer at the start."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)

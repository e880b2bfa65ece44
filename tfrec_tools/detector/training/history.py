"""The losses of a run's steps, as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.detector.training.train_step import LOSSES, StepLosses
from tfrec_tools.system.atomic import published

_LOSS_COLUMNS = ("step", *LOSSES)


def write_losses(path: Path, curve: Sequence[StepLosses]) -> None:
    with published(path) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_LOSS_COLUMNS)
        writer.writerows([getattr(row, column) for column in _LOSS_COLUMNS] for row in curve)


def read_losses(path: Path) -> list[StepLosses]:
    """The inverse of `write_losses`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            StepLosses(int(row["step"]), *(float(row[column]) for column in _LOSS_COLUMNS[1:]))
            for row in csv.DictReader(file)
        ]

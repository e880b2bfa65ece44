"""The losses of a run's steps, as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tfrec_tools.detector.training.train_step import LOSSES, StepLosses
from tfrec_tools.errors import InputError
from tfrec_tools.system.atomic import published

Row = TypeVar("Row")

_LOSS_COLUMNS = ("step", *LOSSES)


def write_losses(path: Path, curve: Sequence[StepLosses]) -> None:
    with published(path) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_LOSS_COLUMNS)
        writer.writerows([getattr(row, column) for column in _LOSS_COLUMNS] for row in curve)


def read_losses(path: Path) -> list[StepLosses]:
    """The inverse of `write_losses`. Raises InputError where the file is cut off or missing."""
    return read_table(path, lambda row: StepLosses(int(row["step"]), *_floats(row, _LOSS_COLUMNS[1:])))


def read_table(path: Path, make: Callable[[dict[str, str]], Row]) -> list[Row]:
    """Returns what `make` makes of each row of a CSV file, {column: value}. Raises InputError as `reading`
    does."""
    with reading(path), path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not rows.fieldnames:
            raise ValueError("it is empty")
        return [make(row) for row in rows]


def _floats(row: dict[str, str], columns: Sequence[str]) -> Iterator[float]:
    return (float(row[column]) for column in columns)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a file of a run raises that is cut off, missing or not its own into InputError."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as fault:
        reason = f"cannot be read as what the run noted ({fault}); start the run anew"
        raise InputError(path, reason) from fault

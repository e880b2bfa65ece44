"""How good a model is while it trains, by average precision on validation images."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.training.history import read_table
from tfrec_tools.system.atomic import published

# A choice among models needs no more than so many images.
_MOST_IMAGES = 500


def unsaid(line: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Watch:
    """When a training is looked at, and what ends it early; None is never.

    every     steps between two validations
    patience  validations that may go by without a better one
    budget_s  seconds of training, validations included
    validated_s  seconds that a validation is expected to take
    say       is called with a line for the user
    """

    every: int | None = None
    patience: int | None = None
    budget_s: float | None = None
    validated_s: float = 0.0
    say: Callable[[str], None] = unsaid

    def steps_between(self, steps: int) -> int | None:
        """Returns the steps between two validations of a training of so many: with patience alone a tenth."""
        return self.every or (max(1, steps // 10) if self.patience else None)


NEVER = Watch()


@dataclass(frozen=True, slots=True)
class Validation:
    """After a step: mean AP50, 0 to 1, of the classes that the base knew, of the others, and of all; and the
    agreement with the base on the classes that it knew, where no box of them is annotated. None where there
    is nothing to measure."""

    step: int
    old: float | None
    new: float | None
    all: float | None
    agreement: float | None = None

    @property
    def score(self) -> float:
        """What is to be as high as can be: the harmonic mean of old and new, where both can be measured."""
        if (balance := self.balance) is None:
            return self.all or self.agreement or 0.0
        return balance

    @property
    def balance(self) -> float | None:
        """The harmonic mean of old and new; None where one of them cannot be measured."""
        old = self.agreement if self.old is None else self.old
        if old is None or self.new is None:
            return None
        return average_precision.harmonic_mean(old, self.new)


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """What models are measured with while one is chosen.

    val       annotated images
    believed  where no old class has a box in them: the same images, then others, with what the base is
              confident of as their boxes
    """

    val: Sequence[IndexedExample]
    believed: Sequence[IndexedExample] = ()


def validate(detector: Detector, yardstick: Yardstick, rows: Sequence[ClassRow], step: int) -> Validation:
    val, believed, labels = yardstick.val, yardstick.believed, detector.labels
    detections = average_precision.find(detector, believed or val, labels)
    precisions = average_precision.average_precision(val, detections[: len(val)], labels)
    old = [row.id for row in rows if row.base_id is not None]
    new = [row.id for row in rows if row.base_id is None]
    means = [average_precision.mean(precisions, ids) for ids in (old, new, old + new)]
    if believed:
        agreed = average_precision.average_precision(believed, detections, labels)
        means.append(average_precision.mean(agreed, old))
    return Validation(step, *(mean.ap50 if mean else None for mean in means))


def few(examples: Sequence[IndexedExample]) -> Sequence[IndexedExample]:
    """Returns evenly spaced examples, few enough to be evaluated again and again."""
    return examples[:: max(1, -(-len(examples) // _MOST_IMAGES))]


def best_of(validations: Sequence[Validation]) -> Validation:
    """Returns the first of the highest score."""
    return max(validations, key=lambda validation: validation.score)


def without_gain(validations: Sequence[Validation]) -> int:
    """Returns how many have gone by since the best."""
    return len(validations) - 1 - validations.index(best_of(validations)) if validations else 0


def write_validations(path: Path, validations: Sequence[Validation]) -> None:
    with published(path) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS.values(), "score"])
        writer.writerows(
            [*(getattr(validation, name) for name in _COLUMNS), validation.score]
            for validation in validations
        )


def read_validations(path: Path) -> list[Validation]:
    """The inverse of `write_validations`. Raises InputError where the file is cut off or missing."""
    columns = list(_COLUMNS.values())[1:]
    return read_table(
        path,
        lambda row: Validation(
            int(row["step"]), *(float(row[column]) if row[column] else None for column in columns)
        ),
    )


_COLUMNS = {
    field.name: f"ap50_{field.name}" if field.name in ("old", "new", "all") else field.name
    for field in fields(Validation)
}

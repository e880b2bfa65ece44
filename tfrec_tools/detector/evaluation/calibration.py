"""What brings new classes to the level of the old ones: a number for the logits of each.

A class head starts a new class at a score of 0.01, and a short training takes it less far than the base's
took the others, so that no one threshold is right for both. The remedy is Platt's (1999), a map of the scores
that is fitted on images apart, with its slope held at 1; for classes that came later it is that of BiC (Wu et
al. 2019, "Large scale incremental learning"), which corrects the logits of new classes alone. What is fitted
here is where the F1 is best: of each new class, where it is for the middle one of the old.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, boxes_by_class
from tfrec_tools.detector.evaluation.operating_points import USUAL, operating_point
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.errors import counted, listed

FEWEST_BOXES = 5  # to choose by
_LEAST = 1e-4  # of a score and of what it lacks to 1, so that its logit is finite


@dataclass(frozen=True, slots=True)
class Shift:
    """What became of a new class: `boxes` to choose by, `score` from which on its F1 was best there, and what
    was `added` to its logits; None where that could not be chosen."""

    id: int
    name: str
    boxes: int
    score: float | None
    added: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The shifts of the new classes; `level` is the score from which on all of them are best taken since,
    None where nothing was calibrated; `reason` says why, where it is not for want of boxes."""

    level: float | None = None
    shifts: tuple[Shift, ...] = ()
    reason: str = ""

    @property
    def note(self) -> str:
        """For people; nothing where nothing was to be done."""
        moved = [f"{shift.name} {shift.added:+.2f}" for shift in self.shifts if shift.added is not None]
        alone = [shift for shift in self.shifts if shift.added is None]
        left = [f"{shift.name} ({counted(shift.boxes, 'box')})" for shift in alone]
        words = [self.reason]
        if self.level is not None:
            words.append(
                f"Added to the logits of new classes, so that all are best taken from about {self.level:.2f} "
                f"on: {listed(moved)}."
            )
        if left:
            words.append(f"Not calibrated, with too little to choose by: {listed(left)}.")
        return " ".join(filter(None, words))


NONE = Calibration()
SOFTMAX = Calibration(
    reason="Not calibrated: the classes share a softmax, where what new ones gain is taken from old ones."
)


def fitted(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], rows: Sequence[ClassRow]
) -> Calibration:
    """Returns what is to be added to the logits of the new classes, by their detections in these images; the
    usual score is the level where no old class says another."""
    boxes = boxes_by_class(examples)
    enough = [row.id for row in rows if boxes.get(row.id, 0) >= FEWEST_BOXES]
    points = {label_id: operating_point(examples, detections, label_id) for label_id in enough}
    scores = {label_id: point.score for label_id, point in points.items() if point}
    old = [_logit(scores[row.id]) for row in rows if row.base_id is not None and row.id in scores]
    level = median(old) if old else _logit(USUAL)
    new = [row for row in rows if row.base_id is None]
    shifts = tuple(
        Shift(
            row.id,
            row.name,
            boxes.get(row.id, 0),
            scores.get(row.id),
            round(level - _logit(scores[row.id]), 4) if row.id in scores else None,
        )
        for row in new
    )
    return Calibration(_probability(level) if scores.keys() & {row.id for row in new} else None, shifts)


def _logit(score: float) -> float:
    kept = min(max(score, _LEAST), 1.0 - _LEAST)
    return math.log(kept / (1.0 - kept))


def _probability(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))

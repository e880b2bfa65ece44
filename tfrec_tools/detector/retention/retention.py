"""What keeps the old classes known while new ones are learnt: chosen before training, and put to work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import tensorflow as tf

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation import average_precision, calibration
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.calibration import Calibration
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.model.detector import Detector, Values
from tfrec_tools.detector.options.finetune import RetentionOptions
from tfrec_tools.detector.retention import pseudo_labels, replay, weight_blending
from tfrec_tools.detector.training import validation
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Yardstick
from tfrec_tools.errors import TfrecError

AUTO: Final = "auto"
OFF: Final = "off"


NOTHING = RetentionOptions(pseudo_labels=OFF, distill=OFF, interpolate=OFF, calibrate=OFF)


def old_ids(rows: Sequence[ClassRow]) -> list[int]:
    """Returns ids, in the grown map, of classes that the base knows."""
    return [row.id for row in rows if row.base_id is not None]


def new_ids(rows: Sequence[ClassRow]) -> frozenset[int]:
    return frozenset(row.id for row in rows if row.base_id is None)


def replayed(memory: RetentionOptions, old: Sequence[IndexedExample], seed: int) -> list[IndexedExample]:
    """Raises TfrecError where the budget is neither a number nor a share."""
    text = memory.replay_budget.strip()
    try:
        budget = len(old) * float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError as fault:
        raise TfrecError(
            f"--replay-budget: found {text!r}, expected a number or a share: 200, 10%"
        ) from fault
    return list(old) if budget >= len(old) else replay.choose(old, round(budget), seed)


def teacher(memory: RetentionOptions, base: Detector, rows: Sequence[ClassRow]) -> Teacher | None:
    """Returns the base as a teacher of what it knows, or None."""
    known = [(row.base_id - 1, row.id - 1) for row in rows if row.base_id is not None]
    if not known or memory.distill == OFF:
        return None
    base_columns, grown_columns = (tf.constant(columns, tf.int32) for columns in zip(*known, strict=True))
    return Teacher(base.network, base_columns, grown_columns)


def blend(
    memory: RetentionOptions,
    trainer: Trainer,
    start: Values,
    rows: Sequence[ClassRow],
    yardstick: Yardstick,
    progress: Callable[[int], None],
) -> dict[float, float]:
    """Leaves the trained detector between its weights before training, `start`, and now; {alpha: harmonic
    mean of old and new AP50, or of agreement on the old and AP50 of the new, as the yardstick has it} of
    those compared. Nothing where there is nothing to weigh up: then all of the training is kept."""
    old, new = old_ids(rows), new_ids(rows)
    if memory.interpolate == OFF or not old or not new:
        return {}
    alphas = weight_blending.ALPHAS if memory.interpolate == AUTO else (_alpha(memory.interpolate),)
    if len(alphas) > 1 and not can_weigh(yardstick, rows):
        return {}
    done = 0

    def measure(_alpha: float) -> float:
        nonlocal done
        measured = validation.validate(trainer.detector, yardstick, rows, step=0)
        done += 1
        progress(done)
        return measured.balance or 0.0

    return weight_blending.choose(trainer, start, new, measure, alphas)


def calibrate(
    memory: RetentionOptions,
    detector: Detector,
    rows: Sequence[ClassRow],
    val: Sequence[IndexedExample],
    progress: Callable[[int], None],
) -> Calibration:
    """Leaves the scores of the new classes at the level of the old ones on `val`. Where each class has a
    sigmoid of its own, the order of its detections stays, and every logit of the others; in a softmax, what
    one class gains the others lose, also where they are right: there nothing is done."""
    if memory.calibrate == OFF or not new_ids(rows):
        return calibration.NONE
    if not registry.of(detector.config).HAS_SIGMOIDS:
        return calibration.SOFTMAX
    examples = validation.few(val)
    detections = average_precision.find(detector, examples, detector.labels, progress)
    chosen = calibration.fitted(examples, detections, rows)
    growth.add_to_biases(
        detector, {shift.id: shift.added for shift in chosen.shifts if shift.added is not None}
    )
    return chosen


def can_weigh(yardstick: Yardstick, rows: Sequence[ClassRow]) -> bool:
    """Returns whether old and new classes can both be measured, so that one can be weighed against the
    other."""
    counts = average_precision.boxes_by_class(yardstick.val)
    believed = average_precision.boxes_by_class(yardstick.believed)
    old = any(counts.get(label_id) or believed.get(label_id) for label_id in old_ids(rows))
    return old and any(counts.get(label_id) for label_id in new_ids(rows))


def thresholds(
    rows: Sequence[ClassRow],
    val: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    scores: Mapping[int, float],
) -> dict[int, float]:
    """Returns {id: score} from which on the base is believed: by its detections on `val`. Where no old class
    has a box there, by the scores {id of the base: score} that its folder says it is best taken from, else
    the usual one."""
    ids = old_ids(rows)
    unlabelled = average_precision.boxes_by_class(val).keys().isdisjoint(ids)
    usual = {
        row.id: scores[row.base_id]
        for row in rows
        if unlabelled and row.base_id is not None and row.base_id in scores
    }
    return pseudo_labels.choose_thresholds(val, detections, ids, usual)


def _alpha(text: str) -> float:
    try:
        alpha = float(text)
    except ValueError:
        alpha = -1.0
    if not 0.0 <= alpha <= 1.0:
        raise TfrecError(f"--interpolate: found {text!r}, expected auto, off or a number from 0 to 1")
    return alpha

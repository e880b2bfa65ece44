"""What keeps the old classes known while new ones are learnt: chosen before training, and put to work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfrec_tools.detector.data.index import Annotated
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.evaluation.average_precision import Found
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model.detector import Detector, Values
from tfrec_tools.detector.model.growth import ClassRow
from tfrec_tools.detector.retention import pseudo_labels, replay, weight_blending
from tfrec_tools.detector.training import validation
from tfrec_tools.errors import TfrecError

AUTO, ON, OFF = "auto", "on", "off"


@dataclass(frozen=True, slots=True)
class Memory:
    """The means; each is AUTO, OFF, or as said.

    pseudo_labels  AUTO: the base labels its classes on the new pictures; or a pattern of records that are
                   those pictures, so labelled
    distill        ON: the base is a teacher in training
    interpolate    AUTO: the best blend by the harmonic mean of old and new AP50; or a number, 0 to 1
    replay_budget  how many old pictures to replay: a number, or a share such as "10%"
    """

    pseudo_labels: str
    distill: str
    interpolate: str
    replay_budget: str


NOTHING = Memory(OFF, OFF, OFF, "100%")


def old_ids(rows: Sequence[ClassRow]) -> list[int]:
    """Ids, in the grown map, of classes that the base knows."""
    return [row.id for row in rows if row.base_id is not None]


def new_ids(rows: Sequence[ClassRow]) -> frozenset[int]:
    return frozenset(row.id for row in rows if row.base_id is None)


def replayed(memory: Memory, old: Sequence[Annotated], seed: int) -> list[Annotated]:
    """TfrecError where the budget is neither a number nor a share."""
    text = memory.replay_budget.strip()
    try:
        budget = len(old) * float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError as fault:
        raise TfrecError(
            f"--replay-budget: found {text!r}, expected a number or a share: 200, 10%"
        ) from fault
    return list(old) if budget >= len(old) else replay.choose(old, round(budget), seed)


def teacher(memory: Memory, base: Detector, rows: Sequence[ClassRow]) -> Teacher | None:
    """The base as a teacher of what it knows, or None."""
    known = [(row.base_id - 1, row.id - 1) for row in rows if row.base_id is not None]
    if not known or memory.distill == OFF:
        return None
    base_columns, grown_columns = (tf.constant(columns, tf.int32) for columns in zip(*known, strict=True))
    return Teacher(base.network, base_columns, grown_columns)


def blend(
    memory: Memory,
    detector: Detector,
    start: Values,
    rows: Sequence[ClassRow],
    val: Sequence[Annotated],
    progress: Callable[[int], None],
) -> dict[float, float]:
    """Leaves the detector between its weights before training, `start`, and now; {alpha: harmonic mean of
    old and new AP50 on `val`} of those compared. Nothing where there is nothing to weigh up."""
    old, new = old_ids(rows), new_ids(rows)
    if memory.interpolate == OFF or not old or not new:
        return {}
    pictures = validation.few(val)
    alphas = weight_blending.ALPHAS if memory.interpolate == AUTO else (_alpha(memory.interpolate),)
    done = 0

    def measure(_alpha: float) -> float:
        nonlocal done
        measured = validation.validate(detector, pictures, rows, step=0)
        done += 1
        progress(done)
        return average_precision.harmonic_mean(measured.old or 0.0, measured.new or 0.0)

    return weight_blending.choose(detector, start, new, measure, alphas)


def thresholds(
    rows: Sequence[ClassRow], val: Sequence[Annotated], found: Sequence[Found]
) -> dict[int, float]:
    """{id: score} from which on the base is believed, by its detections on `val`."""
    return pseudo_labels.choose_thresholds(val, found, old_ids(rows))


def _alpha(text: str) -> float:
    try:
        alpha = float(text)
    except ValueError:
        alpha = -1.0
    if not 0.0 <= alpha <= 1.0:
        raise TfrecError(f"--interpolate: found {text!r}, expected auto, off or a number from 0 to 1")
    return alpha

"""The story of `tfrec finetune`: a base is measured, grows, trains, is measured again and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL.Image import Image

from tfrec_tools import __version__
from tfrec_tools.detector.data import reading, unlabelled
from tfrec_tools.detector.data.batches import evaluation_batches
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation import average_precision, operating_points
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, ImageDetections
from tfrec_tools.detector.evaluation.metrics import Metrics, best_scores, measure
from tfrec_tools.detector.knowledge import Base, Known, find, known, with_pseudo_labels
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.materials import Materials, held_back, with_unlabelled
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.model.detector import Detector, class_logits, save_detector, values
from tfrec_tools.detector.plan import Finetuning
from tfrec_tools.detector.reports import comparison, results
from tfrec_tools.detector.reports.images import detections_sheet
from tfrec_tools.detector.reports.results import Results
from tfrec_tools.detector.retention import agreement, retention
from tfrec_tools.detector.training import batch_size, length, loop, rates, validation
from tfrec_tools.detector.training.logbook import Logbook
from tfrec_tools.detector.training.run_notes import open_run
from tfrec_tools.detector.training.settings import TrainConfig, require_trainable
from tfrec_tools.detector.training.tensorboard import Board
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Watch, Yardstick, unsaid
from tfrec_tools.system import locks


@dataclass(frozen=True, slots=True)
class Proof:
    """What growing does to a batch: the classes' rows, and the largest change of an old class's logits; and
    how the groups of layers would be trained."""

    rows: list[ClassRow]
    images: int
    max_difference: float
    groups: list[rates.GroupLine]


def dry_run(plan: Finetuning) -> Proof:
    """Grows the base and compares the logits of the classes that it knew, on up to 8 images of --val."""
    base = plan.base_detector()
    rows = plan.rows(base.labels)
    grown = plan.grown(base)
    rates.require_groups(grown, plan.config)
    examples = plan.read(retention.new_ids(rows), (reading.TRAIN, reading.VAL))
    groups = rates.table(grown, plan.frozen(len(examples[reading.TRAIN])))
    chosen = examples[reading.VAL][:8]
    images, windows = next(iter(evaluation_batches(base.config, chosen, 8)))
    old_columns = [row.base_id - 1 for row in rows if row.base_id is not None]
    new_columns = [row.id - 1 for row in rows if row.base_id is not None]
    before, after = (class_logits(detector, images, windows).numpy() for detector in (base, grown))
    difference = float(np.abs(before[..., old_columns] - after[..., new_columns]).max())
    return Proof(rows, len(chosen), difference, groups)


def finetune(plan: Finetuning, *, resume: bool) -> list[comparison.Line]:
    """Fills plan.out with model/, run.toml, state.npz, losses.csv, what `results` writes and, where asked
    for, pseudo_labels/, results.csv and tensorboard/.

    InputError where an input cannot be used, or plan.out holds a run that is not to be resumed;
    Interrupted at Ctrl-C, with the model so far in plan.out/model and all that --resume needs; LostWorker
    with the same. Each worker of a cluster does the same until the training, then helps with it; the chief
    alone writes to plan.out and has lines to show.
    """
    with plan.cluster.folder(plan.out) as out, locks.held(out, "run"), plan.cluster.together():
        say = plan.say if plan.cluster.is_chief else unsaid
        own = replace(plan, out=out, say=say)
        return _finetune(own, chiefs=plan.out, resume=resume and plan.cluster.is_chief)


def _finetune(plan: Finetuning, *, chiefs: Path, resume: bool) -> list[comparison.Line]:
    started, labels, cluster = time.monotonic(), plan.labels, plan.cluster
    with cluster.strategy.scope():
        base = plan.base_detector()
    rows = plan.rows(base.labels)
    teacher = retention.teacher(plan.memory, base, rows)
    require_trainable(base, plan.config, teacher, cluster)
    rates.require_groups(base, plan.config)
    data = _read_data(plan, rows)
    open_run(plan.out, plan.options, plan.inputs, resume=resume)
    knowing = Base(plan, base, rows, _with_unlabelled(plan, data, rows))
    keras.utils.set_random_seed(plan.config.seed)
    data = with_pseudo_labels(knowing, chiefs)
    plan.progress("growing the base", 0, None)
    with cluster.strategy.scope():
        detector = plan.grown(base)
    start = values(detector.network)
    trainer = _trainer(plan, _length(data, rows), _maker(plan, detector, teacher, rows))
    if not cluster.is_chief:
        loop.help_training(trainer, data.training, partial(plan.progress, "helping to train"))
        return []
    before = known(knowing)
    yardstick = before.watched.yardstick(data.val)
    trained = _train(plan, trainer, data, rows, yardstick, resume=resume)
    blends = retention.blend(plan.memory, trainer, start, rows, yardstick, plan.counted("blending"))
    calibration = retention.calibrate(plan.memory, detector, rows, data.val, plan.counted("calibrating"))
    save_detector(detector, plan.out / "model")
    detected, after, metrics = _measured(plan, detector, data.test)
    lines = comparison.comparison(rows, before.before, after, before.agreed(plan, detector, detected))
    facts = comparison.Facts(
        base=str(plan.base),
        forgetting=comparison.forgetting(lines),
        steps=trainer.step,
        ended=trained.ended,
        best_step=trained.best_step,
        thresholds=before.believed,
        blends=blends,
        images=data.counts,
        set_aside=data.set_aside,
        agreement=before.watching(lines),
        augmentations=trainer.augmentations,
        seconds=round(time.monotonic() - started, 1),
        versions={"tfrec": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
        calibration=calibration,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        measured_with=data.measured_with,
    )
    sheet, log = _sheet(plan, rows, before, detected, metrics), trained.log
    beside = before.beside(knowing, detected, after, metrics)
    shown = Results(lines, facts, plan.options, labels, log.curve, log.validations, sheet, metrics, beside)
    results.write_results(plan.out, shown)
    return lines


@dataclass(frozen=True, slots=True)
class _Trained:
    """A training that is over: what was noted of it, why it ended, and the step that the weights are of."""

    log: Logbook
    ended: str
    best_step: int


def _train(
    plan: Finetuning,
    trainer: Trainer,
    data: Materials,
    rows: Sequence[ClassRow],
    yardstick: Yardstick,
    *,
    resume: bool,
) -> _Trained:
    """Trains to the end, validated by the yardstick. Raises Interrupted or LostWorker, as `finetune` says."""
    log = Logbook(trainer, plan.out, resume=resume, board=_board(plan))
    ended = loop.train(
        trainer,
        log,
        _watch(plan, yardstick),
        data.training,
        partial(validation.validate, trainer.detector, yardstick, rows),
        partial(plan.progress, "training"),
    )
    best = validation.best_of(log.validations).step if log.validations else trainer.step
    return _Trained(log, ended, best)


def _measured(
    plan: Finetuning, detector: Detector, examples: Sequence[IndexedExample]
) -> tuple[list[ImageDetections], dict[int, AveragePrecision], Metrics]:
    """Returns what the grown model finds, its average precisions with spreads, and its metrics."""
    detected = find(plan, detector, "measuring the grown model", examples)
    after = average_precision.average_precision(examples, detected, plan.labels, spread=True)
    return detected, after, measure(examples, detected, plan.labels, min_score=None, voc07=False)


def _length(data: Materials, rows: Sequence[ClassRow]) -> length.Data:
    return length.Data(len(data.new), len(retention.new_ids(rows)) or len(rows))


def _maker(
    plan: Finetuning, detector: Detector, teacher: Teacher | None, rows: Sequence[ClassRow]
) -> Callable[[TrainConfig], Trainer]:
    apart = retention.new_ids(rows) if plan.masked else frozenset[int]()
    return partial(Trainer, detector, teacher=teacher, apart=apart, cluster=plan.cluster)


def _watch(plan: Finetuning, yardstick: Yardstick) -> Watch:
    images = len(yardstick.val) + len(yardstick.believed)
    return replace(plan.watch, validated_s=plan.found.seconds_an_image * images, say=plan.say)


def _trainer(plan: Finetuning, data: length.Data, make: Callable[[TrainConfig], Trainer]) -> Trainer:
    config = batch_size.fitted(plan.frozen(data.images), make, plan.out / "batch_size.txt")
    of_run = length.settled(config.steps, data, config.batch_size, length.length_notes(plan.out))
    trainer = make(replace(config, steps=of_run.planned))
    trainer.length = of_run
    if not plan.config.steps and not plan.config.batch_size:  # else it was said before TensorFlow loaded
        plan.say(data.line(config.batch_size))
    plan.say(rates.line(rates.table(trainer.detector, trainer.config)))
    return trainer


def _read_data(plan: Finetuning, rows: Sequence[ClassRow]) -> Materials:
    examples = plan.read(retention.new_ids(rows), (reading.TRAIN, reading.VAL))
    new, val = examples[reading.TRAIN], examples[reading.VAL]
    old = retention.replayed(plan.memory, examples[reading.REPLAY], plan.config.seed)
    if not plan.masked:
        new = [replace(example, labeled=frozenset(plan.labels.name_by_id)) for example in new]
    return Materials(new, old, val, examples[reading.TEST] or val, aside=not plan.val)


def _with_unlabelled(plan: Finetuning, data: Materials, rows: Sequence[ClassRow]) -> Materials:
    """The images of --unlabelled, in records that stay; some are held back where old classes are to be
    watched by them."""
    old = retention.old_ids(rows)
    if plan.unlabelled and not old:
        plan.say("--unlabelled: not looked at, as there is no old class to teach or to watch")
    if not plan.unlabelled or not old:
        return data
    file = plan.unlabelled_file
    if not file.is_file():
        unlabelled.write_unlabelled(file, plan.unlabelled, plan.say, plan.counted("reading images"))
    data = with_unlabelled(data, unlabelled.index_unlabelled(file, plan.labels), plan.say)
    taught = plan.memory.pseudo_labels != retention.OFF or plan.memory.distill != retention.OFF
    if not taught or agreement.decides(data.val, old):
        return held_back(data, plan.config.seed, taught=taught)
    return data


def _board(plan: Finetuning) -> Board | None:
    return Board(plan.out / "tensorboard") if plan.tensorboard else None


def _sheet(
    plan: Finetuning,
    rows: Sequence[ClassRow],
    before: Known,
    detected: Sequence[ImageDetections],
    metrics: Metrics,
) -> Image:
    """Returns the sheet of detections; what the base found is left out where it can know none of the
    classes."""
    plan.progress("writing the report", 0, None)
    columns: list[tuple[str, Sequence[ImageDetections] | None]] = [
        ("annotated", None),
        ("after", _above_threshold(detected, best_scores(metrics.classes))),
    ]
    if any(row.base_id is not None for row in rows):
        columns.insert(1, ("before", _above_threshold(before.detected, before.believed)))
    return detections_sheet(before.data.test, columns, plan.labels, retention.new_ids(rows))


def _above_threshold(
    detections: Sequence[ImageDetections], needed: operating_points.Needed
) -> list[ImageDetections]:
    return [operating_points.above_threshold(item, needed) for item in detections]

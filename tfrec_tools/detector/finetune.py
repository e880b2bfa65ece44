"""The story of `tfrec finetune`: a base is measured, grows, trains, is measured again and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfrec_tools import __version__
from tfrec_tools.detector.data.batches import evaluation_batches
from tfrec_tools.detector.data.index import Annotated, index_records
from tfrec_tools.detector.evaluation import average_precision, operating_points
from tfrec_tools.detector.evaluation.metrics import best_scores, measure
from tfrec_tools.detector.model import growth, imagenet
from tfrec_tools.detector.model.detector import Detector, class_logits, load_detector, save_detector, values
from tfrec_tools.detector.reports import comparison, results
from tfrec_tools.detector.reports.images import detections_picture, labels_picture
from tfrec_tools.detector.reports.results import Results
from tfrec_tools.detector.retention import pseudo_labels, retention
from tfrec_tools.detector.retention.retention import Memory
from tfrec_tools.detector.training import batch_size, loop, validation
from tfrec_tools.detector.training.distribution import ALONE, Cluster
from tfrec_tools.detector.training.logbook import Logbook, open_run
from tfrec_tools.detector.training.run_toml import Options
from tfrec_tools.detector.training.settings import TrainConfig, require_trainable
from tfrec_tools.detector.training.tensorboard import Board
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import NEVER, Watch
from tfrec_tools.labels.id_tables import Tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system.atomic import published

# Shows a long step: given its name, a function (done, total or None, how it goes) to call meanwhile.
Progress = Callable[[int, int | None, str], None]
Stage = Callable[[str], AbstractContextManager[Progress]]

# Too few to teach a backbone anything but themselves.
_FEW_PICTURES = 50


@dataclass(frozen=True, slots=True)
class Finetuning:
    """What to do: paths, patterns of record files, classes of the grown model, how to train and what keeps
    the old classes known.

    test    what the table is measured on; none is `val`, by which everything is chosen
    masked  False: every picture counts as annotated for all classes, and each box as much as any other, as
            trainers that know no better do
    freeze_few  freeze the backbone where there are few new pictures
    tables  of the merge that the classes are of
    pipeline  of the detector to make, where `base` is weights of a classification
    watch   how training is looked at, and what ends it early
    tensorboard  whether the curves are written for it too
    cluster  where it is trained
    options  what the user set, to be kept with the run
    """

    base: Path
    labels: LabelMap
    train: tuple[str, ...]
    replay: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    out: Path
    drop_classes: bool
    memory: Memory
    masked: bool
    freeze_few: bool
    config: TrainConfig
    tables: Tables | None = None
    pipeline: Path | None = None
    watch: Watch = NEVER
    tensorboard: bool = False
    cluster: Cluster = ALONE
    options: Options = field(default_factory=dict)

    @property
    def drops(self) -> bool:
        """Whether the grown map may lack classes of the base."""
        return self.drop_classes or self.pipeline is not None

    def base_detector(self) -> Detector:
        if self.pipeline is None:
            return load_detector(self.base)
        return imagenet.new_detector(self.pipeline, str(self.base), self.config.seed)

    def renamed(self, base: LabelMap) -> dict[str, str | None]:
        """{class of the base: its name in the grown map}, where the tables of the merge say so."""
        return new_names(self.tables, base.name_by_id)

    @property
    def control(self) -> Finetuning:
        """The plain fine-tuning of the same pictures: what is gained shows beside it."""
        config = replace(self.config, average=0.0, replay_ratio=0.0)
        return replace(
            self, out=self.out / "control", replay=(), memory=retention.NOTHING, masked=False, config=config
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """What growing does to a batch: the classes' rows, and the largest change of an old class's logits."""

    rows: list[growth.ClassRow]
    pictures: int
    max_difference: float


def dry_run(plan: Finetuning, stage: Stage) -> Proof:
    """Grows the base and compares the logits of the classes that it knew, on up to 8 pictures of --val."""
    labels = plan.labels
    base = plan.base_detector()
    renamed = plan.renamed(base.labels)
    rows = growth.class_rows(base.labels, labels, drop_classes=plan.drops, renamed=renamed)
    grown = growth.grow(base, labels, plan.config.seed, drop_classes=plan.drops, renamed=renamed)
    examples = _index(plan.val, labels, stage)[:8]
    images, windows = next(iter(evaluation_batches(base.config, examples, 8)))
    old_columns = [row.base_id - 1 for row in rows if row.base_id is not None]
    new_columns = [row.id - 1 for row in rows if row.base_id is not None]
    before, after = (class_logits(detector, images, windows).numpy() for detector in (base, grown))
    difference = float(np.abs(before[..., old_columns] - after[..., new_columns]).max())
    return Proof(rows, len(examples), difference)


def finetune(plan: Finetuning, stage: Stage, *, resume: bool) -> list[comparison.Line]:
    """Fills plan.out with model/, run.toml, state.npz, losses.csv, what `results` writes and, where asked
    for, pseudo_labels/, results.csv and tensorboard/.

    InputError where an input cannot be used, or plan.out holds a run that is not to be resumed;
    Interrupted at Ctrl-C, with the model so far in plan.out/model and all that --resume needs; LostWorker
    with the same. Each worker of a cluster does the same until the training, then helps with it; the chief
    alone writes to plan.out and has lines to show.
    """
    with plan.cluster.folder(plan.out) as out, plan.cluster.together():
        return _finetune(replace(plan, out=out), stage, resume=resume and plan.cluster.is_chief)


def _finetune(plan: Finetuning, stage: Stage, *, resume: bool) -> list[comparison.Line]:
    started = time.monotonic()
    labels, cluster = plan.labels, plan.cluster
    with cluster.strategy.scope():
        base = plan.base_detector()
    renamed = plan.renamed(base.labels)
    rows = growth.class_rows(base.labels, labels, drop_classes=plan.drops, renamed=renamed)
    teacher = retention.teacher(plan.memory, base, rows)
    require_trainable(base, plan.config, teacher, cluster)
    data = _read_data(plan, labels, stage)
    open_run(plan.out, plan.options, resume=resume)
    keras.utils.set_random_seed(plan.config.seed)
    find_by_base = partial(_find, detector=base, labels=labels, stage=stage, renamed=renamed)
    found_val = find_by_base("measuring the base", data.val)
    found_before = found_val if data.test is data.val else find_by_base("testing the base", data.test)
    before = average_precision.average_precision(data.test, found_before, labels)
    believed = retention.thresholds(rows, data.val, found_val)
    data = replace(data, new=_with_pseudo_labels(plan, data.new, believed, find_by_base, stage))
    with cluster.strategy.scope():
        detector = growth.grow(base, labels, plan.config.seed, drop_classes=plan.drops, renamed=renamed)
    start = values(detector.network)
    apart = retention.new_ids(rows) if plan.masked else frozenset[int]()
    trainer = _trainer(
        plan, data.new, partial(Trainer, detector, teacher=teacher, apart=apart, cluster=cluster)
    )
    if not cluster.is_chief:
        with stage("helping to train") as show:
            loop.help_training(trainer, data.new, data.old, show)
        return []
    log = Logbook(trainer, plan.out, resume=resume, board=_board(plan))
    validate = partial(validation.validate, detector, validation.few(data.val), rows)
    with stage("training") as show:
        ended = loop.train(trainer, log, plan.watch, data.new, data.old, validate, show)
    with stage("blending with the base") as show:
        blends = retention.blend(
            plan.memory, detector, start, rows, data.val, lambda done: show(done, None, "")
        )
    save_detector(detector, plan.out / "model")
    found = _find("measuring the grown model", data.test, detector, labels, stage)
    lines = comparison.comparison(rows, before, average_precision.average_precision(data.test, found, labels))
    facts = comparison.Facts(
        base=str(plan.base),
        forgetting=comparison.forgetting(lines),
        steps=trainer.step,
        ended=ended,
        best_step=validation.best_of(log.validations).step if log.validations else trainer.step,
        thresholds=believed,
        blends=blends,
        pictures=data.counts,
        augmentations=trainer.augmentations,
        seconds=round(time.monotonic() - started, 1),
        versions={"tfrec": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    )
    metrics = measure(data.test, found, labels, min_score=None, voc07=False)
    columns = _columns(rows, _sure(found_before, believed), _sure(found, best_scores(metrics.classes)))
    sheet = detections_picture(data.test, columns, labels, retention.new_ids(rows))
    shown = Results(lines, facts, plan.options, labels, log.curve, log.validations, sheet, metrics)
    results.write_results(plan.out, shown)
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Indexed examples; `test` is `val` itself where nothing else is given."""

    new: Sequence[Annotated]
    old: Sequence[Annotated]
    val: Sequence[Annotated]
    test: Sequence[Annotated]

    @property
    def counts(self) -> dict[str, int]:
        test = 0 if self.test is self.val else len(self.test)
        counts = len(self.new), len(self.old), len(self.val), test
        uses = ("new, to train with", "old, to train with", "to choose by", "to measure with")
        return dict(zip(uses, counts, strict=True))


def _trainer(plan: Finetuning, new: Sequence[Annotated], make: Callable[[TrainConfig], Trainer]) -> Trainer:
    freezes = plan.config.freeze_backbone or (plan.freeze_few and len(new) < _FEW_PICTURES)
    config = replace(plan.config, freeze_backbone=freezes)
    return make(batch_size.fitted(config, make, plan.out / "batch_size.txt"))


def _read_data(plan: Finetuning, labels: LabelMap, stage: Stage) -> _Data:
    new, old, val, test = (
        _index(patterns, labels, stage) if patterns else []
        for patterns in (plan.train, plan.replay, plan.val, plan.test)
    )
    old = retention.replayed(plan.memory, old, plan.config.seed)
    if not plan.masked:
        new = [replace(example, labeled=frozenset(labels.name_by_id)) for example in new]
    return _Data(new, old, val, test or val)


def _with_pseudo_labels(
    plan: Finetuning,
    new: Sequence[Annotated],
    thresholds: Mapping[int, float],
    find_by_base: Callable[[str, Sequence[Annotated]], list[average_precision.Found]],
    stage: Stage,
) -> Sequence[Annotated]:
    """The new pictures with what the base found on them, in records that stay for the user to look at."""
    wanted, labels = plan.memory.pseudo_labels, plan.labels
    if wanted == retention.OFF or not thresholds:
        return new
    if wanted != retention.AUTO:
        return _index((wanted,), labels, stage)
    file = plan.out / "pseudo_labels" / "train.tfrecord"
    if not file.is_file():
        found = find_by_base("labelling old classes", new)
        file.parent.mkdir(exist_ok=True)
        (file.parent / "label_map.pbtxt").write_text(format_label_map(labels), encoding="utf-8")
        pseudo_labels.write_records(file, new, found, thresholds, labels)
    labelled = _index((str(file),), labels, stage)
    with published(file.parent / "preview.png") as (part,):
        labels_picture(labelled, labels).save(part, "PNG", optimize=True)
    return labelled


def _index(patterns: Sequence[str], labels: LabelMap, stage: Stage) -> list[Annotated]:
    with stage(f"reading {' '.join(patterns)}") as show:
        return index_records(patterns, labels, lambda done: show(done, None, ""))


def _find(
    name: str,
    examples: Sequence[Annotated],
    detector: Detector,
    labels: LabelMap,
    stage: Stage,
    renamed: growth.Renamed = growth.AS_THEY_ARE,
) -> list[average_precision.Found]:
    with stage(name) as show:
        return average_precision.find(
            detector, examples, labels, lambda done: show(done, len(examples), ""), renamed=renamed
        )


def _board(plan: Finetuning) -> Board | None:
    return Board(plan.out / "tensorboard") if plan.tensorboard else None


def _sure(
    found: Sequence[average_precision.Found], needed: operating_points.Needed
) -> list[average_precision.Found]:
    return [operating_points.sure(one, needed) for one in found]


def _columns(
    rows: Sequence[growth.ClassRow],
    before: Sequence[average_precision.Found],
    after: Sequence[average_precision.Found],
) -> list[tuple[str, Sequence[average_precision.Found] | None]]:
    """Of the picture: what the base found is left out where it can know none of the classes."""
    columns: list[tuple[str, Sequence[average_precision.Found] | None]] = [
        ("annotated", None),
        ("after", after),
    ]
    if any(row.base_id is not None for row in rows):
        columns.insert(1, ("before", before))
    return columns

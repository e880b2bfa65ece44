"""The story of `tfrec finetune`: a base is measured, grows, trains, is measured again and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfrec_tools import __version__
from tfrec_tools.detector.data.batches import evaluation_batches
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation import average_precision, operating_points
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.findings import Findings, Found
from tfrec_tools.detector.evaluation.metrics import best_scores, measure
from tfrec_tools.detector.model import growth, imagenet
from tfrec_tools.detector.model.class_rows import AS_THEY_ARE, ClassRow, Renamed, class_rows
from tfrec_tools.detector.model.description import BASE_LABELS
from tfrec_tools.detector.model.detector import Detector, class_logits, load_detector, save_detector, values
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.finetune import FinetuneOptions, RetentionOptions
from tfrec_tools.detector.options.groups import BACKBONE
from tfrec_tools.detector.reports import comparison, results
from tfrec_tools.detector.reports.images import detections_sheet, labels_sheet
from tfrec_tools.detector.reports.results import Results
from tfrec_tools.detector.retention import pseudo_labels, retention
from tfrec_tools.detector.training import batch_size, length, loop, rates, validation
from tfrec_tools.detector.training.distribution import ALONE, Cluster, open_cluster
from tfrec_tools.detector.training.logbook import Logbook
from tfrec_tools.detector.training.run_notes import CONTROL, numbered_run, open_run
from tfrec_tools.detector.training.settings import TrainConfig, require_trainable, train_config
from tfrec_tools.detector.training.shared_file import made_once
from tfrec_tools.detector.training.tensorboard import Board
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import NEVER, Watch, unsaid
from tfrec_tools.labels.id_tables import Tables, find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system import locks
from tfrec_tools.system.atomic import published
from tfrec_tools.system.options import Progress, as_path, as_texts, narrowed, recorded, silent
from tfrec_tools.system.toml_options import Values

# Too few to teach a backbone anything but themselves.
_FEW_IMAGES = 50


@dataclass(frozen=True, slots=True)
class Finetuning:
    """What to do: paths, patterns of record files, classes of the grown model, how to train and what keeps
    the old classes known.

    test    what the table is measured on; none is `val`, by which everything is chosen
    masked  False: every image counts as annotated for all classes, and each box as much as any other, as
            trainers that know no better do
    freeze_few  freeze the backbone where there are few new images
    base_labels  the label map of the base, where it is not to be looked for
    tables  of the merge that the classes are of
    pipeline  of the detector to make, where `base` is weights of a classification
    watch   how training is looked at, and what ends it early
    tensorboard  whether the curves are written for it too
    cluster  where it is trained
    options  what the user set, to be kept with the run, as are `inputs`: what differs where they do
    examples  of patterns, where they have been read already
    found   by the base, for the control to use too
    progress is called while a long step goes on, `say` with a line for the user
    """

    base: Path
    labels: LabelMap
    train: tuple[str, ...]
    replay: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    out: Path
    drop_classes: bool
    memory: RetentionOptions
    masked: bool
    freeze_few: bool
    config: TrainConfig
    base_labels: Path | None = None
    tables: Tables | None = None
    pipeline: Path | None = None
    watch: Watch = NEVER
    tensorboard: bool = False
    cluster: Cluster = ALONE
    options: Values = field(default_factory=dict)
    inputs: Values = field(default_factory=dict)
    examples: Mapping[tuple[str, ...], list[IndexedExample]] = field(default_factory=dict)
    found: Findings = field(default_factory=Findings)
    progress: Progress = silent
    say: Callable[[str], None] = unsaid

    @property
    def drops(self) -> bool:
        """Whether the grown map may lack classes of the base."""
        return self.drop_classes or self.pipeline is not None

    def base_detector(self) -> Detector:
        self.progress("reading the base", 0, None)
        if self.pipeline is None:
            return load_detector(self.base, self.base_labels, BASE_LABELS)
        return imagenet.new_detector(self.pipeline, str(self.base), self.config.seed)

    def renamed(self, base: LabelMap) -> dict[str, str | None]:
        """{class of the base: its name in the grown map}, where the tables of the merge say so."""
        return new_names(self.tables, base.name_by_id)

    @property
    def control(self) -> Finetuning:
        """The plain fine-tuning of the same images: what is gained shows beside it."""
        config = replace(self.config, average=0.0, replay_ratio=0.0)
        return replace(
            self, out=self.out / CONTROL, replay=(), memory=retention.NOTHING, masked=False, config=config
        )


def planned(
    options: FinetuneOptions,
    labels: LabelMap,
    examples: Mapping[tuple[str, ...], list[IndexedExample]],
) -> Finetuning:
    """What the options ask for; `labels` is what --labels names, `examples` what was read of the records.
    TfrecError where that cannot be."""
    pipeline = None if options.pipeline is None else as_path(options.pipeline)
    return Finetuning(
        base=options.base_path if pipeline else model_folder(str(options.base)),
        labels=labels,
        train=as_texts(options.train),
        replay=as_texts(options.replay),
        val=as_texts(options.val),
        test=as_texts(options.test),
        out=options.folder or numbered_run(Path("runs"), resume=options.resume),
        drop_classes=options.drop_classes,
        memory=narrowed(RetentionOptions, options),
        masked=True,
        freeze_few=options.freeze == "auto" and BACKBONE not in options.rates[1],
        config=train_config(options),
        base_labels=options.base_label_map,
        tables=find_tables(options.table_path, options.labels_path, labels),
        pipeline=pipeline,
        watch=Watch(options.eval_every, options.patience, options.budget_s),
        tensorboard=options.tensorboard,
        cluster=ALONE if options.dry_run else open_cluster(options.strategy),
        options=recorded(options, whole=True),
        examples=examples,
        progress=options.progress,
    )


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
    labels = plan.labels
    base = plan.base_detector()
    renamed = plan.renamed(base.labels)
    rows = class_rows(base.labels, labels, drop_classes=plan.drops, renamed=renamed)
    grown = growth.grow(base, labels, plan.config.seed, drop_classes=plan.drops, renamed=renamed)
    rates.require_groups(grown, plan.config)
    groups = rates.table(grown, _frozen(plan, len(_index(plan, plan.train))))
    examples = _index(plan, plan.val)[:8]
    images, windows = next(iter(evaluation_batches(base.config, examples, 8)))
    old_columns = [row.base_id - 1 for row in rows if row.base_id is not None]
    new_columns = [row.id - 1 for row in rows if row.base_id is not None]
    before, after = (class_logits(detector, images, windows).numpy() for detector in (base, grown))
    difference = float(np.abs(before[..., old_columns] - after[..., new_columns]).max())
    return Proof(rows, len(examples), difference, groups)


def finetune(plan: Finetuning, *, resume: bool) -> list[comparison.Line]:
    """Fills plan.out with model/, run.toml, state.npz, losses.csv, what `results` writes and, where asked
    for, pseudo_labels/, results.csv and tensorboard/.

    InputError where an input cannot be used, or plan.out holds a run that is not to be resumed;
    Interrupted at Ctrl-C, with the model so far in plan.out/model and all that --resume needs; LostWorker
    with the same. Each worker of a cluster does the same until the training, then helps with it; the chief
    alone writes to plan.out and has lines to show.
    """
    with plan.cluster.folder(plan.out) as out, locks.held(out, "run"), plan.cluster.together():
        own = replace(plan, out=out)
        return _finetune(own, chiefs=plan.out, resume=resume and plan.cluster.is_chief)


def _finetune(plan: Finetuning, *, chiefs: Path, resume: bool) -> list[comparison.Line]:
    started, labels, cluster = time.monotonic(), plan.labels, plan.cluster
    with cluster.strategy.scope():
        base = plan.base_detector()
    renamed = plan.renamed(base.labels)
    rows = class_rows(base.labels, labels, drop_classes=plan.drops, renamed=renamed)
    teacher = retention.teacher(plan.memory, base, rows)
    require_trainable(base, plan.config, teacher, cluster)
    rates.require_groups(base, plan.config)
    data = _read_data(plan)
    open_run(plan.out, plan.options, plan.inputs, resume=resume)
    keras.utils.set_random_seed(plan.config.seed)
    measured = _Measured(plan, base, data, rows, renamed)
    if retention.old_ids(rows):
        data = replace(data, new=_with_pseudo_labels(plan, chiefs, data.new, measured))
    plan.progress("growing the base", 0, None)
    with cluster.strategy.scope():
        detector = growth.grow(base, labels, plan.config.seed, drop_classes=plan.drops, renamed=renamed)
    start = values(detector.network)
    apart = retention.new_ids(rows) if plan.masked else frozenset[int]()
    of_data = length.Data(len(data.new), len(retention.new_ids(rows)) or len(rows))
    make = partial(Trainer, detector, teacher=teacher, apart=apart, cluster=cluster)
    trainer = _trainer(plan, of_data, make)
    if not cluster.is_chief:
        loop.help_training(trainer, data.training, partial(plan.progress, "helping to train"))
        return []
    believed, detected_before = measured.thresholds(), measured.on_test()
    before = average_precision.average_precision(data.test, detected_before, labels, spread=True)
    log = Logbook(trainer, plan.out, resume=resume, board=_board(plan))
    validate = partial(validation.validate, detector, validation.few(data.val), rows)
    training = partial(plan.progress, "training")
    watch = replace(plan.watch, validated_s=measured.seconds_of_few, say=plan.say)
    ended = loop.train(trainer, log, watch, data.training, validate, training)
    blending = _counted(plan, "blending with the base")
    blends = retention.blend(plan.memory, detector, start, rows, data.val, blending)
    calibration = retention.calibrate(plan.memory, detector, rows, data.val, _counted(plan, "calibrating"))
    save_detector(detector, plan.out / "model")
    detected = _find(plan, detector, "measuring the grown model", data.test)
    after = average_precision.average_precision(data.test, detected, labels, spread=True)
    lines = comparison.comparison(rows, before, after)
    facts = comparison.Facts(
        base=str(plan.base),
        forgetting=comparison.forgetting(lines),
        steps=trainer.step,
        ended=ended,
        best_step=validation.best_of(log.validations).step if log.validations else trainer.step,
        thresholds=believed,
        blends=blends,
        images=data.counts,
        augmentations=trainer.augmentations,
        seconds=round(time.monotonic() - started, 1),
        versions={"tfrec": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
        calibration=calibration,
    )
    metrics = measure(data.test, detected, labels, min_score=None, voc07=False)
    seen_before = _above_threshold(detected_before, believed)
    columns = _columns(rows, seen_before, _above_threshold(detected, best_scores(metrics.classes)))
    sheet = detections_sheet(data.test, columns, labels, retention.new_ids(rows))
    shown = Results(lines, facts, plan.options, labels, log.curve, log.validations, sheet, metrics)
    results.write_results(plan.out, shown)
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Indexed examples; `test` is `val` itself where nothing else is given."""

    new: Sequence[IndexedExample]
    old: Sequence[IndexedExample]
    val: Sequence[IndexedExample]
    test: Sequence[IndexedExample]

    @property
    def training(self) -> loop.TrainingSet:
        return loop.TrainingSet(self.new, self.old)

    @property
    def counts(self) -> dict[str, int]:
        test = 0 if self.test is self.val else len(self.test)
        counts = len(self.new), len(self.old), len(self.val), test
        uses = ("new, to train with", "old, to train with", "to choose by", "to measure with")
        return dict(zip(uses, counts, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What the base finds, looked for when it is asked for, and once for a run and its control."""

    plan: Finetuning
    base: Detector
    data: _Data
    rows: Sequence[ClassRow]
    renamed: Renamed

    def find(self, step: str, examples: Sequence[IndexedExample]) -> Sequence[ImageDetections]:
        return _find(self.plan, self.base, step, examples, self.renamed)

    def on_val(self) -> Found:
        find = partial(self.find, "measuring the base", self.data.val)
        return self.plan.found.of((self.plan.base, self.plan.val), find)

    def on_test(self) -> Sequence[ImageDetections]:
        if self.data.test is self.data.val:
            return self.on_val().detections
        find = partial(self.find, "testing the base", self.data.test)
        return self.plan.found.of((self.plan.base, self.plan.test), find).detections

    def thresholds(self) -> dict[int, float]:
        """Returns {id: score} from which on the base is believed."""
        return retention.thresholds(self.rows, self.data.val, self.on_val().detections)

    @property
    def seconds_of_few(self) -> float:
        """How long it takes to measure as much as is measured in training."""
        val = self.data.val
        return self.on_val().seconds * len(validation.few(val)) / max(1, len(val))


def _trainer(plan: Finetuning, data: length.Data, make: Callable[[TrainConfig], Trainer]) -> Trainer:
    config = _frozen(plan, data.images)
    config = batch_size.fitted(config, make, plan.out / "batch_size.txt")
    of_run = length.settled(config.steps, data, config.batch_size, length.length_notes(plan.out))
    trainer = make(replace(config, steps=of_run.planned))
    trainer.length = of_run
    if plan.cluster.is_chief:
        if not plan.config.steps and not plan.config.batch_size:  # else it was said before TensorFlow loaded
            plan.say(data.line(config.batch_size))
        plan.say(rates.line(rates.table(trainer.detector, trainer.config)))
    return trainer


def _frozen(plan: Finetuning, images: int) -> TrainConfig:
    """Returns how to train, with the backbone frozen where there are too few new images."""
    freezes = plan.config.freeze_backbone or (plan.freeze_few and images < _FEW_IMAGES)
    return replace(plan.config, freeze_backbone=freezes)


def _read_data(plan: Finetuning) -> _Data:
    new, old, val, test = (
        _index(plan, patterns) if patterns else []
        for patterns in (plan.train, plan.replay, plan.val, plan.test)
    )
    old = retention.replayed(plan.memory, old, plan.config.seed)
    if not plan.masked:
        new = [replace(example, labeled=frozenset(plan.labels.name_by_id)) for example in new]
    return _Data(new, old, val, test or val)


def _with_pseudo_labels(
    plan: Finetuning,
    chiefs: Path,
    new: Sequence[IndexedExample],
    base: _Measured,
) -> Sequence[IndexedExample]:
    """The new images with what the base found on them, in records that stay for the user to look at, in the
    run's folder `chiefs`; the other workers read what the chief has written."""
    wanted, labels = plan.memory.pseudo_labels, plan.labels
    if wanted == retention.OFF:
        return new
    if wanted != retention.AUTO:
        return _index(plan, (wanted,))

    def make(file: Path) -> None:
        believed = base.thresholds()
        detected = base.find("labelling old classes", new)
        file.parent.mkdir(exist_ok=True)
        (file.parent / "label_map.pbtxt").write_text(format_label_map(labels), encoding="utf-8")
        pseudo_labels.write_records(file, new, detected, believed, labels)

    inside = Path("pseudo_labels", "train.tfrecord")
    file = made_once(plan.cluster, chiefs / inside, plan.out / inside, make)
    labelled = _index(plan, (str(file),))
    if plan.cluster.is_chief:
        with published(file.parent / "preview.png") as (part,):
            labels_sheet(labelled, labels).save(part, "PNG", optimize=True)
    return labelled


def _index(plan: Finetuning, patterns: Sequence[str]) -> list[IndexedExample]:
    if (read := plan.examples.get(tuple(patterns))) is not None:
        return read
    return index_records(patterns, plan.labels, _counted(plan, f"reading {' '.join(patterns)}"))


def _find(
    plan: Finetuning,
    detector: Detector,
    step: str,
    examples: Sequence[IndexedExample],
    renamed: Renamed = AS_THEY_ARE,
) -> list[ImageDetections]:
    plan.progress(step, 0, len(examples), "the first images")
    return average_precision.find(
        detector, examples, plan.labels, _counted(plan, step, len(examples)), renamed=renamed
    )


def _counted(plan: Finetuning, step: str, total: int | None = None) -> Callable[[int], None]:
    """Shows how many units of a step are done."""
    return lambda done: plan.progress(step, done, total)


def _board(plan: Finetuning) -> Board | None:
    return Board(plan.out / "tensorboard") if plan.tensorboard else None


def _above_threshold(
    detections: Sequence[ImageDetections], needed: operating_points.Needed
) -> list[ImageDetections]:
    return [operating_points.above_threshold(item, needed) for item in detections]


def _columns(
    rows: Sequence[ClassRow],
    before: Sequence[ImageDetections],
    after: Sequence[ImageDetections],
) -> list[tuple[str, Sequence[ImageDetections] | None]]:
    """Of the sheet: what the base found is left out where it can know none of the classes."""
    columns: list[tuple[str, Sequence[ImageDetections] | None]] = [
        ("annotated", None),
        ("after", after),
    ]
    if any(row.base_id is not None for row in rows):
        columns.insert(1, ("before", before))
    return columns

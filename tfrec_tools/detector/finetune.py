"""The story of `tfrec finetune`: a base is measured, grows, trains, is measured again and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfrec_tools import __version__
from tfrec_tools.detector.data import reading, unlabelled
from tfrec_tools.detector.data.batches import evaluation_batches
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.data.set_aside import without
from tfrec_tools.detector.evaluation import average_precision, operating_points
from tfrec_tools.detector.evaluation.metrics import best_scores, measure
from tfrec_tools.detector.materials import Materials, held_back, with_unlabelled
from tfrec_tools.detector.model import growth, imagenet
from tfrec_tools.detector.model.class_rows import AS_THEY_ARE, ClassRow, Renamed, class_rows
from tfrec_tools.detector.model.description import BASE_LABELS
from tfrec_tools.detector.model.detector import Detector, class_logits, load_detector, save_detector, values
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.finetune import FinetuneOptions, RetentionOptions
from tfrec_tools.detector.reports import comparison, results
from tfrec_tools.detector.reports.images import detections_sheet, labels_sheet
from tfrec_tools.detector.reports.results import Results
from tfrec_tools.detector.retention import agreement, pseudo_labels, retention
from tfrec_tools.detector.retention.agreement import Watched
from tfrec_tools.detector.training import batch_size, loop, validation
from tfrec_tools.detector.training.distribution import ALONE, Cluster, open_cluster
from tfrec_tools.detector.training.logbook import Logbook
from tfrec_tools.detector.training.run_notes import numbered_run, open_run
from tfrec_tools.detector.training.settings import TrainConfig, require_trainable, train_config
from tfrec_tools.detector.training.tensorboard import Board
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import NEVER, Watch, unsaid
from tfrec_tools.labels.id_tables import Tables, find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import format_label_map
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
    options  what the user set, to be kept with the run
    examples  of the records, where they have been read already
    unlabelled  what names images without labels, and where their records lie, if not in `out`
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
    examples: reading.Read = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    unlabelled_in: Path | None = None
    progress: Progress = silent
    say: Callable[[str], None] = unsaid

    @property
    def drops(self) -> bool:
        """Whether the grown map may lack classes of the base."""
        return self.drop_classes or self.pipeline is not None

    def base_detector(self) -> Detector:
        if self.pipeline is None:
            return load_detector(self.base, self.base_labels, BASE_LABELS)
        return imagenet.new_detector(self.pipeline, str(self.base), self.config.seed)

    def scores_of(self, base: LabelMap) -> dict[int, float]:
        """{id of the base: the score from which on the class is best taken}, where its folder says so."""
        return {} if self.pipeline else operating_points.read_scores(self.base / operating_points.FILE, base)

    def renamed(self, base: LabelMap) -> dict[str, str | None]:
        """{class of the base: its name in the grown map}, where the tables of the merge say so."""
        return new_names(self.tables, base.name_by_id)

    def read(self, new: Collection[int], flags: Sequence[str] = reading.FLAGS) -> reading.Read:
        """Returns the examples of the records, by flag; `new` are the ids of the classes to be learnt."""
        words = dict(zip(reading.FLAGS, (self.train, self.replay, self.val, self.test), strict=True))
        asked = {flag: words[flag] for flag in flags}
        return self.examples or reading.read(asked, self.labels, new, self.config.seed, self.progress)

    @property
    def unlabelled_file(self) -> Path:
        return self.unlabelled_in or self.out / "unlabelled" / "images.tfrecord"

    @property
    def control(self) -> Finetuning:
        """The plain fine-tuning of the same images: what is gained shows beside it."""
        return replace(
            self,
            out=self.out / "control",
            replay=(),
            examples={**self.examples, reading.REPLAY: []} if self.examples else {},
            unlabelled_in=self.unlabelled_file,
            memory=retention.NOTHING,
            masked=False,
            config=replace(self.config, average=0.0, replay_ratio=0.0),
            say=unsaid,
        )


def planned(
    options: FinetuneOptions,
    labels: LabelMap,
    examples: reading.Read,
) -> Finetuning:
    """What the options ask for; `labels` is what --labels names, `examples` what was read of the records.
    TfrecError where that cannot be."""
    out = None if options.out is None else as_path(options.out)
    pipeline = None if options.pipeline is None else as_path(options.pipeline)
    return Finetuning(
        base=options.base_path if pipeline else model_folder(str(options.base)),
        labels=labels,
        train=as_texts(options.train),
        replay=as_texts(options.replay),
        val=as_texts(options.val),
        test=as_texts(options.test),
        out=out or numbered_run(Path("runs"), resume=options.resume),
        drop_classes=options.drop_classes,
        memory=narrowed(RetentionOptions, options),
        masked=True,
        freeze_few=options.freeze == "auto",
        config=train_config(options),
        base_labels=options.base_label_map,
        tables=find_tables(options.table_path, options.labels_path, labels),
        pipeline=pipeline,
        watch=Watch(options.measured_every, options.patience, options.budget_s),
        tensorboard=options.tensorboard,
        cluster=ALONE if options.dry_run else open_cluster(options.strategy),
        options=recorded(options, whole=True),
        examples=examples,
        unlabelled=as_texts(options.unlabelled),
        progress=options.progress,
    )


@dataclass(frozen=True, slots=True)
class Proof:
    """What growing does to a batch: the classes' rows, and the largest change of an old class's logits."""

    rows: list[ClassRow]
    images: int
    max_difference: float


def dry_run(plan: Finetuning) -> Proof:
    """Grows the base and compares the logits of the classes that it knew, on up to 8 images of --val."""
    labels = plan.labels
    base = plan.base_detector()
    renamed = plan.renamed(base.labels)
    rows = class_rows(base.labels, labels, drop_classes=plan.drops, renamed=renamed)
    grown = growth.grow(base, labels, plan.config.seed, drop_classes=plan.drops, renamed=renamed)
    flag = reading.VAL if plan.val else reading.TRAIN
    examples = plan.read(retention.new_ids(rows), (flag,))[reading.VAL][:8]
    images, windows = next(iter(evaluation_batches(base.config, examples, 8)))
    old_columns = [row.base_id - 1 for row in rows if row.base_id is not None]
    new_columns = [row.id - 1 for row in rows if row.base_id is not None]
    before, after = (class_logits(detector, images, windows).numpy() for detector in (base, grown))
    difference = float(np.abs(before[..., old_columns] - after[..., new_columns]).max())
    return Proof(rows, len(examples), difference)


def finetune(plan: Finetuning, *, resume: bool) -> list[comparison.Line]:
    """Fills plan.out with model/, run.toml, state.npz, losses.csv, what `results` writes and, where asked
    for, pseudo_labels/, results.csv and tensorboard/.

    InputError where an input cannot be used, or plan.out holds a run that is not to be resumed;
    Interrupted at Ctrl-C, with the model so far in plan.out/model and all that --resume needs; LostWorker
    with the same. Each worker of a cluster does the same until the training, then helps with it; the chief
    alone writes to plan.out and has lines to show.
    """
    with plan.cluster.folder(plan.out) as out, plan.cluster.together():
        say = plan.say if plan.cluster.is_chief else unsaid
        return _finetune(replace(plan, out=out, say=say), resume=resume and plan.cluster.is_chief)


def _finetune(plan: Finetuning, *, resume: bool) -> list[comparison.Line]:
    started = time.monotonic()
    labels, cluster = plan.labels, plan.cluster
    with cluster.strategy.scope():
        base = plan.base_detector()
    renamed = plan.renamed(base.labels)
    rows = class_rows(base.labels, labels, drop_classes=plan.drops, renamed=renamed)
    teacher = retention.teacher(plan.memory, base, rows)
    require_trainable(base, plan.config, teacher, cluster)
    data = _read_data(plan, rows)
    open_run(plan.out, plan.options, resume=resume)
    data = _with_unlabelled(plan, data, rows)
    keras.utils.set_random_seed(plan.config.seed)
    known = _known(plan, base, rows, data)
    data = known.data
    with cluster.strategy.scope():
        detector = growth.grow(base, labels, plan.config.seed, drop_classes=plan.drops, renamed=renamed)
    start = values(detector.network)
    apart = retention.new_ids(rows) if plan.masked else frozenset[int]()
    trainer = _trainer(
        plan, data.new, partial(Trainer, detector, teacher=teacher, apart=apart, cluster=cluster)
    )
    if not cluster.is_chief:
        loop.help_training(trainer, data.training, partial(plan.progress, "helping to train"))
        return []
    log = Logbook(trainer, plan.out, resume=resume, board=_board(plan))
    yardstick = known.watched.yardstick(data.val)
    validate = partial(validation.validate, detector, yardstick, rows)
    training = partial(plan.progress, "training")
    ended = loop.train(trainer, log, plan.watch, data.training, validate, training)
    blends = retention.blend(
        plan.memory, detector, start, rows, yardstick, _counted(plan, "blending with the base")
    )
    save_detector(detector, plan.out / "model")
    detected = _find(plan, detector, "measuring the grown model", data.test)
    after = average_precision.average_precision(data.test, detected, labels)
    lines = comparison.comparison(rows, known.before, after, _agreed(plan, detector, known, detected))
    facts = comparison.Facts(
        base=str(plan.base),
        forgetting=comparison.forgetting(lines),
        steps=trainer.step,
        ended=ended,
        best_step=validation.best_of(log.validations).step if log.validations else trainer.step,
        thresholds=known.believed,
        blends=blends,
        images=data.counts,
        set_aside=data.set_aside,
        agreement=known.watching(lines),
        augmentations=trainer.augmentations,
        seconds=round(time.monotonic() - started, 1),
        versions={"tfrec": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    )
    metrics = measure(data.test, detected, labels, min_score=None, voc07=False)
    seen_before = _above_threshold(known.detected, known.believed)
    columns = _columns(rows, seen_before, _above_threshold(detected, best_scores(metrics.classes)))
    sheet = detections_sheet(data.test, columns, labels, retention.new_ids(rows))
    shown = Results(lines, facts, plan.options, labels, log.curve, log.validations, sheet, metrics)
    results.write_results(plan.out, shown)
    return lines


def _trainer(
    plan: Finetuning, new: Sequence[IndexedExample], make: Callable[[TrainConfig], Trainer]
) -> Trainer:
    freezes = plan.config.freeze_backbone or (plan.freeze_few and len(new) < _FEW_IMAGES)
    config = replace(plan.config, freeze_backbone=freezes)
    return make(batch_size.fitted(config, make, plan.out / "batch_size.txt"))


def _read_data(plan: Finetuning, rows: Sequence[ClassRow]) -> Materials:
    examples = plan.read(retention.new_ids(rows))
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
        unlabelled.write_unlabelled(file, plan.unlabelled, plan.say, _counted(plan, "reading images"))
    data = with_unlabelled(data, unlabelled.index_unlabelled(file, plan.labels), plan.say)
    taught = plan.memory.pseudo_labels != retention.OFF or plan.memory.distill != retention.OFF
    if not taught or agreement.decides(data.val, old):
        return held_back(data, plan.config.seed, taught=taught)
    return data


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known before training: the materials with what the base says of them, from which score on it is
    believed, {id: its average precision}, what it found on the images to measure with, and what the old
    classes are watched by."""

    data: Materials
    believed: Mapping[int, float]
    before: Mapping[int, average_precision.AveragePrecision]
    detected: Sequence[average_precision.ImageDetections]
    watched: Watched

    def watching(self, lines: Sequence[comparison.Line]) -> comparison.Watching | None:
        images = len(self.data.test) + len(self.watched.more)
        return comparison.watching(lines, images, self.watched.learnt, decides=self.watched.decides)


def _known(plan: Finetuning, base: Detector, rows: Sequence[ClassRow], data: Materials) -> _Known:
    find_by_base = agreement.Remembering(partial(_find, plan, base, renamed=plan.renamed(base.labels)))
    detected_val = find_by_base("measuring the base", data.val)
    detected = find_by_base("testing the base", data.test)
    before = average_precision.average_precision(data.test, detected, plan.labels)
    believed = retention.thresholds(rows, data.val, detected_val, plan.scores_of(base.labels))
    watched = Watched(agreement.believed(data.val, detected_val, believed))
    if agreement.decides(data.val, believed):
        learnt = [*data.new, *data.unlabelled]
        watched = agreement.watched(watched.val, data.held, learnt, believed, find_by_base)
        plan.say(agreement.explained(watched, believed, plan.labels))
    return _Known(
        _with_pseudo_labels(plan, data, believed, find_by_base), believed, before, detected, watched
    )


def _agreed(
    plan: Finetuning,
    detector: Detector,
    known: _Known,
    detected: Sequence[average_precision.ImageDetections],
) -> dict[int, average_precision.AveragePrecision]:
    """{id: agreement with the base} on the images to measure with, whose detections are there already, and
    on those that the old classes were watched by besides."""
    if not known.believed:
        return {}
    tested, more = agreement.believed(known.data.test, known.detected, known.believed), known.watched.more
    also_detected = _find(plan, detector, "comparing with the base", more) if more else []
    return average_precision.average_precision([*tested, *more], [*detected, *also_detected], plan.labels)


def _with_pseudo_labels(
    plan: Finetuning, data: Materials, thresholds: Mapping[int, float], find_by_base: agreement.Find
) -> Materials:
    """The new images, and those that nobody labelled, with what the base found on them, in records that stay
    for the user to look at."""
    wanted, labels = plan.memory.pseudo_labels, plan.labels
    if wanted == retention.OFF or not thresholds:
        return data

    def labelled(name: str, examples: Sequence[IndexedExample]) -> list[IndexedExample]:
        file = plan.out / "pseudo_labels" / name
        if not file.is_file():
            detected = find_by_base("labelling old classes", examples)
            file.parent.mkdir(exist_ok=True)
            (file.parent / "label_map.pbtxt").write_text(format_label_map(labels), encoding="utf-8")
            pseudo_labels.write_records(file, examples, detected, thresholds, labels)
        return _index(plan, (str(file),))

    if data.unlabelled:
        data = replace(data, unlabelled=labelled("unlabelled.tfrecord", data.unlabelled))
    if wanted != retention.AUTO:
        corrected = _index(plan, (wanted,))
        return replace(data, new=without(corrected, data.val) if data.aside else corrected)
    data = replace(data, new=labelled("train.tfrecord", data.new))
    with published(plan.out / "pseudo_labels" / "preview.png") as (part,):
        labels_sheet(data.new, labels).save(part, "PNG", optimize=True)
    return data


def _index(plan: Finetuning, patterns: Sequence[str]) -> list[IndexedExample]:
    return index_records(patterns, plan.labels, _counted(plan, f"reading {' '.join(patterns)}"))


def _find(
    plan: Finetuning,
    detector: Detector,
    step: str,
    examples: Sequence[IndexedExample],
    renamed: Renamed = AS_THEY_ARE,
) -> list[average_precision.ImageDetections]:
    return average_precision.find(
        detector, examples, plan.labels, _counted(plan, step, len(examples)), renamed=renamed
    )


def _counted(plan: Finetuning, step: str, total: int | None = None) -> Callable[[int], None]:
    """Shows how many units of a step are done."""
    return lambda done: plan.progress(step, done, total)


def _board(plan: Finetuning) -> Board | None:
    return Board(plan.out / "tensorboard") if plan.tensorboard else None


def _above_threshold(
    detections: Sequence[average_precision.ImageDetections], needed: operating_points.Needed
) -> list[average_precision.ImageDetections]:
    return [operating_points.above_threshold(item, needed) for item in detections]


def _columns(
    rows: Sequence[ClassRow],
    before: Sequence[average_precision.ImageDetections],
    after: Sequence[average_precision.ImageDetections],
) -> list[tuple[str, Sequence[average_precision.ImageDetections] | None]]:
    """Of the sheet: what the base found is left out where it can know none of the classes."""
    columns: list[tuple[str, Sequence[average_precision.ImageDetections] | None]] = [
        ("annotated", None),
        ("after", after),
    ]
    if any(row.base_id is not None for row in rows):
        columns.insert(1, ("before", before))
    return columns

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
from PIL.Image import Image

from tfrec_tools import __version__
from tfrec_tools.atomic import published
from tfrec_tools.detector import evaluate, grow, memory, pictures, predict, pseudo_labels, report
from tfrec_tools.detector.batches import evaluation_batches
from tfrec_tools.detector.dataset import Annotated, index_records
from tfrec_tools.detector.memory import Memory
from tfrec_tools.detector.model import Detector, load_detector, save_detector, values
from tfrec_tools.detector.run_folder import Logbook, interrupts, open_run
from tfrec_tools.detector.run_toml import Options
from tfrec_tools.detector.train import StepLosses, TrainConfig, Trainer
from tfrec_tools.errors import Interrupted
from tfrec_tools.labels import LabelMap, format_label_map
from tfrec_tools.merging.tables import Tables, new_names

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
    masked  False: every picture counts as annotated for all classes, as trainers that know no better do
    freeze_few  freeze the backbone where there are few new pictures
    tables  of the merge that the classes are of
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
    options: Options = field(default_factory=dict)

    def renamed(self, base: LabelMap) -> dict[str, str | None]:
        """{class of the base: its name in the grown map}, where the tables of the merge say so."""
        return new_names(self.tables, base.name_by_id)

    @property
    def control(self) -> Finetuning:
        """The plain fine-tuning of the same pictures: what is gained shows beside it."""
        config = replace(self.config, average=0.0, replay_ratio=0.0)
        return replace(
            self, out=self.out / "control", replay=(), memory=memory.NOTHING, masked=False, config=config
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """What growing does to a batch: the classes' rows, and the largest change of an old class's logits."""

    rows: list[grow.ClassRow]
    pictures: int
    max_difference: float


def dry_run(plan: Finetuning, stage: Stage) -> Proof:
    """Grows the base and compares the logits of the classes that it knew, on up to 8 pictures of --val."""
    labels = plan.labels
    base = load_detector(plan.base)
    renamed = plan.renamed(base.labels)
    rows = grow.class_rows(base.labels, labels, drop_classes=plan.drop_classes, renamed=renamed)
    grown = grow.grow(base, labels, plan.config.seed, drop_classes=plan.drop_classes, renamed=renamed)
    examples = _index(plan.val, labels, stage)[:8]
    images, windows = next(iter(evaluation_batches(base.config, examples, 8)))
    old_columns = [row.base_id - 1 for row in rows if row.base_id is not None]
    new_columns = [row.id - 1 for row in rows if row.base_id is not None]
    before, after = (predict.class_logits(detector, images, windows).numpy() for detector in (base, grown))
    difference = float(np.abs(before[..., old_columns] - after[..., new_columns]).max())
    return Proof(rows, len(examples), difference)


def finetune(plan: Finetuning, stage: Stage, *, resume: bool) -> list[report.Line]:
    """Fills plan.out with model/, report.json, metrics.csv, losses.csv, loss.png, detections.png and, where
    the base labels the new pictures, pseudo_labels/.

    InputError where an input cannot be used, or plan.out holds a run that is not to be resumed;
    Interrupted at Ctrl-C, with the model so far in plan.out/model and all that --resume needs.
    """
    started = time.monotonic()
    labels = plan.labels
    base = load_detector(plan.base)
    renamed = plan.renamed(base.labels)
    rows = grow.class_rows(base.labels, labels, drop_classes=plan.drop_classes, renamed=renamed)
    data = _read_data(plan, labels, stage)
    open_run(plan.out, plan.options, resume=resume)
    keras.utils.set_random_seed(plan.config.seed)
    find_by_base = partial(_find, detector=base, labels=labels, stage=stage, renamed=renamed)
    found_val = find_by_base("measuring the base", data.val)
    found_before = found_val if data.test is data.val else find_by_base("testing the base", data.test)
    before = evaluate.average_precision(data.test, found_before, labels)
    believed = memory.thresholds(rows, data.val, found_val)
    data = replace(data, new=_with_pseudo_labels(plan, data.new, believed, find_by_base, stage))
    detector = grow.grow(base, labels, plan.config.seed, drop_classes=plan.drop_classes, renamed=renamed)
    start = values(detector.network)
    teacher = memory.teacher(plan.memory, base, rows, replays=bool(data.old))
    trainer = Trainer(detector, _config(plan, data.new), teacher)
    curve = _train(plan, trainer, data, stage, resume=resume)
    with stage("blending with the base") as show:
        blends = memory.blend(plan.memory, detector, start, rows, data.val, lambda done: show(done, None, ""))
    save_detector(detector, plan.out / "model")
    found = _find("measuring the grown model", data.test, detector, labels, stage)
    lines = report.comparison(rows, before, evaluate.average_precision(data.test, found, labels))
    columns = _columns(rows, found_before, found)
    sheet = pictures.detections_picture(data.test, columns, labels, memory.new_ids(rows))
    facts = {"thresholds": believed, "blends": blends, "seconds": round(time.monotonic() - started, 1)}
    _write_results(plan, lines, curve, sheet, facts)
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Indexed examples; `test` is `val` itself where nothing else is given."""

    new: Sequence[Annotated]
    old: Sequence[Annotated]
    val: Sequence[Annotated]
    test: Sequence[Annotated]


def _config(plan: Finetuning, new: Sequence[Annotated]) -> TrainConfig:
    freezes = plan.config.freeze_backbone or (plan.freeze_few and len(new) < _FEW_PICTURES)
    return replace(plan.config, freeze_backbone=freezes)


def _read_data(plan: Finetuning, labels: LabelMap, stage: Stage) -> _Data:
    new, old, val, test = (
        _index(patterns, labels, stage) if patterns else []
        for patterns in (plan.train, plan.replay, plan.val, plan.test)
    )
    old = memory.replayed(plan.memory, old, plan.config.seed)
    if not plan.masked:
        new = [replace(example, labeled=frozenset(labels.name_by_id)) for example in new]
    return _Data(new, old, val, test or val)


def _with_pseudo_labels(
    plan: Finetuning,
    new: Sequence[Annotated],
    thresholds: Mapping[int, float],
    find_by_base: Callable[[str, Sequence[Annotated]], list[evaluate.Found]],
    stage: Stage,
) -> Sequence[Annotated]:
    """The new pictures with what the base found on them, in records that stay for the user to look at."""
    wanted, labels = plan.memory.pseudo_labels, plan.labels
    if wanted == memory.OFF or not thresholds:
        return new
    if wanted != memory.AUTO:
        return _index((wanted,), labels, stage)
    file = plan.out / "pseudo_labels" / "train.tfrecord"
    if not file.is_file():
        found = find_by_base("labelling old classes", new)
        file.parent.mkdir(exist_ok=True)
        (file.parent / "label_map.pbtxt").write_text(format_label_map(labels), encoding="utf-8")
        pseudo_labels.write_records(file, new, found, thresholds, labels)
    return _index((str(file),), labels, stage)


def _index(patterns: Sequence[str], labels: LabelMap, stage: Stage) -> list[Annotated]:
    with stage(f"reading {' '.join(patterns)}") as show:
        return index_records(patterns, labels, lambda done: show(done, None, ""))


def _find(
    name: str,
    examples: Sequence[Annotated],
    detector: Detector,
    labels: LabelMap,
    stage: Stage,
    renamed: grow.Renamed = grow.AS_THEY_ARE,
) -> list[evaluate.Found]:
    with stage(name) as show:
        return evaluate.find(
            detector, examples, labels, lambda done: show(done, len(examples), ""), renamed=renamed
        )


def _train(
    plan: Finetuning, trainer: Trainer, data: _Data, stage: Stage, *, resume: bool
) -> list[StepLosses]:
    log = Logbook(trainer, plan.out, resume=resume)

    def on_step(done: StepLosses) -> None:
        show(done.step, plan.config.steps, log.add(done))
        if interrupted.is_set():
            log.keep()
            trainer.use_average()
            save_detector(trainer.detector, plan.out / "model")
            raise Interrupted(
                f"stopped after step {done.step} of {plan.config.steps}; the model so far is in "
                f"{plan.out / 'model'}, and the same command with --resume goes on"
            )

    with stage("training") as show, interrupts() as interrupted:
        trainer.run(data.new, data.old, on_step)
    log.keep()
    trainer.use_average()
    return log.curve


def _columns(
    rows: Sequence[grow.ClassRow], before: Sequence[evaluate.Found], after: Sequence[evaluate.Found]
) -> list[tuple[str, Sequence[evaluate.Found] | None]]:
    """Of the picture: what the base found is left out where it can know none of the classes."""
    columns: list[tuple[str, Sequence[evaluate.Found] | None]] = [("annotated", None), ("after", after)]
    if any(row.base_id is not None for row in rows):
        columns.insert(1, ("before", before))
    return columns


def _write_results(
    plan: Finetuning,
    lines: list[report.Line],
    curve: list[StepLosses],
    sheet: Image,
    facts: Mapping[str, object],
) -> None:
    """All at once, the report last: it is there when the run is finished."""
    facts = {
        "base": str(plan.base),
        "steps": plan.config.steps,
        "forgetting": report.forgetting(lines),
        **facts,
        "versions": {"tfrec": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    }
    names = ("metrics.csv", "loss.png", "detections.png", "report.json")
    with published(*(plan.out / name for name in names)) as (metrics, loss_curve, detections, report_json):
        report.write_metrics_csv(metrics, lines)
        pictures.save_loss_curve(curve, loss_curve)
        sheet.save(detections, "PNG", optimize=True)
        report.write_report_json(report_json, lines, facts)

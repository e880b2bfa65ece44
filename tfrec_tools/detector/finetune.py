"""The story of `tfrec finetune`: a base is measured, grows, trains, is measured again and written."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import keras
import numpy as np
import tensorflow as tf
from PIL.Image import Image

from tfrec_tools import __version__
from tfrec_tools.atomic import published
from tfrec_tools.detector import evaluate, grow, pictures, predict, report
from tfrec_tools.detector.batches import evaluation_batches
from tfrec_tools.detector.dataset import Annotated, index_records
from tfrec_tools.detector.model import Detector, load_detector, save_detector
from tfrec_tools.detector.train import StepLosses, TrainConfig, Trainer
from tfrec_tools.errors import InputError, Interrupted
from tfrec_tools.labels import LabelMap
from tfrec_tools.merging.tables import Tables, new_names

# Shows a long step: given its name, a function (done, total or None, how it goes) to call meanwhile.
Progress = Callable[[int, int | None, str], None]
Stage = Callable[[str], AbstractContextManager[Progress]]

_SAVE_EVERY_S = 120.0


@dataclass(frozen=True, slots=True)
class Finetuning:
    """What to do: paths, patterns of record files, classes of the grown model and the tables of the merge
    that they are of, and how to train."""

    base: Path
    labels: LabelMap
    train: tuple[str, ...]
    replay: tuple[str, ...]
    val: tuple[str, ...]
    out: Path
    drop_classes: bool
    config: TrainConfig
    tables: Tables | None = None

    def renamed(self, base: LabelMap) -> dict[str, str | None]:
        """{class of the base: its name in the grown map}, where the tables of the merge say so."""
        return new_names(self.tables, base.name_by_id)


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
    """Fills plan.out with model/, report.json, metrics.csv, losses.csv, loss.png and detections.png.

    InputError where an input cannot be used, or plan.out holds a run that is not to be resumed;
    Interrupted at Ctrl-C, with the model so far in plan.out/model and all that --resume needs.
    """
    started = time.monotonic()
    labels = plan.labels
    base = load_detector(plan.base)
    renamed = plan.renamed(base.labels)
    rows = grow.class_rows(base.labels, labels, drop_classes=plan.drop_classes, renamed=renamed)
    new, old, val = (
        _index(patterns, labels, stage) if patterns else []
        for patterns in (plan.train, plan.replay, plan.val)
    )
    _open_run(plan, resume=resume)
    keras.utils.set_random_seed(plan.config.seed)
    found_before = _find("measuring the base", base, val, labels, stage, renamed)
    before = evaluate.average_precision(val, found_before, labels)
    detector = grow.grow(base, labels, plan.config.seed, drop_classes=plan.drop_classes, renamed=renamed)
    curve = _train(plan, detector, new, old, stage, resume=resume)
    save_detector(detector, plan.out / "model")
    found = _find("measuring the grown model", detector, val, labels, stage)
    after = evaluate.average_precision(val, found, labels)
    lines = report.comparison(rows, before, after)
    sheet = pictures.detections_picture(val, _columns(rows, found_before, found), labels, _new_ids(rows))
    _write_results(plan, lines, curve, sheet, time.monotonic() - started)
    return lines


def _index(patterns: Sequence[str], labels: LabelMap, stage: Stage) -> list[Annotated]:
    with stage(f"reading {' '.join(patterns)}") as show:
        return index_records(patterns, labels, lambda done: show(done, None, ""))


def _find(
    name: str,
    detector: Detector,
    val: Sequence[Annotated],
    labels: LabelMap,
    stage: Stage,
    renamed: grow.Renamed = grow.AS_THEY_ARE,
) -> list[evaluate.Found]:
    with stage(name) as show:
        return evaluate.find(detector, val, labels, lambda done: show(done, len(val), ""), renamed=renamed)


def _train(
    plan: Finetuning,
    detector: Detector,
    new: Sequence[Annotated],
    old: Sequence[Annotated],
    stage: Stage,
    *,
    resume: bool,
) -> list[StepLosses]:
    trainer = Trainer(detector, plan.config)
    log = _Logbook(trainer, plan.out, resume=resume)

    def on_step(done: StepLosses) -> None:
        show(done.step, plan.config.steps, log.add(done))
        if interrupted.is_set():
            log.keep()
            save_detector(detector, plan.out / "model")
            raise Interrupted(
                f"stopped after step {done.step} of {plan.config.steps}; the model so far is in "
                f"{plan.out / 'model'}, and the same command with --resume goes on"
            )

    with stage("training") as show, _interrupts() as interrupted:
        trainer.run(new, old, on_step)
    log.keep()
    return log.curve


class _Logbook:
    """The losses of a run, its pace, and the state that --resume goes on from."""

    def __init__(self, trainer: Trainer, out: Path, *, resume: bool) -> None:
        self.curve: list[StepLosses] = []
        self._trainer = trainer
        self._state, self._losses = out / "state.npz", out / "losses.csv"
        if resume and self._state.is_file():
            trainer.load(self._state)
            self.curve = report.read_losses(self._losses)[: trainer.step]
        self._kept_at = time.monotonic()
        self._first: tuple[int, float] | None = None  # step and time, once the first one is through

    def add(self, done: StepLosses) -> str:
        """Notes a step, keeps the state now and then, and says how it goes."""
        self.curve.append(done)
        now = time.monotonic()
        if now - self._kept_at > _SAVE_EVERY_S:
            self.keep()
        loss = f"loss {done.localization + done.classification:.3f}"
        if self._first is None:  # the first step compiles, and says nothing of the pace
            self._first = done.step, now
            return loss
        step, at = self._first
        images = (done.step - step) * self._trainer.config.batch_size
        return f"{loss}, {images / (now - at):.1f} images/s"

    def keep(self) -> None:
        report.write_losses(self._losses, self.curve)
        self._trainer.save(self._state)
        self._kept_at = time.monotonic()


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is never cut in two; a second Ctrl-C ends the program."""
    event = threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def handle(_number: int, _frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, usual)


def _open_run(plan: Finetuning, *, resume: bool) -> None:
    """Makes the run's folder and notes in it what was asked for, or finds it there and the same."""
    notes = plan.out / "run.json"
    asked = json.loads(json.dumps(asdict(plan), default=str))
    if resume:
        if not notes.is_file():
            raise InputError(notes, "", "not found, so that there is no run to resume; leave out --resume")
        noted = json.loads(notes.read_text(encoding="utf-8"))
        changed = [key for key in asked if asked[key] != noted.get(key)]
        if changed:
            raise InputError(
                notes,
                changed[0],
                f"the run was started with {noted.get(changed[0])}, found {asked[changed[0]]}",
            )
        return
    if plan.out.exists() and (not plan.out.is_dir() or any(plan.out.iterdir())):
        raise InputError(plan.out, "", "is there already; give another --out, or --resume to go on with it")
    plan.out.mkdir(parents=True, exist_ok=True)
    notes.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")


def _columns(
    rows: Sequence[grow.ClassRow], before: Sequence[evaluate.Found], after: Sequence[evaluate.Found]
) -> list[tuple[str, Sequence[evaluate.Found] | None]]:
    """Of the picture: what the base found is left out where it can know none of the classes."""
    columns: list[tuple[str, Sequence[evaluate.Found] | None]] = [("annotated", None), ("after", after)]
    if any(row.base_id is not None for row in rows):
        columns.insert(1, ("before", before))
    return columns


def _new_ids(rows: Sequence[grow.ClassRow]) -> frozenset[int]:
    return frozenset(row.id for row in rows if row.base_id is None)


def _write_results(
    plan: Finetuning, lines: list[report.Line], curve: list[StepLosses], sheet: Image, seconds: float
) -> None:
    """All at once, the report last: it is there when the run is finished."""
    facts = {
        "base": str(plan.base),
        "steps": plan.config.steps,
        "seconds": round(seconds, 1),
        "versions": {"tfrec": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    }
    names = ("metrics.csv", "loss.png", "detections.png", "report.json")
    with published(*(plan.out / name for name in names)) as (metrics, loss_curve, detections, report_json):
        report.write_metrics_csv(metrics, lines)
        pictures.save_loss_curve(curve, loss_curve)
        sheet.save(detections, "PNG", optimize=True)
        report.write_report_json(report_json, lines, facts)

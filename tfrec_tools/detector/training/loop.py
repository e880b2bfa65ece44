"""A training from its state to its end: validated on the way, ended early, stopped by the user."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.model import detector
from tfrec_tools.detector.training import validation
from tfrec_tools.detector.training.distribution import LostWorker, Vote
from tfrec_tools.detector.training.logbook import Logbook, interrupts
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation, Watch
from tfrec_tools.errors import Interrupted

Validate = Callable[[int], Validation]  # of the model as it stands, after so many steps
Show = Callable[[int, int | None, str], None]  # done, total, how it goes


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """What is learnt from: the new examples, the old ones that are replayed, and those that nobody labelled,
    which teach the old classes alone."""

    new: Sequence[IndexedExample]
    old: Sequence[IndexedExample]
    unlabelled: Sequence[IndexedExample] = ()


def train(
    trainer: Trainer, log: Logbook, watch: Watch, examples: TrainingSet, validate: Validate, show: Show
) -> str:
    """Leaves the detector with its best weights or, where nothing was validated, with the average of the last
    ones; says what ended the training. Interrupted at Ctrl-C, with the model so far in its folder. Raises
    LostWorker with all that --resume needs."""
    started, steps = time.monotonic(), trainer.config.steps

    def on_step(done: StepLosses) -> Vote:
        show(done.step, steps, log.add(done))
        if watch.every and done.step % watch.every == 0:
            _validate(trainer, log, validate)
        log.keep_now_and_then()
        if interrupted.is_set():
            return Vote.STOP
        return Vote.GO_ON if _reason_to_end(watch, log, started) is None else Vote.END

    with interrupts() as interrupted:
        try:
            wish = trainer.run(
                examples.new,
                examples.old,
                on_step,
                is_over=_has_stalled(watch, log),
                unlabelled=examples.unlabelled,
            )
        except LostWorker:
            log.keep()
            raise
        if wish is Vote.STOP:
            _stop(trainer, log)
        if watch.every and (not log.validations or log.validations[-1].step < trainer.step):
            _validate(trainer, log, validate)
    log.keep()
    if log.best is None:
        trainer.stepper.update.use_average()
    else:
        detector.assign(trainer.detector.network, log.best)
    return "all steps done" if trainer.step == steps else _reason_to_end(watch, log, started) or ""


def help_training(trainer: Trainer, examples: TrainingSet, show: Show) -> None:
    """What the other workers do while the chief is in `train`, which alone validates, keeps and decides.
    Interrupted at Ctrl-C, here or there."""

    def on_step(done: StepLosses) -> Vote:
        show(done.step, trainer.config.steps, f"loss {done.localization + done.classification:.3f}")
        return Vote.STOP if interrupted.is_set() else Vote.GO_ON

    with interrupts() as interrupted:
        wish = trainer.run(examples.new, examples.old, on_step, unlabelled=examples.unlabelled)
        if wish is Vote.STOP:
            raise Interrupted(f"stopped after step {trainer.step}; the chief keeps what is needed to go on")


def _validate(trainer: Trainer, log: Logbook, validate: Validate) -> None:
    with trainer.stepper.update.averaged():
        log.add_validation(validate(trainer.step), detector.values(trainer.detector.network))
    log.keep()


def _has_stalled(watch: Watch, log: Logbook) -> bool:
    return watch.patience is not None and validation.without_gain(log.validations) >= watch.patience


def _reason_to_end(watch: Watch, log: Logbook, started: float) -> str | None:
    if _has_stalled(watch, log):
        return f"no better validation in {watch.patience}"
    if watch.budget_s is not None and time.monotonic() - started >= watch.budget_s:
        return "the time was up"
    return None


def _stop(trainer: Trainer, log: Logbook) -> NoReturn:
    log.keep()
    trainer.stepper.update.use_average()
    detector.save_detector(trainer.detector, log.out / "model")
    raise Interrupted(
        f"stopped after step {trainer.step} of {trainer.config.steps}; the model so far is in "
        f"{log.out / 'model'}, and the same command with --resume goes on"
    )

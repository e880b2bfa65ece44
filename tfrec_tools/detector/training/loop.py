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
from tfrec_tools.detector.training.length import Pace
from tfrec_tools.detector.training.logbook import Logbook, interrupts
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation, Watch
from tfrec_tools.errors import Interrupted

Validate = Callable[[int], Validation]  # of the model as it stands, after so many steps
Show = Callable[[int, int | None, str], None]  # done, total, how it goes
# What a training does for a while before anything else of it can be shown.
FIRST_STEP = "compiling the first step"


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
    every = watch.steps_between(trainer.length.planned)
    pace = Pace(watch.budget_s, validated_s=watch.validated_s, every=every)
    show(trainer.step, trainer.length.last, FIRST_STEP)

    def on_step(done: StepLosses) -> Vote:
        show(done.step, trainer.length.last, log.add(done, pace))
        began = time.monotonic()
        if every and done.step % every == 0:
            _validate(trainer, log, validate)
        log.keep_now_and_then()
        pace.leave_out(time.monotonic() - began)
        if interrupted.is_set():
            return Vote.STOP
        if _reason_to_end(watch, log, pace) is not None:
            return Vote.END
        return _shorten_to_fit(trainer, log, watch, pace)

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
        if every and (not log.validations or log.validations[-1].step < trainer.step):
            _validate(trainer, log, validate)
    log.keep()
    if log.best is None:
        trainer.finish()
    else:
        detector.assign(trainer.detector.network, log.best)
    if trainer.step < trainer.length.last:
        return _reason_to_end(watch, log, pace) or ""
    shortened = trainer.length.shortened is not None
    return f"all steps done that fit the time, of {trainer.length.planned}" if shortened else "all steps done"


def help_training(trainer: Trainer, examples: TrainingSet, show: Show) -> None:
    """What the other workers do while the chief is in `train`, which alone validates, keeps and decides.
    Interrupted at Ctrl-C, here or there."""

    def on_step(done: StepLosses) -> Vote:
        show(done.step, trainer.length.last, f"loss {done.localization + done.classification:.3f}")
        return Vote.STOP if interrupted.is_set() else Vote.GO_ON

    show(trainer.step, trainer.length.last, FIRST_STEP)
    with interrupts() as interrupted:
        wish = trainer.run(examples.new, examples.old, on_step, unlabelled=examples.unlabelled)
        if wish is Vote.STOP:
            raise Interrupted(f"stopped after step {trainer.step}; the chief keeps what is needed to go on")


def _validate(trainer: Trainer, log: Logbook, validate: Validate) -> None:
    with trainer.finished():
        log.add_validation(validate(trainer.step), detector.values(trainer.detector.network))
    log.keep()


def _shorten_to_fit(trainer: Trainer, log: Logbook, watch: Watch, pace: Pace) -> Vote:
    """A run that was shortened once keeps its length, so that it goes on as it was."""
    last = trainer.length.last
    steps = pace.fitting(trainer.step, last)
    if steps is None or trainer.length.shortened is not None:
        return Vote.GO_ON
    watch.say(f"--time-budget: {steps} of {last} steps fit it, and the learning rate is from now on theirs")
    log.shorten(steps)
    return Vote.SHORTEN


def _has_stalled(watch: Watch, log: Logbook) -> bool:
    return watch.patience is not None and validation.without_gain(log.validations) >= watch.patience


def _reason_to_end(watch: Watch, log: Logbook, pace: Pace) -> str | None:
    if _has_stalled(watch, log):
        return f"no better validation in {watch.patience}"
    return "the time was up" if pace.is_over else None


def _stop(trainer: Trainer, log: Logbook) -> NoReturn:
    log.keep()
    trainer.finish()
    detector.save_detector(trainer.detector, log.out / "model")
    raise Interrupted(
        f"stopped after step {trainer.step} of {trainer.length.last}; the model so far is in "
        f"{log.out / 'model'}, and the same command with --resume goes on"
    )

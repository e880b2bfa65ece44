"""The folder of a run: what was asked for, how training goes, and what it goes on from after a stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tfrec_tools.detector.model import detector
from tfrec_tools.detector.training import curves, history, validation
from tfrec_tools.detector.training.length import Length, Pace, duration, length_notes, note
from tfrec_tools.detector.training.tensorboard import Board
from tfrec_tools.detector.training.train_step import LOSSES, StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation
from tfrec_tools.system.atomic import published

_SAVE_EVERY_S = 120.0


class Logbook:
    """What is noted of a run in training, and the state that --resume goes on from.

    out          the folder of the run
    curve        the losses of each step
    validations  in their order
    best         the weights at the best of them, None before the first
    """

    def __init__(self, trainer: Trainer, out: Path, *, resume: bool, board: Board | None = None) -> None:
        self.curve: list[StepLosses] = []
        self.validations: list[Validation] = []
        self.best: detector.Values | None = None
        self.out = out
        self._trainer, self._board = trainer, board
        if resume and self._state.is_file():
            self._go_on()
        self._kept_at = time.monotonic()

    @property
    def _state(self) -> Path:
        return self.out / "state.npz"

    def _go_on(self) -> None:
        """Validations and losses may have been written after the state was."""
        self.best = self._trainer.load(self._state) or None
        self.curve = history.read_losses(self.out / "losses.csv")[: self._trainer.step]
        if self.best is not None:
            written = validation.read_validations(self.out / "results.csv")
            self.validations = [done for done in written if done.step <= self._trainer.step]

    def add(self, done: StepLosses, pace: Pace) -> str:
        """Notes a step, and says how it goes."""
        self.curve.append(done)
        if self._board:
            self._board.add(done.step, {f"loss/{name}": getattr(done, name) for name in LOSSES})
        pace.add(done.step)
        loss = f"loss {done.localization + done.classification:.3f}"
        seconds = pace.seconds_a_step(done.step)
        if seconds is None:
            return loss
        left = pace.left_s(done.step, self._trainer.length.last)
        words = "" if left is None else f", {duration(left)} left"
        return f"{loss}, {self._trainer.config.batch_size / seconds:.1f} images/s{words}"

    def shorten(self, steps: int) -> None:
        """From now on the training is of so many steps; noted, so that a run that goes on is, too."""
        planned = self._trainer.length.planned
        self._trainer.length = Length(planned, shortened=steps, since=self._trainer.step)
        note(length_notes(self.out), self._trainer.length)

    def add_validation(self, newest: Validation, weights: detector.Values) -> None:
        """Notes a validation of these weights, and shows it in results.csv and loss.png."""
        self.validations.append(newest)
        if validation.best_of(self.validations) is newest:
            self.best = weights
        if self._board:
            precisions = {f"AP50/{name}": getattr(newest, name) for name in ("old", "new", "all")}
            self._board.add(newest.step, {**precisions, "agreement": newest.agreement})
            self._board.flush()
        validation.write_validations(self.out / "results.csv", self.validations)
        with published(self.out / "loss.png") as (part,):
            curves.save_loss_curve(self.curve, self.validations, part)

    def keep_now_and_then(self) -> None:
        if time.monotonic() - self._kept_at > _SAVE_EVERY_S:
            self.keep()

    def keep(self) -> None:
        history.write_losses(self.out / "losses.csv", self.curve)
        self._trainer.save(self._state, self.best or {})
        if self._board:
            self._board.flush()
        self._kept_at = time.monotonic()


@contextmanager
def interrupts() -> Iterator[threading.Event]:
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

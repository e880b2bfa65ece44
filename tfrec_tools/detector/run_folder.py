"""The folder of a run: what was asked for, how training goes, and what it goes on from after a stop."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tfrec_tools.detector import report
from tfrec_tools.detector.train import StepLosses, Trainer
from tfrec_tools.errors import InputError

_SAVE_EVERY_S = 120.0


def open_run(out: Path, asked: Mapping[str, object], *, resume: bool) -> None:
    """Makes the run's folder and notes in it what was asked for, or finds it there and the same."""
    notes = out / "run.json"
    asked = json.loads(json.dumps(asked, default=str))
    if resume:
        _require_same(notes, asked)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, "", "is there already; give another --out, or --resume to go on with it")
    out.mkdir(parents=True, exist_ok=True)
    notes.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")


def _require_same(notes: Path, asked: Mapping[str, object]) -> None:
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


class Logbook:
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

"""Of how many steps a training is: by rule, and shortened where the time does not suffice for all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.system.atomic import published
from tfrec_tools.system.toml_options import format_options, read_options

# Images looked at, each time varied anew. docs/quality.md has what fewer and more of them gave.
_FEWEST_LOOKS = 3200
_LOOKS_OF_A_CLASS = 3200
_FEWEST_EPOCHS, _MOST_EPOCHS = 12, 100
_FEWEST_STEPS = 100  # fewer do not move the weights far, however large the batch

_MEASURED_STEPS = 5  # at least, before it is said how many fit the time
_MEASURED_SHARE = 0.1  # of the time, at least
_LATEST_SHARE = 0.5  # of the time, at which it is said after any number of steps
_USED_SHARE = 0.95  # of the time that is left: the pace changes


@dataclass(frozen=True, slots=True)
class Length:
    """Of how many steps a training is: `planned`; from `since` steps on, where it was shortened, it is as if
    it had been of `shortened` from the start."""

    planned: int
    shortened: int | None = None
    since: int = 0

    @property
    def last(self) -> int:
        """The step it ends with."""
        return self.planned if self.shortened is None else self.shortened

    def after(self, step: int) -> int:
        """Of how many steps the training is whose learning rate the step has that follows so many."""
        return self.planned if step < self.since else self.last


@dataclass(frozen=True, slots=True)
class Data:
    """What a rule can go by: how many new images there are, and new classes."""

    images: int
    classes: int

    def looks(self) -> int:
        """How many images a training looks at, each as often as it does. An epoch is a look at each."""
        epochs = self.images * _FEWEST_EPOCHS
        of_classes = min(_LOOKS_OF_A_CLASS * max(1, self.classes), self.images * _MOST_EPOCHS)
        return max(_FEWEST_LOOKS, epochs, of_classes)

    def steps(self, batch_size: int) -> int:
        return max(_FEWEST_STEPS, -(-self.looks() // batch_size))

    def line(self, batch_size: int) -> str:
        """Of how many steps a training is, and why."""
        steps, looks = self.steps(batch_size), self.looks()
        each = f"each of {self.images} new images {steps * batch_size / max(1, self.images):.0f} times"
        if steps == _FEWEST_STEPS > -(-looks // batch_size):
            why = f"the fewest that there are by --steps auto, for batches of {batch_size}"
        elif looks == self.images * _FEWEST_EPOCHS:
            why = f"{_FEWEST_EPOCHS} is the least"
        elif looks == _FEWEST_LOOKS:
            why = f"{_FEWEST_LOOKS} looks are the least"
        elif looks == self.images * _MOST_EPOCHS:
            why = f"{_MOST_EPOCHS} is the most"
        else:
            why = f"{_LOOKS_OF_A_CLASS} looks for each of {self.classes} new classes"
        return f"{steps} steps of {batch_size}: {each} ({why})"


def length_notes(out: Path) -> Path:
    """Where the folder of a run notes the length."""
    return out / "schedule.toml"


def settled(asked: int, data: Data, batch_size: int, notes: Path) -> Length:
    """Returns the length that a run has noted, else that which is asked for; 0 is to be settled by the rule.
    It is noted, so that the run goes on with it. More steps than were noted are a longer run, whatever it was
    shortened to."""
    noted = noted_length(notes)
    if noted is not None and asked <= noted.planned:
        return noted
    length = Length(asked or data.steps(batch_size))
    note(notes, length)
    return length


def note(notes: Path, length: Length) -> None:
    values: dict[str, int] = {"steps": length.planned}
    if length.shortened is not None:
        values |= {"shortened-to": length.shortened, "shortened-after": length.since}
    with published(notes) as (part,):
        part.write_text(format_options(dict(values)), encoding="utf-8")


def noted_length(notes: Path) -> Length | None:
    """The inverse of `note`; None where nothing is noted. Raises InputError where the file is damaged."""
    if not notes.is_file():
        return None
    values = read_options(notes)
    planned, shortened, since = (values.get(name) for name in ("steps", "shortened-to", "shortened-after"))
    match planned, shortened, since:
        case int(), int(), int():
            return Length(planned, shortened, since)
        case int(), None, None:
            return Length(planned)
    raise InputError(notes, "cannot be read as the steps that the run noted; start the run anew")


class Pace:
    """How long a step takes, the first one left out: it compiles.

    budget_s      seconds from now on that the training may take; None for any
    validated_s   seconds of a validation, by what one has taken before
    every         steps between two of them; None for none
    """

    def __init__(self, budget_s: float | None, *, validated_s: float = 0.0, every: int | None = None) -> None:
        self._began = self._now()
        self._budget_s = budget_s
        self._of_validations_s = validated_s / every if every else 0.0
        self._first: tuple[int, float] | None = None
        self._spent_s = 0.0  # on anything but steps, since the first
        self._is_settled = budget_s is None

    @staticmethod
    def _now() -> float:
        return time.monotonic()

    def add(self, step: int) -> None:
        """Notes that a step is through."""
        if self._first is None:
            self._first = step, self._now()

    def leave_out(self, seconds: float) -> None:
        """Notes that so much went by with something else than steps."""
        self._spent_s += seconds if self._first else 0.0

    def seconds_a_step(self, step: int) -> float | None:
        """None before there are two."""
        if self._first is None or step <= self._first[0]:
            return None
        return max(1e-6, self._now() - self._first[1] - self._spent_s) / (step - self._first[0])

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self._budget_s is not None and self._now() - self._began >= self._budget_s

    def left_s(self, step: int, last: int) -> float | None:
        """Returns the seconds until the last step, by what was measured; None while that is too little."""
        pace = self.seconds_a_step(step)
        if pace is None or self._first is None or step - self._first[0] < _MEASURED_STEPS:
            return None
        return (last - step) * (pace + self._of_validations_s)

    def fitting(self, step: int, last: int) -> int | None:
        """Returns of how many steps the training is to be after this step so that it fits the time, once, as
        soon as enough is measured; None where it fits, or nothing can be said yet."""
        pace = self.seconds_a_step(step)
        if self._is_settled or self._budget_s is None or pace is None or self._first is None:
            return None
        gone = self._now() - self._began
        is_enough = step - self._first[0] >= _MEASURED_STEPS and (
            self._now() - self._first[1] >= _MEASURED_SHARE * self._budget_s
        )
        if not is_enough and gone < _LATEST_SHARE * self._budget_s:
            return None
        self._is_settled = True
        more = _USED_SHARE * (self._budget_s - gone) / (pace + self._of_validations_s)
        steps = step + max(1, int(more))
        return steps if steps < last else None


def duration(seconds: float) -> str:
    """Such as 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

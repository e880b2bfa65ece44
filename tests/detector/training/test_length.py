"""Of how many steps a training is: by the rule, by what was noted, and by what fits the time."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import tiny
from tests.helpers.finetuning import CONFIG
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.findings import Findings
from tfrec_tools.detector.model.detector import Values, values
from tfrec_tools.detector.training import length, loop
from tfrec_tools.detector.training.length import Data, Length, Pace
from tfrec_tools.detector.training.logbook import Logbook
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation, Watch
from tfrec_tools.errors import InputError, Interrupted
from tfrec_tools.labels.label_map import from_names


@pytest.mark.parametrize(
    ("images", "classes", "batch", "steps", "why"),
    [
        (60, 1, 8, 400, "each of 60 new images 53 times (3200 looks are the least)"),
        (60, 1, 16, 200, "each of 60 new images 53 times"),
        (60, 1, 1, 3200, "each of 60 new images 53 times"),
        (60, 1, 64, 100, "each of 60 new images 107 times (the fewest that there are by --steps auto"),
        (60, 2, 8, 750, "each of 60 new images 100 times (100 is the most)"),  # bin/demo
        (500, 5, 8, 2000, "each of 500 new images 32 times (3200 looks for each of 5 new classes)"),
        (60, 10, 8, 750, "each of 60 new images 100 times (100 is the most)"),
        (848, 1, 8, 1272, "each of 848 new images 12 times (12 is the least)"),
        (0, 1, 8, 400, "each of 0 new images"),
    ],
)
def test_the_rule(images: int, classes: int, batch: int, steps: int, why: str) -> None:
    data = Data(images, classes)
    assert data.steps(batch) == steps
    assert data.line(batch).startswith(f"{steps} steps of {batch}: {why}")


def test_more_images_classes_or_smaller_batches_never_shorten() -> None:
    for images in (1, 10, 60, 267, 1000, 100_000):
        for classes in (1, 2, 10, 80):
            steps = Data(images, classes).steps(8)
            assert steps <= Data(images + 50, classes).steps(8)
            assert steps <= Data(images, classes + 1).steps(8)
            assert steps <= Data(images, classes).steps(4)


def test_what_was_noted_is_what_a_run_goes_on_with(tmp_path: Path) -> None:
    notes = length.length_notes(tmp_path)
    assert length.noted_length(notes) is None
    assert length.settled(0, Data(60, 1), 8, notes) == Length(400)
    assert length.settled(0, Data(6000, 2), 8, notes) == Length(400)  # other data: still the same run
    short = Length(400, shortened=120, since=7)
    length.note(notes, short)
    assert length.noted_length(notes) == short
    assert length.settled(400, Data(60, 2), 8, notes) == short
    assert [short.after(step) for step in (0, 6, 7, 119)] == [400, 400, 120, 120]
    assert (short.last, Length(400).last) == (120, 400)
    assert length.settled(500, Data(60, 2), 8, notes) == Length(500)
    assert length.noted_length(notes) == Length(500)


@pytest.mark.parametrize("text", ["", 'steps = "all"', "steps = 5\nshortened-to = 3"])
def test_notes_that_cannot_be_read_are_one_line(tmp_path: Path, text: str) -> None:
    length.length_notes(tmp_path).write_text(text)
    with pytest.raises(InputError, match="start the run anew"):
        length.noted_length(length.length_notes(tmp_path))


class Clock:
    """Stands where it is put."""

    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(Pace, "_now", staticmethod(lambda: Clock.now))
    Clock.now = 100.0
    return Clock


def shortened(pace: Pace, seconds: list[float], last: int) -> tuple[int, int] | None:
    """After which step, and to how many; of steps that take so long."""
    for step, took in enumerate(seconds, start=1):
        Clock.now += took
        pace.add(step)
        if (steps := pace.fitting(step, last)) is not None:
            return step, steps
    return None


@pytest.mark.usefixtures("clock")
def test_a_schedule_is_shortened_to_what_fits_without_the_step_that_compiles() -> None:
    # 20 s to compile, then 1 s a step: after 11 measured steps 31 s of 110 are gone.
    assert shortened(Pace(110.0), [20.0] + [1.0] * 50, 400) == (12, 12 + int(0.95 * 79.0))
    # The compiling step counted as the others, there were 2.6 s a step, and 28 more.
    assert shortened(Pace(110.0), [20.0] + [1.0] * 50, 80) is None  # never lengthened
    assert shortened(Pace(None), [20.0] + [1.0] * 50, 400) is None


@pytest.mark.usefixtures("clock")
def test_validations_are_counted_too() -> None:
    # A validation of 10 s each 10 steps is 1 s more a step.
    pace = Pace(110.0, validated_s=10.0, every=10)
    assert shortened(pace, [20.0] + [1.0] * 50, 400) == (12, 12 + int(0.95 * 79.0 / 2.0))


def test_what_is_no_step_does_not_slow_the_pace(clock: type[Clock]) -> None:
    pace = Pace(None)
    for step in range(1, 9):
        clock.now += 1.0
        pace.add(step)
        clock.now += 5.0
        pace.leave_out(5.0)
    clock.now += 1.0
    assert pace.seconds_a_step(9) == pytest.approx(1.0)
    assert pace.left_s(9, 100) == pytest.approx(91.0)


@pytest.mark.usefixtures("clock")
def test_half_of_the_time_is_not_spent_on_measuring() -> None:
    # Compiling took so long that little is left: two steps say how long one is.
    assert shortened(Pace(30.0), [20.0, 1.0], 400) == (2, 2 + int(0.95 * 9.0))


def test_the_time_is_up(clock: type[Clock]) -> None:
    pace = Pace(10.0)
    assert not pace.is_over
    clock.now += 10.0
    assert pace.is_over


@pytest.mark.parametrize(
    ("seconds", "text"), [(44.6, "45 s"), (200, "3 min 20 s"), (1234, "21 min"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert length.duration(seconds) == text


def never(_step: int) -> Validation:
    raise AssertionError("nothing is validated")


class Training:
    """Of twelve steps, which become four after the second."""

    def __init__(self, folder: Path) -> None:
        records = tiny.write_records(folder / "new.tfrecord", ["blue"], 4)
        self.out = folder / "run"
        self.out.mkdir(exist_ok=True)
        self.lines: list[str] = []
        self._set = loop.TrainingSet(index_records([str(records)], from_names(["blue"])), [])

    def train(self, *, resume: bool, stop_after: int = 0) -> Values:
        """The weights, and losses.csv in its folder."""
        trainer = Trainer(tiny.detector("blue"), replace(CONFIG, steps=12, freeze_backbone=True))
        trainer.length = length.settled(12, Data(4, 1), 2, length.length_notes(self.out))
        log = Logbook(trainer, self.out, resume=resume)

        def show(done: int, _total: int | None, _note: str) -> None:
            if 0 < done == stop_after:
                os.kill(os.getpid(), signal.SIGINT)

        ended = loop.train(trainer, log, Watch(budget_s=1e6, say=self.lines.append), self._set, never, show)
        self.lines.append(ended)
        return values(trainer.detector.network)

    @property
    def losses(self) -> str:
        return (self.out / "losses.csv").read_text()


@pytest.mark.slow
def test_a_shortened_training_has_the_shorter_schedule_and_goes_on_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = []
    for name in ("whole", "stopped", "long"):
        (tmp_path / name).mkdir()
        trainings.append(Training(tmp_path / name))
    whole, stopped, long = trainings
    long.train(resume=False)
    monkeypatch.setattr(Pace, "fitting", lambda _pace, step, _last: 4 if step == 2 else None)
    weights = whole.train(resume=False)
    assert whole.lines == [
        "--time-budget: 4 of 12 steps fit it, and the learning rate is from now on theirs",
        "all steps done that fit the time, of 12",
    ]
    assert length.noted_length(length.length_notes(whole.out)) == Length(12, shortened=4, since=2)
    rows, of_long = whole.losses.splitlines(), long.losses.splitlines()
    assert (len(rows), len(of_long)) == (1 + 4, 1 + 12)
    assert rows[: 1 + 3] == of_long[: 1 + 3]  # the rate of the third step is the first that differs
    assert rows[4] != of_long[4]
    with pytest.raises(Interrupted, match="stopped after step 3 of 4"):
        stopped.train(resume=False, stop_after=3)
    again = stopped.train(resume=True)
    assert stopped.losses == whole.losses
    assert all(np.array_equal(weights[path], again[path]) for path in weights)


def test_what_the_base_finds_is_looked_for_once(tmp_path: Path) -> None:
    tiny.write_records(tmp_path / "val.tfrecord", ["red", "blue"], 2)
    examples = index_records([str(tmp_path / "val.tfrecord")], from_names(["red", "blue"]))
    asked: list[int] = []

    def find(_: str, unknown: Sequence[IndexedExample]) -> list[ImageDetections]:
        asked.append(len(unknown))
        nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)
        return [ImageDetections(*nothing) for _ in unknown]

    findings = Findings()
    first = findings.of("a", examples[:1], find)
    again = findings.of("b", examples, find)
    assert [*map(id, again[:1])] == [*map(id, first)]
    assert asked == [1, len(examples) - 1]
    assert findings.seconds_an_image >= 0.0

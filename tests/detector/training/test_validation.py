"""Training that is looked at on the way: validations, early ends, curves, and the record to blame."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import tiny
from tests.helpers.finetuning import CONFIG, plan, write_inputs
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.detector import finetune
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.model.detector import load_detector, values, variables
from tfrec_tools.detector.options.finetune import TrainingOptions
from tfrec_tools.detector.retention import retention
from tfrec_tools.detector.training import history, validation
from tfrec_tools.detector.training.tensorboard import Board
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation, Watch
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.features import BOX_WEIGHT

HEADS = replace(CONFIG, freeze_backbone=True)  # which takes longest to trace


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


def with_a_bad_record(path: Path, number: int) -> Path:
    """The weight of one record's box is infinite."""
    examples = [example_pb2.Example.FromString(data) for data in framing.read(path)]
    examples[number].features.feature[BOX_WEIGHT].float_list.value[:] = [math.inf]
    bad = path.with_name("bad.tfrecord")
    framing.write(bad, (example.SerializeToString() for example in examples))
    return bad


def test_a_loss_that_is_no_number_names_the_record_and_spoils_nothing(tmp_path: Path) -> None:
    good = tiny.write_records(tmp_path / "good.tfrecord", ["blue"], 4)
    examples = index_records([str(with_a_bad_record(good, 2))], from_names(["blue"]))
    trainer = Trainer(tiny.detector("blue"), HEADS)
    with pytest.raises(
        InputError, match=r"bad.tfrecord: record 2 \(2.png\): the loss is nan at step [12], by this image$"
    ):
        trainer.run(examples, [], lambda _done: None)
    assert trainer.step < 2
    assert all(np.isfinite(value).all() for value in values(trainer.detector.network).values())


@pytest.mark.slow
def test_a_diverging_run_says_that_it_is_the_learning_rate(tmp_path: Path) -> None:
    examples = index_records(
        [str(tiny.write_records(tmp_path / "a.tfrecord", ["blue"], 4))], from_names(["blue"])
    )
    detector = tiny.detector("blue")
    for path, variable in variables(detector.network).items():
        if path.endswith("bias"):
            variable.assign(variable + math.inf)
    with pytest.raises(InputError, match="by every image of the batch; a lower --lr keeps it finite"):
        Trainer(detector, CONFIG).run(examples, [], lambda _done: None)


def test_the_average_is_lent(tmp_path: Path) -> None:
    examples = index_records(
        [str(tiny.write_records(tmp_path / "a.tfrecord", ["blue"], 4))], from_names(["blue"])
    )
    trainer = Trainer(tiny.detector("blue"), HEADS)
    trainer.run(examples, [], lambda done: done.step == 2)
    assert trainer.step == 2
    own = values(trainer.detector.network)
    with trainer.stepper.update.averaged():
        averaged = values(trainer.detector.network)
    assert any(not np.array_equal(own[path], averaged[path]) for path in own)
    back = values(trainer.detector.network)
    assert all(np.array_equal(own[path], back[path]) for path in own)


@pytest.mark.slow
def test_without_a_better_validation_training_ends_and_is_over(inputs: Path, tmp_path: Path) -> None:
    """The narrow model finds nothing, so that the first validation stays the best."""
    watched = plan(
        inputs, tmp_path / "run", memory=retention.NOTHING, replay=(), watch=Watch(every=1, patience=1)
    )
    finetune.finetune(watched, resume=False)
    validations = validation.read_validations(tmp_path / "run" / "results.csv")
    assert [one.step for one in validations] == [1, 2]
    finetune.finetune(watched, resume=True)
    assert [one.step for one in history.read_losses(tmp_path / "run" / "losses.csv")] == [1, 2]
    with np.load(tmp_path / "run" / "state.npz") as state:
        best = {path: state[f"beside/{path}"] for path in variables(tiny.detector("blue").network)}
        assert int(state["step"]) == 2
    written = values(load_detector(tmp_path / "run" / "model").network)
    assert all(np.array_equal(best[path], written[path]) for path in best)


@pytest.mark.slow
def test_a_time_budget_ends_training(inputs: Path, tmp_path: Path) -> None:
    hurried = plan(inputs, tmp_path / "run", memory=retention.NOTHING, replay=(), watch=Watch(budget_s=0.0))
    finetune.finetune(hurried, resume=False)
    assert [one.step for one in history.read_losses(tmp_path / "run" / "losses.csv")] == [1]
    assert '"ended": "the time was up"' in (tmp_path / "run" / "report.json").read_text()


def test_the_best_is_where_old_and_new_are_good(tmp_path: Path) -> None:
    validations = [
        Validation(5, 0.9, 0.1, 0.5),
        Validation(10, 0.5, 0.5, 0.5),
        Validation(15, None, 0.4, 0.4),
    ]
    assert validation.best_of(validations).step == 10
    assert validation.without_gain(validations) == 1
    assert validation.without_gain([]) == 0
    validation.write_validations(tmp_path / "results.csv", validations)
    assert validation.read_validations(tmp_path / "results.csv") == validations
    assert (tmp_path / "results.csv").read_text().splitlines()[
        0
    ] == "step,ap50_old,ap50_new,ap50_all,agreement,score"


def test_few_are_evenly_spaced() -> None:
    assert len(validation.few(range(1201))) == 401  # type: ignore[arg-type]
    assert list(validation.few(range(3))) == [0, 1, 2]  # type: ignore[arg-type]


def test_tensorboard_gets_scalars(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add(3, {"AP50/old": 0.5, "AP50/new": None})
    board.flush()
    (file,) = tmp_path.iterdir()
    events = [tf.compat.v1.Event.FromString(data) for data in framing.read(file)]
    scalars = [
        (event.step, value.tag, float(tf.make_ndarray(value.tensor)), value.metadata.plugin_data.plugin_name)
        for event in events
        for value in event.summary.value
    ]
    assert scalars == [(3, "AP50/old", 0.5, "scalars")]


def test_times_are_read() -> None:
    times = ("90s", "10m", "1h30m", None)
    seconds = [TrainingOptions(time_budget=time).budget_s for time in times]
    assert seconds == [90.0, 600.0, 5400.0, None]
    for wrong in ("", "10", "m", "10 m"):
        with pytest.raises(InputError, match="is not a time such as"):
            _ = TrainingOptions(time_budget=wrong).budget_s

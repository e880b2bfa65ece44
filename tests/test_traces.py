"""A graph is traced once: for steps with any number of boxes, and for full and last batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import goldens, tiny
from tfrec_tools.detector.data.index import Annotated, index_records
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.trainer import Trainer

STEPS = TrainConfig(
    steps=3,
    batch_size=2,
    lr=1e-4,
    backbone_lr_mult=1.0,
    freeze_backbone=False,
    train_batch_norm=False,
    replay_ratio=0.0,
    average=0.0,
    seed=1,
)


@pytest.fixture
def examples(tmp_path: Path) -> list[Annotated]:
    """Pictures with no, one and two boxes, three of each."""
    names = {"none": [], "one": ["red"], "two": ["red", "green"]}
    labels = goldens.detector("fpnlite", "red", "green").labels
    for name, classes in names.items():
        tiny.write_records(tmp_path / f"{name}.tfrecord", classes, 3, labels=labels)
    return index_records([str(tmp_path / "*.tfrecord")], labels)


@pytest.mark.slow
@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_a_training_step_is_traced_once(family: str, examples: list[Annotated]) -> None:
    trainer = Trainer(goldens.detector(family, "red", "green"), STEPS)
    trainer.run(examples, [], lambda _: None)
    assert trainer.stepper.run.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_inference_is_traced_once_whatever_the_size_of_the_last_batch(
    family: str, examples: list[Annotated], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, traces = goldens.detector(family, "red", "green"), []
    detect = average_precision.detect

    def counted(detector: Detector, *batch: object) -> object:
        traces.append(batch)  # Python runs only where a graph is traced
        return detect(detector, *batch)

    monkeypatch.setattr(average_precision, "detect", counted)
    assert len(average_precision.find(made, examples, made.labels, batch_size=4)) == 9  # 4, 4 and 1
    assert len(traces) == 1

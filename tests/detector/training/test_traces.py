"""A graph is traced once: for steps with any number of boxes, for full and last batches, by all users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers import goldens, tiny
from tests.helpers.goldens import STEPS
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.inference.predictor import finder
from tfrec_tools.detector.model import detector as model
from tfrec_tools.detector.model.detector import Detector, detect
from tfrec_tools.detector.training.trainer import Trainer


@pytest.fixture
def examples(tmp_path: Path) -> list[IndexedExample]:
    """Pictures with no, one and two boxes, three of each."""
    names = {"none": [], "one": ["red"], "two": ["red", "green"]}
    labels = goldens.detector("fpnlite", "red", "green").labels
    for name, classes in names.items():
        tiny.write_records(tmp_path / f"{name}.tfrecord", classes, 3, labels=labels)
    return index_records([str(tmp_path / "*.tfrecord")], labels)


@pytest.mark.slow
@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_a_training_step_is_traced_once(family: str, examples: list[IndexedExample]) -> None:
    trainer = Trainer(goldens.detector(family, "red", "green"), STEPS)
    trainer.run(examples, [], lambda _: None)
    assert trainer.stepper.run.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_inference_is_traced_once_whatever_asks_and_the_size_of_the_last_batch(
    family: str, examples: list[IndexedExample], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, traces = goldens.detector(family, "red", "green"), []

    def counted(detector: Detector, *batch: object) -> object:
        traces.append(batch)  # Python runs only where a graph is traced
        return detect(detector, *batch)

    monkeypatch.setattr(model, "detect", counted)
    assert len(average_precision.find(made, examples, made.labels, batch_size=4)) == 9  # 4, 4 and 1
    pixels = np.zeros((8, 9, 3), np.uint8)
    assert len(finder(made)([pixels, pixels])) == 2
    assert len(traces) == 1

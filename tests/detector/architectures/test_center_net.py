"""CenterNet beyond TFOD's numbers: trained, grown, exported, on a narrow model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import goldens, tiny
from tests.helpers.finetuning import plan
from tests.helpers.goldens import STEPS
from tfrec_tools.detector import finetune
from tfrec_tools.detector.architectures import center_net
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.export import tflite_centers
from tfrec_tools.detector.export.export import export_model
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import load_detector, save_detector
from tfrec_tools.detector.options.models import ExportOptions
from tfrec_tools.detector.training import rates
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import TfrecError
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map

CLASS_KERNEL = f"{object_graph.MODEL}/_prediction_head_dict/object_center/0/layer_with_weights-1/kernel"
HIDDEN = CLASS_KERNEL.replace("weights-1", "weights-0")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    save_detector(goldens.detector("center_net", "red", "green"), folder / "base")
    (folder / "merged.pbtxt").write_text(format_label_map(from_names(["red", "green", "blue"])))
    tiny.write_records(folder / "new.tfrecord", ["blue"], 4)
    tiny.write_records(folder / "old.tfrecord", ["red", "green"], 2)
    tiny.write_records(folder / "val.tfrecord", ["red", "green", "blue"], 2)
    return folder


def test_a_base_is_grown_taught_and_measured(inputs: Path, tmp_path: Path) -> None:
    """With a teacher, pseudo-labels, replay, classes apart, and blended weights."""
    config = replace(STEPS, replay_ratio=0.5, lr=1e-3)
    finetune.finetune(plan(inputs, tmp_path / "run", config=config), resume=False)
    grown = load_detector(tmp_path / "run" / "model")
    assert grown.labels.names == ("red", "green", "blue")
    before = detectors.values(load_detector(inputs / "base").network)
    after = detectors.values(grown.network)
    assert after[CLASS_KERNEL].shape == (1, 1, 16, 3)
    assert not np.array_equal(before[HIDDEN], after[HIDDEN])
    assert all(np.isfinite(value.astype(np.float32)).all() for value in after.values())


def test_its_learning_rate_is_lower_than_the_others() -> None:
    silent = replace(STEPS, lr=None, batch_size=8)
    peaks = [rates.learning_rate(goldens.detector(family), silent) for family in ("center_net", "fpnlite")]
    assert peaks == [0.01, 0.04]
    assert rates.learning_rate(goldens.detector("center_net"), STEPS) == STEPS.lr


def test_training_teaches_what_is_annotated_and_leaves_unknown_classes_alone(tmp_path: Path) -> None:
    labels = from_names(["red", "green"])
    base = goldens.detector("center_net", "red", "green")
    records = tiny.write_records(
        tmp_path / "green.tfrecord", ["green"], 2, labels=labels, labeled=frozenset({"green"})
    )
    before, losses = detectors.values(base.network), list[StepLosses]()
    trainer = Trainer(base, replace(STEPS, steps=2, lr=1e-2))
    trainer.run(index_records([str(records)], labels), [], losses.append)
    after = detectors.values(base.network)
    assert len(losses) == 2
    assert all(step.regularization == 0 < step.classification for step in losses)
    assert (before[CLASS_KERNEL] != after[CLASS_KERNEL]).any(axis=(0, 1, 2)).tolist() == [False, True]
    stem = f"{object_graph.MODEL}/{center_net.BACKBONES[1]}/downsample_input/conv_block/conv/kernel"
    assert not np.array_equal(before[stem], after[stem])


@pytest.mark.parametrize("to", ["saved_model", "onnx"])
def test_an_export_gives_what_the_original_gives(inputs: Path, tmp_path: Path, to: str) -> None:
    if to == "onnx":
        pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    agreement = export_model(ExportOptions(model=inputs / "base", to=to, out=tmp_path / "out")).agreement  # type: ignore[arg-type]
    assert (agreement.lost, agreement.compared) == (0, 10)
    assert agreement.raw_scores < 1e-5
    if to == "saved_model":
        outputs = tf.saved_model.load(str(tmp_path / "out" / "saved_model"))(np.zeros((1, 9, 9, 3), np.uint8))
        assert outputs["detection_boxes_strided"].shape == (1, 20, 4)
        assert outputs["raw_detection_scores"].shape == (1, 256, 2)


def test_tflite_has_the_outputs_of_a_single_shot_detector(inputs: Path, tmp_path: Path) -> None:
    options = ExportOptions(model=inputs / "base", to="tflite", out=tmp_path / "out")
    agreement = export_model(options).agreement
    assert (agreement.lost, agreement.compared) == (0, 10)
    assert agreement.raw_scores < 1e-5
    with pytest.warns(UserWarning, match="Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(tmp_path / "out" / "model.tflite"))
    (given,) = interpreter.get_input_details()
    assert (given["dtype"], given["shape"].tolist()) == (np.float32, [1, 64, 64, 3])
    shapes = [details["shape"].tolist() for details in interpreter.get_output_details()]
    assert shapes == [[1, 20, 4], [1, 20], [1, 20], [1]]
    with pytest.raises(TfrecError, match="tflite-int8 is not for CenterNet"):
        tflite_centers.write(load_detector(inputs / "base"), tmp_path / "m", [np.zeros((8, 8, 3), np.uint8)])

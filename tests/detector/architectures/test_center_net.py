"""CenterNet beyond TFOD's numbers: trained, grown, exported, on a narrow model."""

from __future__ import annotations

import shutil
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
from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.evaluation.overlaps import ious
from tfrec_tools.detector.export import tflite_centers
from tfrec_tools.detector.export.agreement import Tolerance, compare
from tfrec_tools.detector.export.export import export_model
from tfrec_tools.detector.export.outputs import tfod_outputs
from tfrec_tools.detector.inference.predictor import finder
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import load_detector, save_detector
from tfrec_tools.detector.options.models import ExportFormat, ExportOptions
from tfrec_tools.detector.training import rates
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map

CLASS_KERNEL = f"{object_graph.MODEL}/_prediction_head_dict/object_center/0/layer_with_weights-1/kernel"
SUPPRESSION = """post_processing { batch_non_max_suppression { iou_threshold: 0.3
    max_detections_per_class: 15 max_total_detections: 30 change_coordinate_frame: false } }"""
HIDDEN = CLASS_KERNEL.replace("weights-1", "weights-0")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    save_detector(goldens.detector("center_net", "red", "green"), folder / "base")
    shutil.copytree(folder / "base", folder / "suppressing")
    pipeline = (folder / "base/pipeline.config").read_text(encoding="utf-8")
    (folder / "suppressing/pipeline.config").write_text(
        pipeline.replace("num_classes: 2", f"num_classes: 2 {SUPPRESSION}"), encoding="utf-8"
    )
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


def test_a_suppression_leaves_the_best_of_what_overlaps(inputs: Path) -> None:
    """All that is said says where it comes from, no two boxes of a class overlap, and the rest is as without
    a suppression: the best of all is the same."""
    image = np.random.default_rng(3).integers(0, 255, (40, 64, 3), np.uint8)
    plain, suppressing = (load_detector(inputs / name) for name in ("base", "suppressing"))
    canvas, window = preprocess(plain.config, tf.constant(image))
    before, after = (
        {name: value[0].numpy() for name, value in tfod_outputs(each, canvas[None], window[None]).items()}
        for each in (plain, suppressing)
    )
    count = int(after["num_detections"])
    assert 0 < count <= 30
    rows = after["detection_anchor_indices"][:count].astype(int)
    ids = after["detection_classes"][:count].astype(int)
    assert np.array_equal(after["detection_multiclass_scores"][:count], before["raw_detection_scores"][rows])
    own = after["raw_detection_scores"][rows, ids - 1]
    assert np.array_equal(after["detection_scores"][:count], own)
    for label_id in (1, 2):
        boxes = after["detection_boxes"][:count][ids == label_id]
        overlaps = ious(boxes, boxes) - np.eye(len(boxes))
        assert overlaps.max(initial=0.0) <= 0.3 + 1e-6
    with_area = np.prod(before["detection_boxes"][:, 2:] - before["detection_boxes"][:, :2], axis=1) > 0
    assert after["detection_scores"][0] == before["detection_scores"][with_area][0]
    (found,) = finder(suppressing)([image])
    np.testing.assert_allclose(found.boxes, after["detection_boxes"][:count], atol=1e-5)


@pytest.mark.parametrize("to", ["saved_model", "onnx"])
@pytest.mark.parametrize("model", ["base", "suppressing"])
def test_an_export_gives_what_the_original_gives(
    inputs: Path, tmp_path: Path, to: ExportFormat, model: str
) -> None:
    if to == "onnx":
        pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    agreement = export_model(ExportOptions(model=inputs / model, to=to, out=tmp_path / "out")).agreement
    assert (agreement.lost, agreement.compared) == (0, 10)
    assert agreement.raw_scores < 1e-5
    if to == "saved_model":
        outputs = tf.saved_model.load(str(tmp_path / "out" / "saved_model"))(np.zeros((1, 9, 9, 3), np.uint8))
        most = 20 if model == "base" else 30
        assert outputs["detection_boxes_strided"].shape == (1, most, 4)
        assert outputs["raw_detection_scores"].shape == (1, 256, 2)


@pytest.mark.parametrize(("model", "most"), [("base", 20), ("suppressing", 30)])
def test_tflite_has_the_outputs_of_a_single_shot_detector(
    inputs: Path, tmp_path: Path, model: str, most: int
) -> None:
    options = ExportOptions(model=inputs / model, to="tflite", out=tmp_path / "out")
    agreement = export_model(options).agreement
    assert (agreement.lost, agreement.compared) == (0, 10)
    assert agreement.raw_scores < 1e-5
    with pytest.warns(UserWarning, match="Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(tmp_path / "out" / "model.tflite"))
    (given,) = interpreter.get_input_details()
    assert (given["dtype"], given["shape"].tolist()) == (np.float32, [1, 64, 64, 3])
    shapes = [details["shape"].tolist() for details in interpreter.get_output_details()]
    assert shapes == [[1, most, 4], [1, most], [1, most], [1]]


@pytest.mark.slow
def test_eight_bits_keep_the_peaks(inputs: Path, tmp_path: Path) -> None:
    """A client sends bytes, and gets what the model of float32 says, nearly."""
    detector = load_detector(inputs / "base")
    images = [np.random.default_rng(seed).integers(0, 255, (64, 64, 3), np.uint8) for seed in range(3)]
    for name, calibrating in (("whole", None), ("bytes", images)):
        tflite_centers.write(detector, tmp_path / name, calibrating)
    assert (tmp_path / "bytes").stat().st_size < 0.6 * (tmp_path / "whole").stat().st_size
    whole, in_bytes = (
        tflite_centers.run(tmp_path / name, detector, images[0]) for name in ("whole", "bytes")
    )
    agreement = compare(in_bytes, whole, Tolerance(raw_scores=0.1, raw_mean=0.02, box=0.15, lost=3))
    assert 0.0 < agreement.raw_scores < 0.1
    assert agreement.raw_mean < 0.02
    with pytest.warns(UserWarning, match="Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(tmp_path / "bytes"))
    (given,) = interpreter.get_input_details()
    assert (given["dtype"], given["quantization"]) == (np.uint8, (1.0, 0))
    assert {details["dtype"] for details in interpreter.get_output_details()} == {np.float32}

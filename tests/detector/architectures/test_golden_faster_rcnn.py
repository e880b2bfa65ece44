"""Faster R-CNN against what the real TFOD computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tests.helpers import against_tfod, by_rule, tiny
from tfrec_tools.detector.architectures import faster_rcnn
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.data import resize
from tfrec_tools.detector.losses import matching
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.detector import Detector, class_logits, detect, load_detector, save_detector
from tfrec_tools.detector.network import rcnn_network
from tfrec_tools.labels.label_map import from_names

# Of a stage, given its candidates and positive boxes.
Draw = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
NAME = "faster_rcnn_resnet50"
SIDE_PX = 320
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "tfod" / NAME


def _config(detector: Detector) -> FasterRcnnConfig:
    assert isinstance(detector.config, FasterRcnnConfig)
    return detector.config


def _prepared(detector: Detector, file: Path) -> tuple[tf.Tensor, tf.Tensor]:
    picture = tf.io.decode_png(file.read_bytes(), channels=3)
    canvas, window = resize.preprocess(detector.config, picture)
    return canvas[None], window[None]


@pytest.mark.parametrize("index", [0, 1])
def test_inference_is_tfods(folder: Path, index: int) -> None:
    _check_inference(load_detector(folder), folder, folder / f"image{index}.png", f"im{index}")


@pytest.mark.slow
def test_an_inception_resnet_is_tfods(shared: Path, folder: Path, tmp_path: Path) -> None:
    """Of its training TFOD's numbers are not there."""
    golden = shared / "tfod" / "faster_rcnn_inception_resnet_v2"
    base = load_detector(by_rule.write_folder(golden, tmp_path / "model"))
    _check_inference(base, golden, folder / "image1.png", "im1")
    image, window = _prepared(base, folder / "image1.png")
    grown = growth.grow(base, from_names([*base.labels.names, "dog"]), seed=0)
    before, after = (class_logits(detector, image, window) for detector in (base, grown))
    assert np.array_equal(before, after[..., :3])
    against_tfod.check_written_back(tmp_path / "model", tmp_path / "copy")


def _check_inference(detector: Detector, folder: Path, picture: Path, key: str) -> None:
    expected = np.load(folder / "expected_inference.npz")
    config = _config(detector)
    image, window = _prepared(detector, picture)
    assert np.array_equal(image, expected[f"{key}/preprocessed"])
    assert np.array_equal(window[0] * SIDE_PX, expected[f"{key}/true_shape"][0, :2])
    if f"{key}/pred/anchors" in expected:
        anchors = rcnn_network.anchor_boxes(config) * SIDE_PX
        np.testing.assert_allclose(anchors, expected[f"{key}/pred/anchors"], atol=1e-4)
    features, codes, logits = rcnn_network.first_stage(detector.network, image, training=False)
    extremes = [op(features.numpy()) for op in (np.mean, np.std, np.min, np.max)]
    np.testing.assert_allclose(extremes, expected[f"{key}/fmstat/0"], atol=1e-3)
    np.testing.assert_allclose(codes, expected[f"{key}/pred/rpn_box_encodings"], atol=1e-3)
    np.testing.assert_allclose(
        logits, expected[f"{key}/pred/rpn_objectness_predictions_with_background"], atol=1e-3
    )
    proposals, refined = faster_rcnn.predict(config, detector.network, image, window)
    assert proposals.valid.numpy().sum() == expected[f"{key}/pred/num_proposals"]
    np.testing.assert_allclose(proposals.boxes * SIDE_PX, expected[f"{key}/pred/proposal_boxes"], atol=5e-3)
    np.testing.assert_allclose(refined.codes[0], expected[f"{key}/pred/refined_box_encodings"], atol=1e-3)
    np.testing.assert_allclose(
        refined.logits[0], expected[f"{key}/pred/class_predictions_with_background"], atol=1e-3
    )
    found = detect(detector, image, window)
    np.testing.assert_allclose(found.scores, expected[f"{key}/det/detection_scores"], atol=1e-5)
    np.testing.assert_allclose(found.boxes, expected[f"{key}/det/detection_boxes"], atol=1e-5)
    ids = np.maximum(found.ids.numpy() - 1, 0)  # TFOD's are 0 after the last
    assert np.array_equal(ids, expected[f"{key}/det/detection_classes"])


def test_training_is_tfods(folder: Path) -> None:
    expected = np.load(folder / "expected_training.npz")
    detector = load_detector(folder)
    network, draws = detector.network, _recorded(expected)
    variables = {
        path: variable for path, variable in detectors.variables(network).items() if variable.trainable
    }
    with tf.GradientTape() as tape:
        stages = faster_rcnn.stage_losses(
            _config(detector),
            network,
            rcnn_network.first_stage(network, expected["preprocessed"], training=True),
            _truth(expected),
            lambda _, candidates, positive: next(draws)(candidates, positive),
            training=True,
        )
        found = [loss / len(expected["preprocessed"]) for loss in stages]
        regularization = tf.add_n([tf.zeros(()), *network.losses])
        total = tf.add_n(found) + regularization
    gradients = tape.gradient(total, [variable.value for variable in variables.values()])
    keys = [
        f"loss/Loss/{name}_loss"
        for name in (
            "RPNLoss/localization",
            "RPNLoss/objectness",
            "BoxClassifierLoss/localization",
            "BoxClassifierLoss/classification",
        )
    ]
    for loss, key in zip((*found, regularization, total), (*keys, "reg_loss", "total_loss"), strict=True):
        np.testing.assert_allclose(loss, expected[key], rtol=2e-4)
    np.testing.assert_allclose(tf.linalg.global_norm(gradients), expected["grad_global_norm"], rtol=5e-3)
    norms = json.loads((folder / "expected_grad_norms.json").read_text())
    assert len(norms) == len(variables)
    for path, gradient in zip(variables, gradients, strict=True):
        key = f"{path}{SUFFIX}"
        np.testing.assert_allclose(tf.norm(gradient), norms[key], rtol=1e-2, atol=1e-3, err_msg=key)
    moved = tiny.floats(network)
    expected_norms = np.load(folder / "expected_bn_after_one_training_forward.npz")
    for key in expected_norms:
        np.testing.assert_allclose(
            moved[key.removesuffix(SUFFIX)], expected_norms[key], rtol=1e-4, atol=1e-5, err_msg=key
        )


def _truth(expected: np.lib.npyio.NpzFile) -> matching.GroundTruth:
    """TFOD's input pipeline gives boxes as fractions of the padded picture, as ours does."""
    boxes, classes = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 3), np.float32)
    for index in range(2):
        true = expected[f"gt/boxes{index}"]
        boxes[index, : len(true)] = true
        classes[index, np.arange(len(true)), expected[f"gt/classes{index}"]] = 1.0
    windows = tf.constant(expected["true_shape"][:, :2] / SIDE_PX, tf.float32)
    return matching.GroundTruth(
        windows,
        tf.constant(boxes),
        tf.constant(classes),
        tf.ones(classes.shape[:2]),
        tf.ones((2, 3)),
        tf.ones(3),
    )


def _recorded(expected: np.lib.npyio.NpzFile) -> Iterator[Draw]:
    """TFOD's own draws: of the proposals of both pictures, then of their anchors."""
    for stage, calls in (("second", (0, 1)), ("first", (2, 3))):
        recorded = (
            np.stack([expected[f"sampler/{call}/_{stage}_stage_sampler/{name}"] for call in calls])
            for name in ("indicator", "labels", "sampled")
        )
        yield partial(_draw, *recorded)


def _draw(
    candidates: NDArray[np.bool_],
    positive: NDArray[np.bool_],
    sampled: NDArray[np.bool_],
    our_candidates: tf.Tensor,
    our_positive: tf.Tensor,
) -> tf.Tensor:
    assert np.array_equal(positive, our_positive)
    # The overlap of some anchors is the threshold itself.
    assert np.count_nonzero(candidates != our_candidates) <= 3
    return tf.constant(sampled)


def test_writing_a_model_back_is_the_identity(folder: Path, tmp_path: Path) -> None:
    save_detector(load_detector(folder), tmp_path / "model")
    before, after = (
        tf.train.load_checkpoint(str(place / "checkpoint")) for place in (folder, tmp_path / "model")
    )
    keys = sorted(before.get_variable_to_shape_map())
    assert keys == sorted(after.get_variable_to_shape_map())
    values = [key for key in keys if not key.startswith("_")]
    assert all(np.array_equal(before.get_tensor(key), after.get_tensor(key)) for key in values)
    read = object_graph.read_checkpoint(tmp_path / "model" / "checkpoint")
    assert len(read.variables("model")) == len(
        object_graph.read_checkpoint(folder / "checkpoint").variables("model")
    )


def test_a_grown_model_keeps_its_logits_to_the_bit(folder: Path) -> None:
    base = load_detector(folder)
    image, window = _prepared(base, folder / "image1.png")
    grown = growth.grow(base, from_names([*base.labels.names, "dog", "horse"]), seed=0)
    before, after = (class_logits(detector, image, window) for detector in (base, grown))
    assert np.array_equal(before, after[..., :3])

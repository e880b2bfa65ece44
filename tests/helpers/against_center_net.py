"""Checks of CenterNet against what the real TFOD computed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.helpers import against_tfod, tiny
from tests.helpers.against_tfod import SUFFIX
from tfrec_tools.detector.architectures import center_net
from tfrec_tools.detector.config.center_net import STRIDE_PX, CenterNetConfig
from tfrec_tools.detector.losses import center_losses
from tfrec_tools.detector.losses.center_losses import CenterTargets
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import Detector, detect
from tfrec_tools.detector.network import center_network

HEADS = ("object_center", "box/scale", "box/offset")


def config_of(detector: Detector) -> CenterNetConfig:
    """Of a CenterNet, which it must be."""
    assert isinstance(detector.config, CenterNetConfig)
    return detector.config


def check_inference(detector: Detector, golden: Path, images: Path) -> None:
    """Of both images: canvas, maps of each stack, detections."""
    expected = np.load(golden / "expected_inference.npz")
    training = np.load(golden / "expected_training.npz")
    for index in range(2):
        key = f"im{index}"
        image, window = against_tfod.preprocessed(detector, images / f"image{index}.png")
        if "preprocessed" in training.files:
            assert np.array_equal(image[0], training["preprocessed"][index])
        height_px = config_of(detector).resizer.height_px
        assert np.array_equal(np.round(window[0] * height_px), expected[f"{key}/true_shape"][0, :2])
        for stack, maps in enumerate(center_network.stacks(detector.network(image))):
            for values, name in zip(maps, HEADS, strict=True):
                np.testing.assert_allclose(values, expected[f"{key}/pred/{name}/{stack}"], atol=2e-4)
        found = detect(detector, image, window)
        assert (found.ids[0] > 0).numpy().sum() == expected[f"{key}/det/num_detections"]
        np.testing.assert_allclose(found.scores, expected[f"{key}/det/detection_scores"], atol=1e-5)
        apart = _apart(expected[f"{key}/det/detection_scores"][0])
        ids = expected[f"{key}/det/detection_classes"][0] + 1
        assert np.array_equal(found.ids[0].numpy()[apart], ids[apart])
        boxes = expected[f"{key}/det/detection_boxes"][0]
        np.testing.assert_allclose(found.boxes[0].numpy()[apart], boxes[apart], atol=1e-5)


def _apart(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where no neighbour is so near that it may have another's place."""
    gaps = -np.diff(scores, prepend=np.inf, append=-np.inf)
    apart = (gaps[:-1] > against_tfod.TIE) & (gaps[1:] > against_tfod.TIE)
    assert apart.mean() > 0.9
    return apart


def check_training(detector: Detector, golden: Path, images: Path) -> None:
    """Targets, losses, gradients, and what batch norms become, of a batch of both images."""
    expected = np.load(golden / "expected_training.npz")
    config, network = config_of(detector), detector.network
    size_px = np.array([config.resizer.height_px, config.resizer.width_px])
    truth = _truth(expected, size_px)
    targets = center_losses.assign(truth, config.loss.min_iou, config.cells, STRIDE_PX)
    _check_targets(targets, expected)
    variables = {
        path: variable for path, variable in detectors.variables(network).items() if variable.trainable
    }
    prepared = [against_tfod.preprocessed(detector, images / f"image{index}.png")[0] for index in range(2)]
    with tf.GradientTape() as tape:
        stacks = center_network.stacks(network(tf.concat(prepared, axis=0), training=True))
        found = center_losses.losses(config.loss, stacks, targets, truth)
        total = tf.add_n(found.alone)
    gradients = tape.gradient(total, [variable.value for variable in variables.values()])
    for stack, maps in enumerate(stacks):
        for values, name in zip(maps, HEADS, strict=True):
            np.testing.assert_allclose(values, expected[f"pred/{name}/{stack}"], atol=2e-2)
    localization = expected["loss/Loss/box/scale"] + expected["loss/Loss/box/offset"]
    np.testing.assert_allclose(found.alone[0], localization, rtol=2e-4)
    np.testing.assert_allclose(found.alone[1], expected["loss/Loss/object_center"], rtol=2e-4)
    np.testing.assert_allclose(total, expected["total_loss"], rtol=2e-4)
    assert network.losses == []
    whole = expected["grad_global_norm"]
    np.testing.assert_allclose(tf.linalg.global_norm(gradients), whole, rtol=1e-3)
    norms = json.loads((golden / "expected_grad_norms.json").read_text())
    for path, gradient in zip(variables, gradients, strict=True):
        np.testing.assert_allclose(
            tf.norm(gradient), norms[f"{path}{SUFFIX}"], rtol=1e-2, atol=1e-3 * whole, err_msg=path
        )
    _check_batch_norm(detector, golden)


def _truth(expected: np.lib.npyio.NpzFile, size_px: NDArray[np.int64]) -> GroundTruth:
    boxes, classes = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 3), np.float32)
    for index in range(2):
        true = expected[f"gt/boxes{index}"]
        boxes[index, : len(true)] = true
        classes[index, np.arange(len(true)), expected[f"gt/classes{index}"]] = 1.0
    windows = tf.constant(expected["true_shape"][:, :2] / size_px, tf.float32)
    known = tf.ones((2, 3))
    return GroundTruth(windows, tf.constant(boxes), tf.constant(classes), known, known, tf.ones(3))


def _check_targets(targets: CenterTargets, expected: np.lib.npyio.NpzFile) -> None:
    np.testing.assert_allclose(targets.heatmaps, expected["targets/heatmap"], atol=1e-6)
    assert np.array_equal(targets.heatmaps == 1.0, expected["targets/heatmap"] == 1.0)
    valid = targets.weights.numpy().min(axis=-1).reshape(2, -1)
    assert np.array_equal(valid, expected["targets/valid_pixels"])
    there = targets.box_weights.numpy() > 0
    image, y, x = expected["targets/indices"].T
    width = targets.heatmaps.shape[2]
    assert np.array_equal(targets.cells.numpy()[there], y * width + x)
    assert np.array_equal(np.nonzero(there)[0], image)
    np.testing.assert_allclose(targets.sizes.numpy()[there], expected["targets/height_width"], atol=1e-5)
    np.testing.assert_allclose(targets.offsets.numpy()[there], expected["targets/offsets"], atol=1e-5)


def _check_batch_norm(detector: Detector, golden: Path) -> None:
    """What has no part in training stays as it was, in TFOD too. The largest golden has no numbers of it."""
    file = golden / "expected_bn_after_one_training_forward.npz"
    moved, expected = tiny.floats(detector.network), np.load(file) if file.exists() else {}
    spare = center_net.unused(config_of(detector))
    for key in expected:
        path = key.removesuffix(SUFFIX)
        if path in moved:
            np.testing.assert_allclose(moved[path], expected[key], rtol=2e-4, atol=1e-4, err_msg=path)
        else:
            assert spare is not None
            assert path.startswith(f"model/{spare}/")

"""CenterNet's targets, losses and peaks: TFOD's numbers on small cases, and what it knows nothing of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.config.center_net import CenterLoss
from tfrec_tools.detector.losses import center_losses
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.network import center_network
from tfrec_tools.detector.network.center_network import Maps

CELLS = 32, 40
LOSS = CenterLoss(2.0, 4.0, 0.7, 1.0, 0.1, 1.0)
# Centres in the cells (8, 8) and (24, 24) of 32 x 32.
LEFT, RIGHT = (0.156, 0.156, 0.375, 0.375), (0.656, 0.656, 0.875, 0.875)


@pytest.fixture(scope="module")
def cases(shared: Path) -> np.lib.npyio.NpzFile:
    return np.load(shared / "tfod" / "center_net_cases" / "cases.npz")


def _truth(boxes: object, classes: object, weights: object) -> GroundTruth:
    """One image that takes its whole canvas and was annotated for all classes; they are one-hot."""
    of_image, one_hot, counted = (tf.constant(part, tf.float32)[None] for part in (boxes, classes, weights))
    kinds = one_hot.shape[-1]
    return GroundTruth(tf.ones((1, 2)), of_image, one_hot, counted, tf.ones((1, kinds)), tf.ones(kinds))


def _of_case(cases: np.lib.npyio.NpzFile, name: str) -> GroundTruth:
    boxes, weights = cases[f"{name}/boxes"], cases[f"{name}/weights"]
    classes = np.eye(4, dtype=np.float32)[cases[f"{name}/classes"]]
    return _truth(boxes.reshape(-1, 4), classes.reshape(-1, 4), weights)


@pytest.mark.parametrize("name", ["plain", "same_class_overlap", "weights", "none", "edges", "padded"])
def test_targets_are_tfods(cases: np.lib.npyio.NpzFile, name: str) -> None:
    truth = _of_case(cases, name)
    for min_iou in (0.7, 0.5):
        targets = center_losses.assign(truth, min_iou, CELLS, 4)
        heatmap = cases[f"{name}/heatmap_iou{min_iou}"]
        np.testing.assert_allclose(targets.heatmaps[0], heatmap, atol=1e-6)
        deviations = center_losses.deviations(targets.sizes[0], min_iou)
        np.testing.assert_allclose(deviations, cases[f"{name}/sigma_iou{min_iou}"], atol=1e-6)
    image, y, x = cases[f"{name}/indices"].T
    inside = (y < CELLS[0]) & (x < CELLS[1])
    there = targets.box_weights[0].numpy() > 0
    expected = cases[f"{name}/weights"] * inside > 0
    assert np.array_equal(there, expected)
    assert not image.any()
    assert np.array_equal(targets.cells[0].numpy()[there], (y * CELLS[1] + x)[expected])
    for ours, theirs in ((targets.sizes, "height_width"), (targets.offsets, "offsets")):
        np.testing.assert_allclose(ours[0], cases[f"{name}/{theirs}"], atol=1e-5)


@pytest.mark.parametrize("name", ["plain", "weights", "none"])
def test_the_focal_loss_is_tfods(cases: np.lib.npyio.NpzFile, name: str) -> None:
    logits = cases["focal/logits"].reshape(1, *CELLS, 4)
    truth = _of_case(cases, name)
    # TFOD knows no doubt: to it a box of weight 0 is none.
    truth = truth._replace(classes=truth.classes * tf.cast(truth.weights > 0, tf.float32)[..., None])
    losses = _losses(logits, truth)
    boxes = max(float(cases[f"{name}/num_boxes"]), 1.0)
    np.testing.assert_allclose(losses[1], cases[f"focal/loss_{name}"].sum() / boxes, rtol=1e-5)


@pytest.mark.parametrize("name", ["random", "plateau", "few", "near_equal"])
def test_peaks_are_tfods(cases: np.lib.npyio.NpzFile, name: str) -> None:
    heatmap = cases[f"peaks/{name}/heatmap"]
    found = center_network.peaks(tf.constant(heatmap), 3, int(cases[f"peaks/{name}/k"]))
    width = heatmap.shape[2]
    assert np.array_equal(found.scores, cases[f"peaks/{name}/scores"])
    assert np.array_equal(found.cells, cases[f"peaks/{name}/y"] * width + cases[f"peaks/{name}/x"])
    assert np.array_equal(found.columns, cases[f"peaks/{name}/class"])


def test_boxes_are_tfods(cases: np.lib.npyio.NpzFile) -> None:
    sizes, offsets = cases["decode/height_width"], cases["decode/offset"]
    boxes = center_network.decode(Maps(tf.zeros((*sizes.shape[:3], 1)), sizes, offsets))
    height, width = sizes.shape[1:3]
    cells = cases["decode/y"][0] * width + cases["decode/x"][0]
    strided = boxes.numpy()[0, cells] * [height, width, height, width]
    np.testing.assert_allclose(strided, cases["decode/boxes_strided"][0], atol=1e-5)


def _losses(logits: NDArray[np.float32] | tf.Tensor, truth: GroundTruth) -> list[tf.Tensor]:
    targets = center_losses.assign(truth, LOSS.min_iou, tuple(logits.shape[1:3]), 4)
    nothing = tf.zeros((*logits.shape[:3], 2))
    return center_losses.losses(LOSS, [Maps(logits, nothing, nothing)], targets, truth).alone


def _taught(truth: GroundTruth) -> NDArray[np.float32]:
    """The gradient (32, 32, K) of the heatmaps' loss at even logits."""
    logits = tf.Variable(tf.zeros((1, 32, 32, truth.classes.shape[-1])))
    with tf.GradientTape() as tape:
        loss = _losses(logits.value(), truth)[1]
    return tape.gradient(loss, logits).numpy()[0]


BOTH = _truth([LEFT, RIGHT], np.eye(2), [1, 1])


def test_a_centre_is_taught_its_class_and_the_rest_the_background() -> None:
    gradient = _taught(BOTH)
    assert gradient[8, 8, 0] < 0 < gradient[8, 8, 1]
    assert gradient[24, 24, 1] < 0 < gradient[24, 24, 0]
    assert (gradient > 0).sum() == gradient.size - 2
    assert 0 < gradient[8, 9, 0] < gradient[0, 31, 0]


def test_a_class_that_was_not_annotated_is_taught_only_by_boxes_of_others() -> None:
    only_second = _truth([RIGHT], [[0, 1]], [1])._replace(labeled=tf.constant([[0.0, 1.0]]))
    gradient = _taught(only_second)
    assert gradient[8, 8, 0] == pytest.approx(0, abs=1e-6)
    assert gradient[24, 24, 0] > 0  # an annotated box is known to be no other class
    assert gradient[24, 24, 1] < 0
    assert (gradient[..., 1] != 0).all()
    never = _taught(only_second._replace(taught=tf.constant([0.0, 1.0])))
    assert not never[..., 0].any()


def test_a_box_in_doubt_is_neither_an_example_nor_against_one() -> None:
    gradient = _taught(_truth([LEFT, RIGHT], np.eye(2), [0, 1]))
    assert gradient[8, 8, 0] == 0
    assert gradient[8, 8, 1] > 0
    # Around it as if it were there; the one box that counts is divided by instead of two.
    np.testing.assert_allclose(gradient[8, 9, 0], 2 * _taught(BOTH)[8, 9, 0], rtol=1e-5)


def test_classes_apart_are_divided_by_their_own_boxes() -> None:
    many = _truth([LEFT, LEFT, LEFT, RIGHT], [[1, 0]] * 3 + [[0, 1]], [1] * 4)
    together, apart = _taught(many), _taught(many._replace(apart=tf.constant([0.0, 1.0])))
    np.testing.assert_allclose(apart[..., 1], 4 * together[..., 1], rtol=1e-5)
    np.testing.assert_allclose(apart[..., 0], together[..., 0] * 4 / 3, rtol=1e-5)


def test_the_padding_below_an_image_teaches_nothing() -> None:
    gradient = _taught(BOTH._replace(windows=tf.constant([[0.51, 1.0]])))
    assert (gradient[:17] != 0).all()
    assert not gradient[17:].any()

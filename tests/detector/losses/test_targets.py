"""What anchors are to predict, and the losses: coding, matching, losses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfrec_tools.detector.config.blocks import MatcherConfig
from tfrec_tools.detector.config.ssd import LossConfig
from tfrec_tools.detector.losses import matching, ssd_losses
from tfrec_tools.detector.network import box_coding

SCALES = (10.0, 10.0, 5.0, 5.0)
MATCHER = MatcherConfig(matched_threshold=0.5, unmatched_threshold=0.5, forced=True)
LOSS = LossConfig(2.0, 0.25, 1.0, 1.0, 1.0, normalize_by_matches=True, normalize_by_code_size=True)
ANCHORS = tf.constant(
    [[0.0, 0.0, 0.5, 0.5], [0.0, 0.5, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5], [0.5, 0.5, 1.0, 1.0]]
)
ALL = tf.ones((1, 2))


def _assign(
    boxes: list[list[float]], classes: list[int], labeled: tf.Tensor = ALL, taught: tf.Tensor = ALL[0]
) -> matching.Targets:
    one_hot = tf.one_hot([classes], 2)
    truth = matching.GroundTruth(
        tf.ones((1, 2)), tf.constant([boxes]), one_hot, tf.ones((1, len(boxes))), labeled, taught
    )
    return matching.assign(MATCHER, SCALES, ANCHORS, truth, background=True)


def test_decoding_undoes_encoding() -> None:
    random = np.random.default_rng(0)
    top_left, size = random.uniform(0, 0.5, (2, 50, 2)), random.uniform(0.05, 0.5, (2, 50, 2))
    boxes, anchors = tf.constant(np.concatenate([top_left, top_left + size], axis=-1), tf.float32)
    codes = box_coding.encode(boxes, anchors, SCALES)
    np.testing.assert_allclose(box_coding.decode(codes, anchors, SCALES), boxes, atol=1e-5)


def test_an_anchor_that_is_the_box_has_the_code_zero() -> None:
    np.testing.assert_allclose(box_coding.encode(ANCHORS, ANCHORS, SCALES), np.zeros((4, 4)), atol=1e-6)


def test_anchors_take_the_box_that_overlaps_them_and_every_box_gets_one() -> None:
    targets = _assign([[0.0, 0.0, 0.5, 0.5], [0.9, 0.9, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]], [0, 1, -1])
    assert targets.matches.numpy().tolist() == [[0, -1, -1, 1]]
    assert targets.classes.one_hot.numpy()[0].tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert targets.code_weights.numpy().tolist() == [[1, 0, 0, 1]]


def test_between_the_thresholds_an_anchor_is_ignored() -> None:
    matcher = MatcherConfig(matched_threshold=0.9, unmatched_threshold=0.3, forced=True)
    anchors = tf.constant([[0.0, 0.0, 0.5, 0.5], [0.0, 0.1, 0.5, 0.6], [0.0, 0.5, 0.5, 1.0]])  # IoU 1, 2/3, 0
    assert matching.match(matcher, anchors[None, :1], anchors).numpy().tolist() == [[0, -2, -1]]


def test_a_picture_without_boxes_is_all_background() -> None:
    targets = _assign([[0.0, 0.0, 0.0, 0.0]], [-1])
    assert targets.matches.numpy().tolist() == [[-1] * 4]
    assert not targets.classes.one_hot.numpy().any()
    assert targets.classes.known.numpy().all()


def test_of_a_box_in_doubt_nothing_is_known() -> None:
    boxes = tf.constant([[[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]]])
    one_hot, weights = tf.one_hot([[0, 1]], 2), tf.constant([[0.0, 1.0]])
    truth = matching.GroundTruth(tf.ones((1, 2)), boxes, one_hot, weights, ALL, ALL[0])
    targets = matching.assign(MATCHER, SCALES, ANCHORS, truth, background=True)
    assert targets.matches.numpy().tolist() == [[-1, -1, -1, 1]]
    assert targets.classes.known.numpy()[0].tolist() == [[1, 0, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]]
    assert targets.code_weights.numpy().tolist() == [[0, 0, 0, 1]]


def test_an_annotated_box_settles_a_doubt() -> None:
    """The base half believes in a class where another one is annotated."""
    boxes, weights = tf.constant([[ANCHORS[0].numpy(), ANCHORS[0].numpy()]]), tf.constant([[0.0, 1.0]])
    truth = matching.GroundTruth(tf.ones((1, 2)), boxes, tf.one_hot([[0, 1]], 2), weights, ALL, ALL[0])
    targets = matching.assign(MATCHER, SCALES, ANCHORS, truth, background=True)
    assert targets.classes.one_hot.numpy()[0, 0].tolist() == [0, 0, 1]
    assert targets.classes.known.numpy()[0, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("is_taught", [True, False])
def test_a_class_that_a_picture_was_not_annotated_for(is_taught: bool) -> None:
    logits = tf.Variable(tf.random.stateless_normal((1, 4, 3), (1, 2)))
    taught = tf.constant([float(is_taught), 1.0])
    targets = _assign([[0.0, 0.0, 0.5, 0.5]], [1], labeled=tf.constant([[0.0, 1.0]]), taught=taught)
    with tf.GradientTape() as tape:
        total = tf.add_n(ssd_losses.detection_losses(LOSS, tf.zeros((1, 4, 4)), logits, targets).alone)
    gradient = tape.gradient(total, logits).numpy()[0]
    assert targets.matches.numpy().tolist() == [[0, -1, -1, -1]]
    assert not gradient[1:, 1].any()
    # The annotated box is of class 2, so it is not of class 1, which may be said if class 1 is taught at all.
    assert (gradient[0, 1] > 0) == is_taught
    assert gradient[:, [0, 2]].all()


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    logits, labels = tf.constant([-2.0, 0.0, 3.0]), tf.constant([0.0, 1.0, 1.0])
    expected = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    np.testing.assert_allclose(ssd_losses.sigmoid_focal(logits, labels, 0.0, None), expected)


def test_focal_loss_by_hand() -> None:
    # p = 0.5 everywhere: (1 - p)^2 * -log(p), times alpha for the class and 1 - alpha for the rest
    found = ssd_losses.sigmoid_focal(tf.zeros(2), tf.constant([1.0, 0.0]), 2.0, 0.25)
    np.testing.assert_allclose(found, np.array([0.25, 0.75]) * 0.25 * np.log(2), rtol=1e-6)


@pytest.mark.parametrize(("error", "expected"), [(0.5, 0.125), (1.0, 0.5), (3.0, 2.5)])
def test_smooth_l1_is_quadratic_then_linear(error: float, expected: float) -> None:
    found = ssd_losses.smooth_l1(tf.constant([[error, 0.0, 0.0, 0.0]]), tf.zeros((1, 4)), 1.0)
    np.testing.assert_allclose(found, [expected])


def test_losses_are_divided_by_the_matches_of_the_batch() -> None:
    codes = tf.ones((1, 4, 4))
    one = ssd_losses.detection_losses(LOSS, codes, tf.zeros((1, 4, 3)), _assign([[0.0, 0.0, 0.5, 0.5]], [0]))
    two = ssd_losses.detection_losses(
        LOSS, codes, tf.zeros((1, 4, 3)), _assign([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]], [0, 1])
    )
    np.testing.assert_allclose(one.alone[0], two.alone[0])
    np.testing.assert_allclose(one.alone[0], 0.5)


def test_classes_that_stand_apart_are_divided_by_their_own_matches_and_emphasised() -> None:
    boxes = [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0]]
    codes, logits = tf.ones((1, 4, 4)), tf.zeros((1, 4, 3))
    together = _assign(boxes, [0, 0, 1])
    apart = together._replace(apart=tf.constant([0.0, 0.0, 1.0]))
    one, two = (
        ssd_losses.detection_losses(LOSS, codes, logits, targets, emphasis)
        for targets, emphasis in ((together, 1.0), (apart, 3.0))
    )
    # Three boxes of the same loss: their mean, or the mean of two and three times that of one.
    np.testing.assert_allclose(two.alone[0], 4.0 * one.alone[0])
    focal = ssd_losses.sigmoid_focal(logits, together.classes.one_hot, LOSS.focal_gamma, LOSS.focal_alpha)
    of_column = tf.reduce_sum(focal, axis=[0, 1]).numpy()
    np.testing.assert_allclose(one.alone[1], of_column.sum() / 3, rtol=1e-6)
    np.testing.assert_allclose(two.alone[1], of_column[:2].sum() / 2 + 3 * of_column[2], rtol=1e-6)

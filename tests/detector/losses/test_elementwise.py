"""Losses in one pass are the losses one after the other."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfrec_tools.detector.losses import elementwise, matching, ssd_losses

LOGITS = tf.random.stateless_normal((2, 7, 4), (1, 2), stddev=3.0)
CLASSES = matching.ClassTargets(
    columns=tf.constant([[-1, 1, 2, 3, -1, 1, -1], [-1] * 6 + [2]]),
    weights=tf.random.stateless_uniform((2, 7), (3, 4)),
    labeled=tf.constant([[1.0, 1.0, 0.0, 1.0], [1.0] * 4]),
    taught=tf.constant([0.0, 1.0, 1.0, 0.0]),
    doubted=tf.random.stateless_uniform((2, 7, 4), (5, 6)) < 0.3,
)


def _focal(logits: tf.Tensor, classes: matching.ClassTargets, gamma: float) -> tf.Tensor:
    return ssd_losses.sigmoid_focal(logits, classes.one_hot, gamma, 0.25) * classes.known


def _compiled(logits: tf.Tensor) -> tf.Tensor:
    return elementwise.column_sums(_focal, logits, CLASSES, 2.0)


def _plain(logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(_focal(logits, CLASSES, 2.0), axis=[0, 1])


def test_sums_and_gradients_are_those_of_the_loss() -> None:
    of_columns = tf.constant([1.0, 0.0, -2.0, 0.5])
    found = []
    for sums in (_compiled, _plain):
        with tf.GradientTape() as tape:
            tape.watch(LOGITS)
            columns = sums(LOGITS)
            total = tf.reduce_sum(columns * of_columns)
        found.append((columns, tape.gradient(total, LOGITS)))
    for compiled, plain in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-6)

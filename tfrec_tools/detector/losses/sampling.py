"""Which of many boxes take part in a loss (TFOD's core/balanced_positive_negative_sampler.py)."""

from __future__ import annotations

import tensorflow as tf

from tfrec_tools.detector.config.faster_rcnn import StageLoss
from tfrec_tools.detector.losses.matching import Draw


def balanced(draw: Draw, config: StageLoss, candidates: tf.Tensor, positive: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) bool: of each image's candidates, at random, `config.samples`, or all where there are
    fewer; of them no more than `config.positive_fraction` are positive. candidates, positive (B, A) bool;
    `draw` alone decides."""
    count, boxes = tf.unstack(tf.shape(candidates))
    keys = tf.random.stateless_uniform((draw.whole or count, boxes), draw.seed)[draw.first :][:count]
    most = int(config.samples * config.positive_fraction)
    objects = _first(keys, candidates & positive, tf.constant([[most]]))
    left = config.samples - tf.reduce_sum(tf.cast(objects, tf.int32), axis=1, keepdims=True)
    return objects | _first(keys, candidates & ~positive, left)


def _first(keys: tf.Tensor, among: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) bool: those `among` which have the lowest keys, `count` (B or 1, 1) of them."""
    places = tf.argsort(tf.argsort(tf.where(among, keys, 2.0)))
    return among & (places < count)

"""TFOD's SSD losses (core/losses.py, meta_architectures/ssd_meta_arch.py)."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tfrec_tools.detector.learning.matching import Targets
from tfrec_tools.detector.pipeline.ssd import LossConfig


@dataclass(frozen=True, slots=True)
class Losses:
    """Scalars; `localization` and `classification` are weighed and normalised. `distillation` is how far the
    answers are from a teacher's, 0 without one."""

    localization: tf.Tensor
    classification: tf.Tensor
    distillation: tf.Tensor | float = 0.0

    @property
    def total(self) -> tf.Tensor:
        return self.localization + self.classification + self.distillation


def sigmoid_focal(logits: tf.Tensor, targets: tf.Tensor, gamma: float, alpha: float | None) -> tf.Tensor:
    """Focal loss (Lin et al. 2017, eq. 5) an element; shapes as given."""
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    probability = tf.sigmoid(logits)
    of_target = targets * probability + (1.0 - targets) * (1.0 - probability)
    loss = (1.0 - of_target) ** gamma * cross_entropy
    if alpha is None:
        return loss
    return loss * (targets * alpha + (1.0 - targets) * (1.0 - alpha))


def smooth_l1(codes: tf.Tensor, targets: tf.Tensor, delta: float) -> tf.Tensor:
    """Huber loss summed over the code: (..., 4) -> (...)."""
    error = tf.abs(codes - targets)
    quadratic = tf.minimum(error, delta)
    return tf.reduce_sum(0.5 * quadratic**2 + delta * (error - quadratic), axis=-1)


def detection_losses(config: LossConfig, codes: tf.Tensor, logits: tf.Tensor, targets: Targets) -> Losses:
    """The losses of a batch: codes (B, A, 4), logits (B, A, K+1). TFOD divides them by the matches of the
    batch; here those of the classes that stand apart are divided by the matches of their own boxes, and the
    others by the rest. Else a class with few boxes beside one with many would hardly be taught."""
    focal = sigmoid_focal(logits, targets.classes, config.focal_gamma, config.focal_alpha)
    focal *= targets.class_weights  # (B, A, K+1)
    huber = smooth_l1(codes, targets.codes, config.smooth_l1_delta) * targets.code_weights  # (B, A)
    columns = targets.apart  # (K+1,)
    anchors = tf.linalg.matvec(targets.classes, columns)  # (B, A)
    localization = classification = tf.constant(0.0)
    for of_anchors, of_columns in ((1.0 - anchors, 1.0 - columns), (anchors, columns)):
        matches = tf.maximum(tf.reduce_sum(targets.code_weights * of_anchors), 1.0)
        normalizer = matches if config.normalize_by_matches else tf.constant(1.0)
        localization += tf.reduce_sum(huber * of_anchors) / normalizer
        classification += tf.reduce_sum(focal * of_columns) / normalizer
    code_size = 4.0 if config.normalize_by_code_size else 1.0
    return Losses(
        localization=config.localization_weight * localization / code_size,
        classification=config.classification_weight * classification,
    )

"""TFOD's SSD losses (core/losses.py, meta_architectures/ssd_meta_arch.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.learning.matching import Targets
from tfrec_tools.detector.pipeline.ssd import LossConfig


class Part(NamedTuple):
    """A loss of some pictures of a batch, as two scalars: each is added up over the batch, then the one is
    divided by the other, or by 1 where that is more. So it makes no difference where a batch is cut."""

    numerator: tf.Tensor
    denominator: tf.Tensor | float

    def over(self, denominator: tf.Tensor | float) -> tf.Tensor:
        return self.numerator / tf.maximum(denominator, 1.0)

    @property
    def alone(self) -> tf.Tensor:
        """Where these pictures are the whole batch."""
        return self.over(self.denominator)


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of some pictures of a batch, weighed. `distillation` is how far the answers are from a
    teacher's, nothing without one."""

    localization: Part
    classification: Part
    distillation: tuple[Part, ...] = ()

    @property
    def denominators(self) -> tf.Tensor:
        """(P,) float32 of all parts."""
        return tf.stack([part.denominator for part in self._parts])

    def over(self, denominators: tf.Tensor) -> list[tf.Tensor]:
        """What these pictures add to the batch's localization, classification and distillation loss, given
        the batch's denominators (P,)."""
        shares = [part.over(whole) for part, whole in zip(self._parts, tf.unstack(denominators), strict=True)]
        return [shares[0], shares[1], tf.add_n([tf.zeros(()), *shares[2:]])]

    @property
    def total(self) -> tf.Tensor:
        """Where these pictures are the whole batch."""
        return tf.add_n(self.over(self.denominators))

    @property
    def _parts(self) -> list[Part]:
        return [self.localization, self.classification, *self.distillation]


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
    """The losses of a batch: codes (B, A, 4), logits (B, A, K+1)."""
    focal = sigmoid_focal(logits, targets.classes, config.focal_gamma, config.focal_alpha)
    classification = tf.reduce_sum(focal * targets.class_weights)
    huber = smooth_l1(codes, targets.codes, config.smooth_l1_delta)
    localization = tf.reduce_sum(huber * targets.code_weights)
    matches = tf.reduce_sum(targets.code_weights) if config.normalize_by_matches else tf.constant(0.0)
    code_size = 4.0 if config.normalize_by_code_size else 1.0
    return Losses(
        localization=Part(config.localization_weight * localization / code_size, matches),
        classification=Part(config.classification_weight * classification, matches),
    )

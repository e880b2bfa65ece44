"""TFOD's SSD losses (core/losses.py, meta_architectures/ssd_meta_arch.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.ssd import LossConfig
from tfrec_tools.detector.losses import elementwise
from tfrec_tools.detector.losses.matching import ClassTargets, Targets


class LossTerm(NamedTuple):
    """Part of a loss of some images of a batch, as two scalars: each is added up over the batch, then one
    is divided by the other, or by 1 where that is more. So it makes no difference where a batch is cut."""

    numerator: tf.Tensor
    denominator: tf.Tensor


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of some images of a batch, weighed, each the sum of its parts. `distillation` is how far
    the answers are from a teacher's."""

    localization: tuple[LossTerm, ...]
    classification: tuple[LossTerm, ...]
    distillation: tuple[LossTerm, ...] = ()

    @property
    def denominators(self) -> tf.Tensor:
        """(P,) float32 of all parts."""
        return tf.stack([part.denominator for parts in self._all for part in parts])

    def over(self, denominators: tf.Tensor) -> list[tf.Tensor]:
        """Returns what these images add to the batch's localization, classification and distillation loss,
        given the batch's denominators (P,)."""
        whole = iter(tf.unstack(tf.maximum(denominators, 1.0)))
        return [
            tf.add_n([tf.zeros(()), *(part.numerator / next(whole) for part in parts)]) for parts in self._all
        ]

    @property
    def alone(self) -> list[tf.Tensor]:
        """The same where these images are the whole batch."""
        return self.over(self.denominators)

    @property
    def _all(self) -> tuple[tuple[LossTerm, ...], ...]:
        return self.localization, self.classification, self.distillation


def sigmoid_focal(logits: tf.Tensor, targets: tf.Tensor, gamma: float, alpha: float | None) -> tf.Tensor:
    """Returns focal loss (Lin et al. 2017, eq. 5) an element; shapes as given."""
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    probability = tf.sigmoid(logits)
    of_target = targets * probability + (1.0 - targets) * (1.0 - probability)
    loss = (1.0 - of_target) ** gamma * cross_entropy
    if alpha is None:
        return loss
    return loss * (targets * alpha + (1.0 - targets) * (1.0 - alpha))


def smooth_l1(codes: tf.Tensor, targets: tf.Tensor, delta: float) -> tf.Tensor:
    """Returns Huber loss summed over the code: (..., 4) -> (...)."""
    error = tf.abs(codes - targets)
    quadratic = tf.minimum(error, delta)
    return tf.reduce_sum(0.5 * quadratic**2 + delta * (error - quadratic), axis=-1)


def detection_losses(config: LossConfig, codes: tf.Tensor, logits: tf.Tensor, targets: Targets) -> Losses:
    """Returns the losses of a batch: codes (B, A, 4), logits (B, A, K+1). TFOD divides them by the matches of
    the batch; here those of the classes that stand apart are divided by the matches of their own boxes, and
    the others by the rest. Else a class with few boxes beside one with many would hardly be taught."""
    focal = elementwise.column_sums(
        _weighed_focal, logits, targets.classes, config.focal_gamma, config.focal_alpha
    )  # (K+1,)
    huber = smooth_l1(codes, targets.codes, config.smooth_l1_delta) * targets.code_weights  # (B, A)
    if config.normalize_by_code_size:
        huber /= 4.0
    columns = targets.apart  # (K+1,)
    anchors = targets.classes.of_columns(columns)  # (B, A)
    localization, classification = [], []
    for of_anchors, of_columns in ((1.0 - anchors, 1.0 - columns), (anchors, columns)):
        matches = tf.reduce_sum(targets.code_weights * of_anchors) * float(config.normalize_by_matches)
        total = config.localization_weight * tf.reduce_sum(huber * of_anchors)
        localization.append(LossTerm(total, matches))
        total = config.classification_weight * tf.reduce_sum(focal * of_columns)
        classification.append(LossTerm(total, matches))
    return Losses(tuple(localization), tuple(classification))


def _weighed_focal(logits: tf.Tensor, classes: ClassTargets, gamma: float, alpha: float | None) -> tf.Tensor:
    """Returns the focal loss of logits (B, A, K+1), weighed by what is known."""
    return sigmoid_focal(logits, classes.one_hot, gamma, alpha) * classes.known

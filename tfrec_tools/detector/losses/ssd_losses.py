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


def detection_losses(
    config: LossConfig, codes: tf.Tensor, logits: tf.Tensor, targets: Targets, emphasis: float = 1.0
) -> Losses:
    """Returns the losses of a batch: codes (B, A, 4), logits (B, A, K+1), in groups as `by_group` says; a
    group's boxes are its matches."""
    focal = elementwise.column_sums(
        _weighed_focal, logits, targets.classes, config.focal_gamma, config.focal_alpha
    )  # (K+1,)
    huber = smooth_l1(codes, targets.codes, config.smooth_l1_delta) * targets.code_weights  # (B, A)
    if config.normalize_by_code_size:
        huber /= 4.0
    return by_group(
        config.localization_weight * huber,
        config.classification_weight * focal,
        targets.code_weights * float(config.normalize_by_matches),
        (targets.classes.of_columns(targets.apart), targets.apart),
        emphasis,
    )


def by_group(
    of_boxes: tf.Tensor,
    of_columns: tf.Tensor,
    counts: tf.Tensor,
    apart: tuple[tf.Tensor, tf.Tensor],
    emphasis: float,
) -> Losses:
    """Returns losses of what is matched to boxes, of_boxes (...), and of columns of classes, of_columns (C,).
    counts (...) are what they are divided by; apart (...) and (C,) are 1 for those of classes that stand
    apart.

    TFOD divides the losses by all boxes of a batch. Here those of the classes that stand apart are divided by
    their own boxes, and the others by the rest: else a class with few boxes beside one with many would hardly
    be taught. And they weigh `emphasis` times as much."""
    boxes, columns = apart
    localization, classification = [], []
    for weight, of_group, in_group in ((1.0, 1.0 - boxes, 1.0 - columns), (emphasis, boxes, columns)):
        count = tf.reduce_sum(counts * of_group)
        localization.append(LossTerm(weight * tf.reduce_sum(of_boxes * of_group), count))
        classification.append(LossTerm(weight * tf.reduce_sum(of_columns * in_group), count))
    return Losses(tuple(localization), tuple(classification))


def _weighed_focal(logits: tf.Tensor, classes: ClassTargets, gamma: float, alpha: float | None) -> tf.Tensor:
    """Returns the focal loss of logits (B, A, K+1), weighed by what is known."""
    return sigmoid_focal(logits, classes.one_hot, gamma, alpha) * classes.known

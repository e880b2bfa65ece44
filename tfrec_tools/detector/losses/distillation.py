"""Distillation on the anchors where the teacher is sure (Feng et al. 2022, "Overcoming catastrophic
forgetting in incremental object detection via elastic response distillation")."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from tfrec_tools.detector.losses import matching
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import LossTerm

_STDS = 2.0  # a score this many standard deviations above the mean of its image is sure
_NMS_IOU = 0.5
# What its losses weigh, and those of new classes, beside those of old classes' boxes: these are a base's
# guesses for the most part, and the teacher speaks for their classes as well.
EMPHASIS = 2.0
_MAX_BOXES = 100


class Teacher(NamedTuple):
    """The frozen base.

    base_columns, grown_columns  (C,) int32: columns (without the background) that stand for the same class,
                                 in it and in the grown network
    joined  where the backbone is not trained: the grown network and it, `side_by_side` as the family does
    """

    network: keras.Model
    base_columns: tf.Tensor
    grown_columns: tf.Tensor
    joined: keras.Model | None = None


class Answers(NamedTuple):
    """What a network says of a batch: codes (B, A, 4), and logits (B, A, C) of the shared classes."""

    codes: tf.Tensor
    logits: tf.Tensor


def loss(
    teacher: Answers, student: Answers, boxes: tf.Tensor, is_certain: tf.Tensor, weight: float = 1.0
) -> tuple[LossTerm, LossTerm]:
    """Returns the mean divergence of the scores, added up over classes, on the anchors `is_certain` (B, A)
    bool, and the mean squared difference of the codes on those of them that non-maximum suppression leaves,
    both weighed. boxes (B, A, 4) are the teacher's.

    Feng et al. hold the logits themselves by their squared difference. But whether a class scores 0.01 or
    0.001 there makes no difference to what is detected, and what may not move is lost to the new classes."""
    logits = tf.reduce_sum(_divergence(teacher.logits, student.logits), axis=-1)  # (B, A)
    codes = tf.reduce_mean(tf.math.squared_difference(teacher.codes, student.codes), axis=-1)  # (B, A)
    best = _best(boxes, _scores(teacher), is_certain)
    return _mean_where(weight * logits, is_certain), _mean_where(weight * codes, best)


def _divergence(teacher: tf.Tensor, student: tf.Tensor) -> tf.Tensor:
    """Returns Kullback and Leibler's divergence of the student's scores from the teacher's, each by its logit
    a distribution of its own: an object of the class, or none."""
    scores = tf.sigmoid(teacher)
    apart = tf.nn.sigmoid_cross_entropy_with_logits(labels=scores, logits=student)
    return apart - tf.nn.sigmoid_cross_entropy_with_logits(labels=scores, logits=teacher)


def is_sure(teacher: Answers) -> tf.Tensor:
    """Returns (B, A) bool: where the teacher's best score stands out from those of its image."""
    scores = _scores(teacher)
    mean = tf.reduce_mean(scores, axis=1, keepdims=True)
    return scores > mean + _STDS * tf.math.reduce_std(scores, axis=1, keepdims=True)


def may_know(boxes: tf.Tensor, truth: GroundTruth) -> tf.Tensor:
    """Returns (B, A) bool: where the teacher's boxes (B, A, 4) are not about an annotated object of a class
    that stands apart. Of those it knows nothing, and takes them for what it knows."""
    overlaps = matching.iou(matching.boxes_apart(truth), boxes)  # (B, N, A)
    return tf.reduce_max(overlaps, axis=1) < matching.LIKELY_SAME_IOU


def _scores(teacher: Answers) -> tf.Tensor:
    return tf.reduce_max(tf.sigmoid(teacher.logits), axis=-1)  # (B, A)


def _best(boxes: tf.Tensor, scores: tf.Tensor, is_certain: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) bool: the sure anchors that non-maximum suppression keeps."""

    def kept(of_image: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        indices = tf.image.non_max_suppression(*of_image, _MAX_BOXES, _NMS_IOU, score_threshold=0.0)
        return tf.scatter_nd(indices[:, None], tf.ones_like(indices), tf.shape(of_image[1]))

    ranked = tf.where(is_certain, scores, -1.0)
    return tf.map_fn(kept, (boxes, ranked), fn_output_signature=tf.int32) > 0


def _mean_where(values: tf.Tensor, chosen: tf.Tensor) -> LossTerm:
    weights = tf.cast(chosen, tf.float32)
    return LossTerm(tf.reduce_sum(values * weights), tf.reduce_sum(weights))

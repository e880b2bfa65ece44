"""What Faster R-CNN's stages are to predict, and their losses (TFOD's
meta_architectures/faster_rcnn_meta_arch.py; the constants are of core/target_assigner.py and core/losses.py).

An image need not be annotated for all classes. Where it shows an object of a class that it was not
annotated for, nothing may be taught against that object:

- The second stage's softmax. On a proposal that matches no box, the truth is "the background, or a class that
  this image was not annotated for", and the loss is that of this whole set (as Cermelli et al. 2020,
  "Modeling the Background", do in segmentation). On a proposal that matches a box, the box's class is the
  truth against all others. Either way no gradient reaches the columns of unknown classes, nor, on a matched
  proposal, of those that are never taught; what is known follows `matching.assign`.
- Where a box of weight 0 leaves in doubt whether there is an object of its class, that class counts as one
  that was not annotated, and the first stage draws no background.
- The first stage knows only objects and background, so it cannot tell an object of an unknown class from
  background. In an image that was not annotated for all classes, what it takes for an object itself is
  therefore not drawn as background, unless it overlaps an annotated box, but not enough to match it: then it
  shows that box. (To draw background from such overlaps alone is not enough: everything else drifts towards
  being an object, and proposals get worse.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.blocks import MatcherConfig
from tfrec_tools.detector.config.faster_rcnn import CODE_SCALES, StageLoss
from tfrec_tools.detector.losses import matching
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import smooth_l1

_PROPOSAL_MATCHER = MatcherConfig(matched_threshold=0.7, unmatched_threshold=0.3, forced=True)
_BOX_MATCHER = MatcherConfig(matched_threshold=0.5, unmatched_threshold=0.5, forced=False)
_HUBER_DELTA = 1.0
# From where on an anchor shows an annotated box: Fast R-CNN's lower bound for background (Girshick 2015,
# section 2.3).
_NEAR_IOU = 0.1

# Draws a stage's boxes, (B, A) bool, given candidates and positive ones, both (B, A) bool.
Sample = Callable[[StageLoss, tf.Tensor, tf.Tensor], tf.Tensor]


class StageLosses(NamedTuple):
    """Scalars, weighed: of each image the mean over its boxes, summed over the images."""

    proposal_localization: tf.Tensor
    proposal_classification: tf.Tensor
    box_localization: tf.Tensor
    box_classification: tf.Tensor


class Drawn(NamedTuple):
    """The proposals of a batch that the second stage is trained on.

    boxes    (B, S, 4) float32, zeros where there are no more
    valid    (B, S) float32
    matches  (B, S) int32, the row of the annotated box, -1 where there is none
    """

    boxes: tf.Tensor
    valid: tf.Tensor
    matches: tf.Tensor


def proposal_losses(
    config: StageLoss,
    anchors: tf.Tensor,
    codes: tf.Tensor,
    logits: tf.Tensor,
    truth: GroundTruth,
    sample: Sample,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the localization and classification losses of the first stage: anchors (A, 4), codes (B, A, 4),
    logits (B, A, 2)."""
    matches = matching.match(_PROPOSAL_MATCHER, matching.certain_boxes(truth), anchors)  # (B, A)
    is_object = matches >= 0
    sampled = tf.cast(sample(config, _candidates(truth, anchors, matches, logits), is_object), tf.float32)
    normalizer = tf.maximum(tf.reduce_sum(sampled, axis=1, keepdims=True), 1.0)
    weights = sampled / normalizer  # (B, A)
    weights *= matching.matched_weights(truth, matches)
    targets = matching.matched_codes(matches, truth.boxes, anchors, CODE_SCALES)
    huber = smooth_l1(codes, targets, _HUBER_DELTA)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(is_object, tf.int32), logits)
    localization = tf.reduce_sum(huber * weights * tf.cast(is_object, tf.float32))
    classification = tf.reduce_sum(cross_entropy * weights)
    return config.localization_weight * localization, config.classification_weight * classification


def draw_boxes(
    config: StageLoss, truth: GroundTruth, boxes: tf.Tensor, valid: tf.Tensor, sample: Sample
) -> Drawn:
    """Samples boxes from proposals (B, P, 4), of which those `valid` (B, P) bool count, in their order."""
    matches = matching.match(_BOX_MATCHER, matching.certain_boxes(truth), boxes)  # (B, P)
    sampled = sample(config, valid, matches >= 0)
    order = tf.argsort(tf.cast(sampled, tf.int32), direction="DESCENDING", stable=True)
    order = order[:, : config.samples]
    kept = tf.gather(sampled, order, batch_dims=1)
    return Drawn(
        boxes=tf.where(kept[..., None], tf.gather(boxes, order, batch_dims=1), 0.0),
        valid=tf.cast(kept, tf.float32),
        matches=tf.where(kept, tf.gather(matches, order, batch_dims=1), -1),
    )


def box_losses(
    config: StageLoss, drawn: Drawn, codes: tf.Tensor, logits: tf.Tensor, truth: GroundTruth
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the localization and classification losses of the second stage: codes (B, S, 1 or K, 4), logits
    (B, S, K+1)."""
    is_object = drawn.matches >= 0
    classes = tf.gather(truth.classes, tf.maximum(drawn.matches, 0), batch_dims=1)  # (B, S, K)
    normalizer = tf.maximum(tf.reduce_sum(drawn.valid, axis=1, keepdims=True), 1.0)
    weights = drawn.valid / normalizer  # (B, S)
    weights *= matching.matched_weights(truth, drawn.matches)
    targets = matching.matched_codes(drawn.matches, truth.boxes, drawn.boxes, CODE_SCALES)
    huber = smooth_l1(_of_class(codes, classes), targets, _HUBER_DELTA)
    localization = tf.reduce_sum(huber * weights * tf.cast(is_object, tf.float32))
    labeled = _labeled(truth, drawn.boxes)
    classification = tf.reduce_sum(_softmax_loss(logits, classes, is_object, labeled, truth.taught) * weights)
    return config.localization_weight * localization, config.classification_weight * classification


def _candidates(truth: GroundTruth, anchors: tf.Tensor, matches: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) bool: the anchors of which it is known whether they show an object."""
    is_complete = tf.reduce_all((truth.labeled > 0.0) | (truth.exists <= 0.0), axis=1)  # (B,)
    overlaps = tf.reduce_max(matching.iou(matching.certain_boxes(truth), anchors), axis=1)  # (B, A)
    seems_background = logits[..., 1] <= logits[..., 0]
    is_known = is_complete[:, None] | (overlaps >= _NEAR_IOU) | seems_background
    doubted = matching.doubted(truth, anchors, _PROPOSAL_MATCHER.unmatched_threshold)
    is_known &= ~tf.reduce_any(doubted, axis=-1)
    return (is_known | (matches >= 0)) & (matches > -2)


def _of_class(codes: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Returns (B, S, 4): of codes (B, S, 1 or K, 4) those of the class in classes (B, S, K)."""
    if codes.shape[2] == 1:
        return codes[:, :, 0, :]
    return tf.gather(codes, tf.argmax(classes, axis=-1), batch_dims=2)


def _labeled(truth: GroundTruth, boxes: tf.Tensor) -> tf.Tensor:
    """Returns (B, S, K) 1 for the classes that would have been annotated, were the object in a box one of
    them."""
    doubted = matching.doubted(truth, boxes, _BOX_MATCHER.matched_threshold)
    return tf.where(doubted, 0.0, truth.labeled[:, None, :])


def _softmax_loss(
    logits: tf.Tensor, classes: tf.Tensor, is_object: tf.Tensor, labeled: tf.Tensor, taught: tf.Tensor
) -> tf.Tensor:
    """Returns (B, S): minus the log of the probability of the classes that are possible."""
    matched = tf.cast(is_object, tf.float32)[..., None]  # (B, S, 1)
    is_known = tf.maximum(labeled, taught * matched) > 0.0  # (B, S, K)
    is_known = tf.pad(is_known, [[0, 0], [0, 0], [1, 0]], constant_values=True)  # the background always is
    possible = tf.where(is_object[..., None], classes, 1.0 - labeled)  # (B, S, K)
    possible = tf.concat([1.0 - matched, possible], axis=-1)  # (B, S, K+1)
    # Without its column in the sum, the background would have to win alone where an unknown class is seen.
    logits = tf.where(is_known, logits, tf.stop_gradient(logits))
    within = tf.where(possible > 0.0, logits, logits.dtype.min)
    return tf.reduce_logsumexp(logits, axis=-1) - tf.reduce_logsumexp(within, axis=-1)

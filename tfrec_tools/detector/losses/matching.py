"""Which anchor answers for which box, and what each anchor is to predict.

TFOD's matchers/argmax_matcher.py and core/target_assigner.py. Boxes and anchors are float32
[ymin xmin ymax xmax], normalised. An image's boxes come padded with boxes of zero area, which match nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.blocks import MatcherConfig
from tfrec_tools.detector.network import box_coding


class Draw(NamedTuple):
    """What decides what is drawn at random for some images of a batch: a seed (2,) int32, and which rows
    they are, from `first` on, of a batch of `whole`, or all of it where that is None. So it makes no
    difference where a batch is cut."""

    seed: tf.Tensor | tuple[int, int] = (0, 0)
    first: tf.Tensor | int = 0
    whole: int | None = None


class GroundTruth(NamedTuple):
    """What is known of a batch (a tuple, as tf.function takes no other classes).

    windows  (B, 2) float32, the fraction [height width] of the canvas that each image takes
    boxes    (B, N, 4) float32, fractions of the canvas, padded with zeros
    classes  (B, N, K) float32, one-hot, zeros where padded
    weights  (B, N) float32, how much each box counts; of one of weight 0 nothing is known
    labeled  (B, K) float32, 1 for each class that the image was exhaustively annotated for
    taught   (K,) float32, 1 for each class that has boxes somewhere in the training data
    exists   (K,) float32, 1 for each id that has a class
    apart    (K,) float32, 1 for each class whose losses are divided by the matches of such classes alone
    draw     of what is drawn at random
    """

    windows: tf.Tensor
    boxes: tf.Tensor
    classes: tf.Tensor
    weights: tf.Tensor
    labeled: tf.Tensor
    taught: tf.Tensor
    exists: tf.Tensor | float = 1.0
    apart: tf.Tensor | float = 0.0
    draw: Draw = Draw()


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch's anchors are to predict.

    classes  (B, A, K+1) float32, one-hot; column 0 is the background, if there is one, all zeros
    class_weights  (B, A, K+1) float32
    codes    (B, A, 4) float32 [ty tx th tw]
    code_weights  (B, A) float32
    matches  (B, A) int32, the row of the box; -1 unmatched, -2 ignored
    apart  (K+1,) float32, 1 for each class whose losses are divided by the matches of such classes alone
    """

    classes: tf.Tensor
    class_weights: tf.Tensor
    codes: tf.Tensor
    code_weights: tf.Tensor
    matches: tf.Tensor
    apart: tf.Tensor


def iou(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Returns intersection over union of boxes (..., N, 4) with anchors (..., A, 4) or (A, 4): (..., N, A); 0
    for empty boxes."""
    boxes, anchors = boxes[..., :, None, :], anchors[..., None, :, :]
    top_left = tf.maximum(boxes[..., :2], anchors[..., :2])
    bottom_right = tf.minimum(boxes[..., 2:], anchors[..., 2:])
    intersection = tf.reduce_prod(tf.maximum(bottom_right - top_left, 0.0), axis=-1)
    areas = tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    anchor_areas = tf.reduce_prod(anchors[..., 2:] - anchors[..., :2], axis=-1)
    return tf.math.divide_no_nan(intersection, areas + anchor_areas - intersection)


def match(matcher: MatcherConfig, boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Matches boxes (B, N, 4) to anchors (B, A, 4) or (A, 4): (B, A) int32 rows, -1 unmatched, -2 ignored; N
    is at least 1."""
    overlaps = iou(boxes, anchors)  # (B, N, A)
    rows = tf.argmax(overlaps, axis=1, output_type=tf.int32)  # (B, A)
    best = tf.reduce_max(overlaps, axis=1)  # (B, A)
    rows = tf.where(best < matcher.matched_threshold, -2, rows)
    rows = tf.where(best < matcher.unmatched_threshold, -1, rows)
    return _forced(boxes, overlaps, rows) if matcher.forced else rows


def _forced(boxes: tf.Tensor, overlaps: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) rows, but each of the boxes (B, N, 4) has its best anchor by overlaps (B, N, A)."""
    is_box = tf.cast(tf.reduce_any(boxes != 0.0, axis=-1), tf.float32)  # (B, N)
    columns = tf.argmax(overlaps, axis=2, output_type=tf.int32)  # (B, N): each box's best anchor
    forced = tf.one_hot(columns, tf.shape(overlaps)[2]) * is_box[..., None]  # (B, N, A)
    forced_rows = tf.argmax(forced, axis=1, output_type=tf.int32)  # (B, A)
    return tf.where(tf.reduce_max(forced, axis=1) > 0.0, forced_rows, rows)


def matched_codes(
    matches: tf.Tensor, boxes: tf.Tensor, anchors: tf.Tensor, scale_factors: tuple[float, ...]
) -> tf.Tensor:
    """Returns (B, A, 4): codes of the matched boxes relative to their anchors (B, A, 4) or (A, 4), zeros
    where there is none."""
    matched = tf.gather(boxes, tf.maximum(matches, 0), batch_dims=1)  # (B, A, 4)
    return tf.where(matches[..., None] >= 0, box_coding.encode(matched, anchors, scale_factors), 0.0)


def assign(
    matcher: MatcherConfig,
    scale_factors: tuple[float, ...],
    anchors: tf.Tensor,
    truth: GroundTruth,
    background: bool,
) -> Targets:
    """Returns the targets of a batch for anchors (A, 4), with a column for the background or without.

    Of a class that an image was not annotated for, nothing is known where nothing is annotated: its
    class weight is 0 there (TFOD's `groundtruth_labeled_classes`). But an annotated box is known not to be
    it: on the anchors of such a box the weight stays 1, where TFOD's is 0 too. Otherwise old classes and
    new ones, which are never annotated in the same image, would not learn to tell each other apart. A
    class that is never taught is left alone even there: examples against it alone would silence it.
    """
    boxes = certain_boxes(truth)
    matches = match(matcher, boxes, anchors)
    rows = tf.maximum(matches, 0)
    matched = tf.cast(matches >= 0, tf.float32)
    weights = matched_weights(truth, matches)  # (B, A)
    anchor_classes = tf.gather(truth.classes, rows, batch_dims=1) * matched[..., None]  # (B, A, K)
    labeled = truth.labeled[:, None, :] * (1.0 - doubted(truth, anchors, matcher.unmatched_threshold))
    known = tf.maximum(labeled, truth.taught * matched[..., None])  # (B, A, K)
    first = [[0, 0], [0, 0], [int(background), 0]]
    known = tf.pad(known, first, constant_values=1.0)  # the background always is
    class_weights = (tf.cast(matches > -2, tf.float32) * weights)[..., None] * known
    return Targets(
        classes=tf.pad(anchor_classes, first),
        class_weights=class_weights,
        codes=matched_codes(matches, boxes, anchors, scale_factors),
        code_weights=matched * weights,
        matches=matches,
        apart=tf.pad(truth.apart * tf.ones_like(truth.taught), first[2:]),
    )


def certain_boxes(truth: GroundTruth) -> tf.Tensor:
    """Returns (B, N, 4), zeros, which match nothing, for those in doubt."""
    return tf.where(truth.weights[..., None] > 0.0, truth.boxes, 0.0)


def matched_weights(truth: GroundTruth, matches: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) the weights of the boxes that anchors match, 1 where they match none."""
    weights = tf.gather(truth.weights, tf.maximum(matches, 0), batch_dims=1)
    return tf.where(matches >= 0, weights, 1.0)


def doubted(truth: GroundTruth, anchors: tf.Tensor, threshold: float) -> tf.Tensor:
    """Returns (B, A, K) 1 where an anchor overlaps, by this IoU at least, a box of the class of which it is
    in doubt whether it is one: neither an example for that class nor against it. anchors (A, 4) or (B, A,
    4)"""
    in_doubt = truth.classes * tf.cast(truth.weights <= 0.0, tf.float32)[..., None]  # (B, N, K)
    overlapping = tf.cast(iou(truth.boxes, anchors) >= threshold, tf.float32)  # (B, N, A)
    return tf.minimum(tf.einsum("bna,bnk->bak", overlapping, in_doubt), 1.0)

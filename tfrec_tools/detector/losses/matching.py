"""Which anchor answers for which box, and what each anchor is to predict.

TFOD's matchers/argmax_matcher.py and core/target_assigner.py. Boxes and anchors are float32
[ymin xmin ymax xmax], normalised. An image's boxes come padded with boxes of zero area, which match nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.blocks import MatcherConfig
from tfrec_tools.detector.network import box_coding

# From here on two boxes are of the same object, more likely than not.
LIKELY_SAME_IOU = 0.4


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

    @property
    def classes_apart(self) -> tf.Tensor:
        """(K,) float32, `apart` of each class."""
        return self.apart * tf.ones_like(self.taught)

    @property
    def is_apart(self) -> tf.Tensor:
        """(B, N) float32, 1 for each box of a class that stands apart."""
        return tf.linalg.matvec(self.classes, self.classes_apart)


class ClassTargets(NamedTuple):
    """What the class logits of a batch's anchors are to say, K+1 columns with the background, K without.

    columns  (B, A) int32, that of the class of the matched box; -1 is none, and the background's never is
    weights  (B, A) float32, how much the anchor counts
    labeled  (B, K+1) float32, 1 for what the image was annotated for, the background always
    taught   (K+1,) float32, 1 for what may be denied wherever another class is annotated
    doubted  (B, A, K+1) bool, where neither the class nor its absence is known unless it is taught so
    """

    columns: tf.Tensor
    weights: tf.Tensor
    labeled: tf.Tensor
    taught: tf.Tensor
    doubted: tf.Tensor

    @property
    def one_hot(self) -> tf.Tensor:
        """(B, A, K+1) float32, all zeros for the background, whose column, if there is one, is 0."""
        return tf.one_hot(self.columns, self.labeled.shape[-1])

    @property
    def known(self) -> tf.Tensor:
        """(B, A, K+1) float32, how much each class of each anchor counts."""
        matched = tf.cast(self.columns >= 0, tf.float32)[..., None]
        labeled = tf.where(self.doubted, 0.0, self.labeled[:, None, :])
        return self.weights[..., None] * tf.maximum(labeled, self.taught * matched)

    def of_columns(self, values: tf.Tensor) -> tf.Tensor:
        """Returns (B, A): of values (K+1,) that of the column, 0 where there is none."""
        return tf.where(self.columns >= 0, tf.gather(values, tf.maximum(self.columns, 0)), 0.0)


class Targets(NamedTuple):
    """What a batch's anchors are to predict.

    classes  what their class logits are to say
    codes    (B, A, 4) float32 [ty tx th tw]
    code_weights  (B, A) float32
    matches  (B, A) int32, the row of the box; -1 unmatched, -2 ignored
    apart  (K+1,) float32, 1 for each class whose losses are divided by the matches of such classes alone, and
           for the background where all are
    """

    classes: ClassTargets
    codes: tf.Tensor
    code_weights: tf.Tensor
    matches: tf.Tensor
    apart: tf.Tensor


def iou(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Returns intersection over union of boxes (..., N, 4) with anchors (..., A, 4) or (A, 4): (..., N, A); 0
    for empty boxes."""
    # Edge by edge: along an axis of four, TensorFlow takes several times as long.
    ymin, xmin, ymax, xmax = tf.unstack(boxes[..., :, None, :], axis=-1)  # (..., N, 1)
    top, left, bottom, right = tf.unstack(anchors[..., None, :, :], axis=-1)  # (..., 1, A)
    height = tf.maximum(tf.minimum(ymax, bottom) - tf.maximum(ymin, top), 0.0)
    width = tf.maximum(tf.minimum(xmax, right) - tf.maximum(xmin, left), 0.0)
    intersection = height * width
    areas, anchor_areas = (ymax - ymin) * (xmax - xmin), (bottom - top) * (right - left)
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
    matches = match(matcher, certain_boxes(truth), anchors)
    first = [[int(background), 0]]
    matched = tf.cast(matches >= 0, tf.float32)
    weights = matched_weights(truth, matches)  # (B, A)
    classes = ClassTargets(
        columns=_columns(truth, matches, background),
        weights=tf.cast(matches > -2, tf.float32) * weights,
        labeled=tf.pad(truth.labeled, [[0, 0], *first], constant_values=1.0),
        taught=tf.pad(truth.taught, first),
        doubted=tf.pad(doubted(truth, anchors, matcher.unmatched_threshold), [[0, 0], [0, 0], *first]),
    )
    return Targets(
        classes=classes,
        codes=matched_codes(matches, certain_boxes(truth), anchors, scale_factors),
        code_weights=matched * weights,
        matches=matches,
        apart=_with_background(truth.classes_apart, background),
    )


def _with_background(apart: tf.Tensor, background: bool) -> tf.Tensor:
    """Returns (K+1,), or (K,) where there is no background, which stands with the classes that do not."""
    return tf.concat([tf.reduce_min(apart, keepdims=True), apart], axis=0) if background else apart


def _columns(truth: GroundTruth, matches: tf.Tensor, background: bool) -> tf.Tensor:
    """Returns (B, A) int32: the column of the class of the box that each anchor matches, -1 where none."""
    of_boxes = tf.argmax(truth.classes, axis=-1, output_type=tf.int32) + int(background)  # (B, N)
    of_boxes = tf.where(tf.reduce_any(truth.classes > 0.0, axis=-1), of_boxes, -1)
    return tf.where(matches >= 0, tf.gather(of_boxes, tf.maximum(matches, 0), batch_dims=1), -1)


def certain_boxes(truth: GroundTruth) -> tf.Tensor:
    """Returns (B, N, 4), zeros, which match nothing, for those in doubt."""
    return tf.where(truth.weights[..., None] > 0.0, truth.boxes, 0.0)


def boxes_apart(truth: GroundTruth) -> tf.Tensor:
    """Returns (B, N, 4), zeros, which match nothing, for those of other classes than stand apart."""
    return tf.where(truth.is_apart[..., None] > 0.0, certain_boxes(truth), 0.0)


def matched_weights(truth: GroundTruth, matches: tf.Tensor) -> tf.Tensor:
    """Returns (B, A) the weights of the boxes that anchors match, 1 where they match none."""
    weights = tf.gather(truth.weights, tf.maximum(matches, 0), batch_dims=1)
    return tf.where(matches >= 0, weights, 1.0)


def doubted(truth: GroundTruth, anchors: tf.Tensor, threshold: float) -> tf.Tensor:
    """Returns (B, A, K) bool: where an anchor overlaps, by this IoU at least, a box of the class of which it
    is in doubt whether it is one: neither an example for that class nor against it. anchors (A, 4) or (B, A,
    4)"""
    in_doubt = truth.classes * tf.cast(truth.weights <= 0.0, tf.float32)[..., None]  # (B, N, K)

    def overlapped() -> tf.Tensor:
        overlapping = tf.cast(iou(truth.boxes, anchors) >= threshold, tf.float32)  # (B, N, A)
        return tf.einsum("bna,bnk->bak", overlapping, in_doubt) > 0.0

    def nowhere() -> tf.Tensor:
        return tf.zeros((tf.shape(in_doubt)[0], tf.shape(anchors)[-2], in_doubt.shape[-1]), tf.bool)

    return tf.cond(tf.reduce_any(in_doubt > 0.0), overlapped, nowhere)

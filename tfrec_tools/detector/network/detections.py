"""What a detector finds: boxes and scores of classes to the best ones (TFOD's core/post_processing.py)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.blocks import NmsConfig


class Detections(NamedTuple):
    """The detections of a batch, best first (a tuple, as tf.function returns no other classes).

    M is at most the pipeline's max_total_detections.

    boxes   (B, M, 4) float32 [ymin xmin ymax xmax], fractions of the image, clipped to it
    scores  (B, M) float32
    ids     (B, M) int32, ids of the label map; 0 where there are no more detections
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    ids: tf.Tensor


def best(config: NmsConfig, boxes: tf.Tensor, scores: tf.Tensor, windows: tf.Tensor) -> Detections:
    """Applies non-maximum suppression per class, then keeps the best of all classes.

    boxes (B, A, 1 or K, 4), fractions of the canvas, one for all classes or one each; scores (B, A, K);
    windows (B, 2), the fraction [height width] of the canvas that each image takes
    """
    suppressed = tf.image.combined_non_max_suppression(
        boxes,
        scores,
        max_output_size_per_class=config.max_per_class,
        max_total_size=max(config.max_total, config.max_per_class * scores.shape[-1]),
        iou_threshold=config.iou_threshold,
        score_threshold=config.score_threshold,
        clip_boxes=False,
    )
    in_image = suppressed.nmsed_boxes / tf.tile(windows, [1, 2])[:, None, :]
    clipped = _clipped(
        in_image, suppressed.nmsed_scores, suppressed.nmsed_classes, suppressed.valid_detections
    )
    # Only now, as what lies beside the image has not taken anyone's place.
    return Detections(*(each[:, : config.max_total] for each in clipped))


def _clipped(boxes: tf.Tensor, scores: tf.Tensor, classes: tf.Tensor, valid: tf.Tensor) -> Detections:
    """Clips to the image; what has no area left goes to the end, as TFOD's does, with id 0."""
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    areas = tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
    kept = tf.sequence_mask(valid, tf.shape(scores)[1]) & (areas > 0.0)
    order = tf.argsort(tf.cast(kept, tf.int32), axis=-1, direction="DESCENDING", stable=True)
    kept = tf.gather(kept, order, batch_dims=1)
    ids = tf.cast(tf.gather(classes, order, batch_dims=1), tf.int32) + 1
    return Detections(
        boxes=tf.where(kept[..., None], tf.gather(boxes, order, batch_dims=1), 0.0),
        scores=tf.where(kept, tf.gather(scores, order, batch_dims=1), 0.0),
        ids=tf.where(kept, ids, 0),
    )

"""Pictures in, detections out: TFOD's preprocessing and post-processing around the network."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector import coding
from tfrec_tools.detector.model import Detector
from tfrec_tools.detector.pipeline import SsdConfig


class Detections(NamedTuple):
    """Of a batch, best first (a tuple, as tf.function returns no other classes).

    M is at most the pipeline's max_total_detections.

    boxes   (B, M, 4) float32 [ymin xmin ymax xmax], normalised, clipped to the picture
    scores  (B, M) float32
    ids     (B, M) int32, ids of the label map; 0 where there are no more detections
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    ids: tf.Tensor


def preprocess(config: SsdConfig, image: tf.Tensor) -> tf.Tensor:
    """A picture (H, W, 3) of 0..255 as the network wants it: (height_px, width_px, 3) float32 in [-1, 1].

    TFOD resizes with the ResizeBilinear of TF 1 (corners not aligned, pixel centres not halved), from which
    tf.image.resize and keras.ops.image.resize differ.
    """
    normalized = tf.cast(image, tf.float32) * (2.0 / 255.0) - 1.0
    size = (config.height_px, config.width_px)
    resized = tf.raw_ops.ResizeBilinear(
        images=normalized[None], size=size, align_corners=False, half_pixel_centers=False
    )
    return tf.ensure_shape(resized[0], (*size, 3))


def postprocess(config: SsdConfig, anchors: tf.Tensor, codes: tf.Tensor, logits: tf.Tensor) -> Detections:
    """Codes (B, A, 4) and logits (B, A, K+1) to detections: sigmoid scores, non-maximum suppression a class,
    then the best of all classes (TFOD's core/post_processing.py)."""
    boxes = coding.decode(codes, anchors, config.code_scales)
    scores = tf.sigmoid(logits[..., 1:])
    found = tf.image.combined_non_max_suppression(
        boxes[:, :, None, :],
        scores,
        max_output_size_per_class=config.nms.max_per_class,
        max_total_size=config.nms.max_total,
        iou_threshold=config.nms.iou_threshold,
        score_threshold=config.nms.score_threshold,
        clip_boxes=False,
    )
    return _clipped(found.nmsed_boxes, found.nmsed_scores, found.nmsed_classes, found.valid_detections)


def detect(detector: Detector, images: tf.Tensor) -> Detections:
    """The detections of preprocessed pictures (B, height_px, width_px, 3)."""
    codes, logits = detector.network(images, training=False)
    return postprocess(detector.config, tf.constant(detector.anchors), codes, logits)


def _clipped(boxes: tf.Tensor, scores: tf.Tensor, classes: tf.Tensor, valid: tf.Tensor) -> Detections:
    """Clips to the picture; what has no area left goes to the end, as TFOD's does, with id 0."""
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

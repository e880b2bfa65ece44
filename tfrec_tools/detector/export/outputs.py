"""What TFOD's exported models give, by their names (exporter_lib_v2.py, ssd_meta_arch.py)."""

from __future__ import annotations

import tensorflow as tf

from tfrec_tools.detector import predict, ssd
from tfrec_tools.detector.detections import Detections
from tfrec_tools.detector.model import Detector
from tfrec_tools.detector.pipeline.ssd import SsdConfig
from tfrec_tools.detector.resize import preprocess


def tfod_outputs(detector: Detector, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Of one picture (1, H, W, 3) of 0..255, all float32:

    detection_boxes (1, M, 4), fractions of the picture   detection_scores (1, M)
    detection_classes (1, M), ids of the label map; 1 after the last detection, as TFOD's
    num_detections (1,)

    and for SSD also
    raw_detection_boxes (1, A, 4), fractions of the canvas   raw_detection_scores (1, A, [1 +] K)
    detection_anchor_indices (1, M)                          detection_multiclass_scores (1, M, [1 +] K)
    """
    image, window = preprocess(detector.config, images[0])
    canvases, windows = image[None], window[None]
    config: object = detector.config
    if not isinstance(config, SsdConfig):
        return _of_detections(predict.detect(detector, canvases, windows))
    boxes, scores = ssd.decoded(config, detector.network, canvases)
    found = ssd.select(config, boxes, scores, windows)
    of_classes = scores[0, :, 1:] if config.background else scores[0]
    anchors = _anchors(found, boxes[0] / tf.tile(window, [2]), of_classes)  # (M,)
    there = found.ids[0] > 0
    return {
        **_of_detections(found),
        "raw_detection_boxes": boxes,
        "raw_detection_scores": scores,
        "detection_anchor_indices": tf.where(there, tf.cast(anchors, tf.float32), 0.0)[None],
        "detection_multiclass_scores": tf.where(there[:, None], tf.gather(scores[0], anchors), 0.0)[None],
    }


def _of_detections(found: Detections) -> dict[str, tf.Tensor]:
    return {
        "detection_boxes": found.boxes,
        "detection_scores": found.scores,
        "detection_classes": tf.cast(tf.maximum(found.ids, 1), tf.float32),
        "num_detections": tf.cast(tf.math.count_nonzero(found.ids, axis=1), tf.float32),
    }


def _anchors(found: Detections, boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """(M,) which of the boxes (A, 4), fractions of the picture, with scores (A, K) each detection is.
    TensorFlow's suppression does not say; but it copies both, so that the nearest is the one."""
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)

    def nearest(detection: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        box, score, label_id = detection
        score_of_anchors = tf.gather(scores, tf.maximum(label_id, 1) - 1, axis=1)
        distances = tf.reduce_sum(tf.abs(boxes - box), axis=1) + tf.abs(score_of_anchors - score)
        return tf.argmin(distances)

    detections = (found.boxes[0], found.scores[0], found.ids[0])
    return tf.map_fn(nearest, detections, fn_output_signature=tf.int64)

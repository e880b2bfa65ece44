"""What TFOD's exported models give, by their names (exporter_lib_v2.py, ssd_meta_arch.py,
faster_rcnn_meta_arch.py, center_net_meta_arch.py)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.architectures import center_net, faster_rcnn, ssd
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.config.ssd import SsdConfig
from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.network.detections import Detections


class Candidates(NamedTuple):
    """What a network says of each of the A anchors, proposals or cells of one image, and what is left of it.

    boxes       (A, 1 or K, 4), fractions of the image, clipped to it; one for all classes or one each
    scores      (A, [1 +] K), the background first where the family has it
    background  0 or 1
    raw_boxes   (A, 4): SSD's are fractions of the canvas, not clipped; CenterNet's are clipped to it; Faster
                R-CNN's are `boxes`, of the likeliest class
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    background: int
    raw_boxes: tf.Tensor
    detections: Detections


def candidates(detector: Detector, image: tf.Tensor, window: tf.Tensor) -> Candidates:
    """Returns the candidates of a canvas (H, W, 3), whose window is (2,)."""
    config, images, windows = detector.config, image[None], window[None]
    if isinstance(config, CenterNetConfig):
        boxes, scores = center_net.decoded(detector.network, images)
        detections = center_net.select(config, boxes, scores, windows)
        return Candidates(_in_image(boxes[0, :, None, :], window), scores[0], 0, boxes[0], detections)
    if isinstance(config, SsdConfig):
        boxes, scores = ssd.decoded(config, detector.network, images)
        detections = ssd.select(config, boxes, scores, windows)
        in_image = _in_image(boxes[0, :, None, :], window)
        return Candidates(in_image, scores[0], int(config.background), boxes[0], detections)
    boxes, scores, valid = faster_rcnn.decoded(config, detector.network, images, windows)
    detections = faster_rcnn.select(config, boxes, scores, valid, windows)
    in_image = _in_image(boxes[0], window)
    return Candidates(in_image, scores[0], 1, _likeliest(in_image, scores[0, :, 1:]), detections)


def tfod_outputs(detector: Detector, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the outputs for one image (1, H, W, 3) of 0..255, all float32, M detections of A anchors or
    proposals:

    detection_boxes (1, M, 4), fractions of the image   detection_scores (1, M)
    detection_classes (1, M), ids of the label map; 1 after the last detection, as TFOD's
    num_detections (1,)
    raw_detection_boxes (1, A, 4)     raw_detection_scores (1, A, [1 +] K), as in `Candidates`
    detection_anchor_indices (1, M)   detection_multiclass_scores (1, M, [1 +] K)
    detection_boxes_strided (1, M, 4), of CenterNet alone: in cells of its maps
    """
    image, window = preprocess(detector.config, images[0])
    boxes, scores, background, raw_boxes, detections = candidates(detector, image, window)
    anchors = _anchors(detections, boxes, scores[:, background:])  # (M,)
    there = detections.ids[0] > 0
    outputs = {
        "detection_boxes": detections.boxes,
        "detection_scores": detections.scores,
        "detection_classes": tf.cast(tf.maximum(detections.ids, 1), tf.float32),
        "num_detections": tf.cast(tf.math.count_nonzero(detections.ids, axis=1), tf.float32),
        "raw_detection_boxes": raw_boxes[None],
        "raw_detection_scores": scores[None],
        "detection_anchor_indices": tf.where(there, tf.cast(anchors, tf.float32), 0.0)[None],
        "detection_multiclass_scores": tf.where(there[:, None], tf.gather(scores, anchors), 0.0)[None],
    }
    if isinstance(detector.config, CenterNetConfig):
        cells = tf.constant(detector.config.cells * 2, tf.float32)
        strided = tf.gather(raw_boxes, anchors) * cells
        outputs["detection_boxes_strided"] = tf.where(there[:, None], strided, 0.0)[None]
    return outputs


def _in_image(boxes: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(boxes / tf.tile(window, [2]), 0.0, 1.0)


def _likeliest(boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns (A, 4) of boxes (A, 1 or K, 4): each one's of its likeliest class by scores (A, K)."""
    if boxes.shape[1] == 1:
        return boxes[:, 0]
    return tf.gather(boxes, tf.argmax(scores, axis=1), batch_dims=1)


def _anchors(detections: Detections, boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns (M,) which of the boxes (A, 1 or K, 4), fractions of the image, with scores (A, K) each
    detection is. TensorFlow's suppression does not say; but it copies both, so that the nearest is the
    one."""

    def nearest(detection: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        box, score, label_id = detection
        column = tf.maximum(label_id, 1) - 1
        of_class = boxes[:, 0] if boxes.shape[1] == 1 else tf.gather(boxes, column, axis=1)
        distances = tf.reduce_sum(tf.abs(of_class - box), axis=1)
        return tf.argmin(distances + tf.abs(tf.gather(scores, column, axis=1) - score))

    parts = (detections.boxes[0], detections.scores[0], detections.ids[0])
    return tf.map_fn(nearest, parts, fn_output_signature=tf.int64)

"""What TFOD's exported models give, by their names (exporter_lib_v2.py, ssd_meta_arch.py,
faster_rcnn_meta_arch.py, center_net_meta_arch.py)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.architectures import center_net, faster_rcnn, ssd
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.config.ssd import SsdConfig
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.network.detections import Detections


class Candidates(NamedTuple):
    """What a network says of each of the A anchors, proposals or cells of B images, and what is left of it.

    boxes       (B, A, 1 or K, 4), fractions of the image, clipped to it; one for all classes or one each
    scores      (B, A, [1 +] K), the background first where the family has it
    background  0 or 1
    raw_boxes   (B, A, 4): SSD's are fractions of the canvas, not clipped; CenterNet's are clipped to it;
                Faster R-CNN's are `boxes`, of the likeliest class
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    background: int
    raw_boxes: tf.Tensor
    detections: Detections


def candidates(detector: Detector, canvases: tf.Tensor, windows: tf.Tensor) -> Candidates:
    """Returns the candidates of canvases (B, H, W, 3), whose windows are (B, 2)."""
    config = detector.config
    if isinstance(config, CenterNetConfig):
        boxes, scores = center_net.decoded(detector.network, canvases)
        detections = center_net.select(config, boxes, scores, windows)
        return Candidates(_in_image(boxes[:, :, None, :], windows), scores, 0, boxes, detections)
    if isinstance(config, SsdConfig):
        boxes, scores = ssd.decoded(config, detector.network, canvases)
        detections = ssd.select(config, boxes, scores, windows)
        in_image = _in_image(boxes[:, :, None, :], windows)
        return Candidates(in_image, scores, int(config.background), boxes, detections)
    boxes, scores, valid = faster_rcnn.decoded(config, detector.network, canvases, windows)
    detections = faster_rcnn.select(config, boxes, scores, valid, windows)
    in_image = _in_image(boxes, windows)
    return Candidates(in_image, scores, 1, _likeliest(in_image, scores[..., 1:]), detections)


def tfod_outputs(detector: Detector, canvases: tf.Tensor, windows: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the outputs for canvases (B, H, W, 3), whose windows are (B, 2); all float32, M detections of A
    anchors or proposals:

    detection_boxes (B, M, 4), fractions of the image   detection_scores (B, M)
    detection_classes (B, M), ids of the label map; 1 after the last detection, as TFOD's
    num_detections (B,)
    raw_detection_boxes (B, A, 4)     raw_detection_scores (B, A, [1 +] K), as in `Candidates`
    detection_anchor_indices (B, M)   detection_multiclass_scores (B, M, [1 +] K)
    detection_boxes_strided (B, M, 4), of CenterNet alone: in cells of its maps
    """
    boxes, scores, background, raw_boxes, detections = candidates(detector, canvases, windows)
    anchors = _anchors(detections, boxes, scores[..., background:])  # (B, M)
    there = detections.ids > 0
    multiclass = tf.gather(scores, anchors, batch_dims=1)
    outputs = {
        "detection_boxes": detections.boxes,
        "detection_scores": detections.scores,
        "detection_classes": tf.cast(tf.maximum(detections.ids, 1), tf.float32),
        "num_detections": tf.cast(tf.math.count_nonzero(detections.ids, axis=1), tf.float32),
        "raw_detection_boxes": raw_boxes,
        "raw_detection_scores": scores,
        "detection_anchor_indices": tf.where(there, tf.cast(anchors, tf.float32), 0.0),
        "detection_multiclass_scores": tf.where(there[..., None], multiclass, 0.0),
    }
    if isinstance(detector.config, CenterNetConfig):
        cells = tf.constant(detector.config.cells * 2, tf.float32)
        strided = tf.gather(raw_boxes, anchors, batch_dims=1) * cells
        outputs["detection_boxes_strided"] = tf.where(there[..., None], strided, 0.0)
    return outputs


def _in_image(boxes: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(boxes / tf.tile(windows, [1, 2])[:, None, None, :], 0.0, 1.0)


def _likeliest(boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns (B, A, 4) of boxes (B, A, 1 or K, 4): each one's of its likeliest class by scores (B, A, K)."""
    if boxes.shape[2] == 1:
        return boxes[:, :, 0]
    return tf.gather(boxes, tf.argmax(scores, axis=2), batch_dims=2)


def _anchors(detections: Detections, boxes: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Returns (B, M) which of the boxes (B, A, 1 or K, 4), fractions of the image, with scores (B, A, K) each
    detection is. TensorFlow's suppression does not say; but it copies both, so that the nearest is the
    one."""

    def nearest(detection: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, box, score, label_id = detection
        column = tf.maximum(label_id, 1) - 1
        of_image, of_score = tf.gather(boxes, image), tf.gather(scores, image)
        of_class = of_image[:, 0] if boxes.shape[2] == 1 else tf.gather(of_image, column, axis=1)
        distances = tf.reduce_sum(tf.abs(of_class - box), axis=1)
        return tf.argmin(distances + tf.abs(tf.gather(of_score, column, axis=1) - score))

    shape = tf.shape(detections.ids)
    images = tf.broadcast_to(tf.range(shape[0])[:, None], shape)
    parts = (
        tf.reshape(images, [-1]),
        tf.reshape(detections.boxes, [-1, 4]),
        tf.reshape(detections.scores, [-1]),
        tf.reshape(detections.ids, [-1]),
    )
    return tf.reshape(tf.map_fn(nearest, parts, fn_output_signature=tf.int64), shape)

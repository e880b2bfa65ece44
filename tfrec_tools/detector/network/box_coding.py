"""Boxes relative to anchors, and back (TFOD's box_coders/faster_rcnn_box_coder.py).

Boxes and anchors are float32 [ymin xmin ymax xmax]; codes are [ty tx th tw].
"""

from __future__ import annotations

import tensorflow as tf

_EPSILON = 1e-8


def encode(boxes: tf.Tensor, anchors: tf.Tensor, scale_factors: tuple[float, ...]) -> tf.Tensor:
    """Returns boxes (..., 4) as codes (..., 4) relative to anchors (..., 4)."""
    y, x, height, width = _centre_size(boxes)
    anchor_y, anchor_x, anchor_height, anchor_width = _centre_size(anchors)
    anchor_height, anchor_width = anchor_height + _EPSILON, anchor_width + _EPSILON
    codes = [
        (y - anchor_y) / anchor_height,
        (x - anchor_x) / anchor_width,
        tf.math.log((height + _EPSILON) / anchor_height),
        tf.math.log((width + _EPSILON) / anchor_width),
    ]
    return tf.stack(codes, axis=-1) * tf.constant(scale_factors, tf.float32)


def decode(codes: tf.Tensor, anchors: tf.Tensor, scale_factors: tuple[float, ...]) -> tf.Tensor:
    """Returns codes (..., 4) as boxes (..., 4) relative to anchors (..., 4)."""
    anchor_y, anchor_x, anchor_height, anchor_width = _centre_size(anchors)
    ty, tx, th, tw = tf.unstack(codes / tf.constant(scale_factors, tf.float32), axis=-1)
    height, width = tf.exp(th) * anchor_height, tf.exp(tw) * anchor_width
    y, x = ty * anchor_height + anchor_y, tx * anchor_width + anchor_x
    return tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], axis=-1)


def _centre_size(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    height, width = ymax - ymin, xmax - xmin
    return ymin + height / 2, xmin + width / 2, height, width

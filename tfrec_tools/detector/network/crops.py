"""What boxes hold of a feature map, brought to one size."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def crop(features: tf.Tensor, boxes: tf.Tensor, side: int) -> tf.Tensor:
    """Returns (B P, side, side, C) float32: features (B, h, w, C) within boxes (B, P, 4), bilinear.

    As `tf.image.crop_and_resize`, whose own gradient for a CPU of several cores adds the parts of boxes that
    overlap without waiting for one another, and now and then loses some. Interpolating is a product with two
    matrices (TFOD: utils/spatial_transform_ops.py, matmul_crop_and_resize), and so is its gradient.
    """
    batch, count = tf.shape(boxes)[0], tf.shape(boxes)[1]

    @tf.custom_gradient
    def cropped(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        crops = tf.image.crop_and_resize(
            features, tf.reshape(boxes, (-1, 4)), tf.repeat(tf.range(batch), count), (side, side)
        )

        def gradient(of_crops: tf.Tensor) -> tf.Tensor:
            height, width = tf.shape(features)[1], tf.shape(features)[2]
            rows = _shares(boxes[..., 0], boxes[..., 2], side, height)
            columns = _shares(boxes[..., 1], boxes[..., 3], side, width)
            of_crops = tf.reshape(of_crops, (batch, count, side, side, features.shape[3]))
            of_features = tf.map_fn(  # an image at a time, for the sake of memory
                lambda operands: tf.einsum(
                    "pih,piwc->hwc", operands[0], tf.einsum("pijc,pjw->piwc", *operands[1:])
                ),
                (rows, of_crops, columns),
                parallel_iterations=1,
                fn_output_signature=tf.float32,
            )
            return tf.cast(of_features, features.dtype)

        return crops, gradient

    return cropped(features)


def _shares(low: tf.Tensor, high: tf.Tensor, side: int, cells: tf.Tensor) -> tf.Tensor:
    """Returns (B, P, side, cells): how much each cell of an axis has in the points between (B, P) low and
    high. Computed as TensorFlow does: a point that rounding puts beyond the last cell counts for nothing."""
    last = tf.cast(cells - 1, tf.float32)
    if side == 1:
        low = high = (low + high) / 2.0
    step = (high - low) * last / max(side - 1, 1)
    steps = tf.range(side, dtype=tf.float32)[:, None]
    points = (low * last)[..., None, None] + steps * step[..., None, None]
    near = tf.nn.relu(1.0 - tf.abs(points - tf.range(last + 1.0)))
    return tf.where((points >= 0.0) & (points <= last), near, 0.0)

"""Non-maximum suppression of the boxes at CenterNet's peaks (TFOD's core/post_processing.py:
multiclass_non_max_suppression and class_agnostic_non_max_suppression), of operators that TFLite has too."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tfrec_tools.detector.config.blocks import NmsConfig
from tfrec_tools.detector.network.detections import Detections


class _Kept(NamedTuple):
    """Which boxes are left of an image, (N,) each: their rows, scores, -1 where there are no more, and
    columns of their classes."""

    rows: tf.Tensor
    scores: tf.Tensor
    columns: tf.Tensor


def suppressed(config: NmsConfig, boxes: tf.Tensor, scores: tf.Tensor, there: tf.Tensor) -> Detections:
    """Returns up to `config.max_total` of each image's boxes (B, M, 4), fractions of the image. As in TFOD
    each box stands for every class, by its scores (B, M, K), and not for that of its peak alone; where
    `there` (B, M) is false, for none."""
    lowest = scores.dtype.min  # more than which no threshold is
    valid = tf.where(there[..., None], scores, lowest)
    if boxes.shape[0] == 1:  # without a loop, which TFLite would have to run
        return Detections(*(each[None] for each in _of_image(config, boxes[0], valid[0])))
    shapes = Detections(
        tf.TensorSpec((config.max_total, 4), tf.float32),
        tf.TensorSpec((config.max_total,), tf.float32),
        tf.TensorSpec((config.max_total,), tf.int32),
    )
    return tf.map_fn(lambda image: _of_image(config, *image), (boxes, valid), fn_output_signature=shapes)


def _of_image(config: NmsConfig, boxes: tf.Tensor, scores: tf.Tensor) -> Detections:
    """Returns the detections of an image, without the first dimension."""
    kept = _of_any_class(config, boxes, scores) if config.class_agnostic else _of_each(config, boxes, scores)
    own = tf.gather(boxes, kept.rows)
    area = tf.reduce_prod(own[:, 2:] - own[:, :2], axis=1)
    # What has no area goes only now, so that it may have taken the place of others, as in TFOD.
    ranked = tf.where(area > 0.0, kept.scores, -1.0)
    best, places = tf.math.top_k(ranked, min(config.max_total, ranked.shape[0]))
    valid = best >= 0.0
    ids = tf.where(valid, tf.gather(kept.columns, places) + 1, 0)
    missing = config.max_total - best.shape[0]
    return Detections(
        boxes=tf.pad(tf.where(valid[:, None], tf.gather(own, places), 0.0), [[0, missing], [0, 0]]),
        scores=tf.pad(tf.where(valid, best, 0.0), [[0, missing]]),
        ids=tf.pad(ids, [[0, missing]]),
    )


def _of_each(config: NmsConfig, boxes: tf.Tensor, scores: tf.Tensor) -> _Kept:
    """Class by class."""
    kept = [_kept(config, config.max_per_class, boxes, of_class) for of_class in tf.unstack(scores, axis=1)]
    columns = [tf.fill(rows.shape, column) for column, (rows, _) in enumerate(kept)]
    rows, of_rows = zip(*kept, strict=True)
    return _Kept(tf.concat(rows, axis=0), tf.concat(of_rows, axis=0), tf.concat(columns, axis=0))


def _of_any_class(config: NmsConfig, boxes: tf.Tensor, scores: tf.Tensor) -> _Kept:
    """Each box as its likeliest class, all of them together."""
    rows, of_rows = _kept(config, config.max_total, boxes, tf.reduce_max(scores, axis=1))
    columns = tf.argmax(scores, axis=1, output_type=tf.int32)
    return _Kept(rows, of_rows, tf.gather(columns, rows))


def _kept(config: NmsConfig, most: int, boxes: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows that are left and their scores, -1 after the last; as many as there may be."""
    most = min(most, boxes.shape[0])
    rows, count = tf.raw_ops.NonMaxSuppressionV4(
        boxes=boxes,
        scores=scores,
        max_output_size=most,
        iou_threshold=config.iou_threshold,
        score_threshold=config.score_threshold,
        pad_to_max_output_size=True,
    )
    rows = tf.ensure_shape(rows, (most,))
    return rows, tf.where(tf.range(most) < count, tf.gather(scores, rows), -1.0)

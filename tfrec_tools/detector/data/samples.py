"""Samples that anybody reads by number -> tf.data batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec_tools.system.workers import cores

_BATCHES_AHEAD = 2


def batches(
    samples: Sequence[Any], size_hw: tuple[int, int], batch: int, seed: int | None
) -> tf.data.Dataset:
    """Returns batches of samples (see api.loading.Sample), shuffled anew in each epoch and endless where
    there is a seed, else once in order: a dict of image, boxes_xyxy, labels and weights."""

    def read(index: int) -> tuple[Any, ...]:
        sample = samples[index]
        return (
            sample.image,
            sample.boxes_xyxy.astype(np.float32),
            sample.labels.astype(np.int32),
            sample.weights.astype(np.float32),
        )

    @tf.autograph.experimental.do_not_convert
    def prepared(index: tf.Tensor) -> dict[str, tf.Tensor]:
        kinds = [tf.uint8, tf.float32, tf.int32, tf.float32]
        image, boxes, labels, weights = tf.numpy_function(read, [index], kinds)
        image = tf.ensure_shape(image, (None, None, 3))
        scale_yx = tf.cast(size_hw, tf.float32) / tf.cast(tf.shape(image)[:2], tf.float32)
        scale_xyxy = tf.gather(scale_yx, [1, 0, 1, 0])
        return {
            "image": tf.image.resize(image, size_hw),
            "boxes_xyxy": tf.ensure_shape(boxes, (None, 4)) * scale_xyxy,
            "labels": tf.ensure_shape(labels, (None,)),
            "weights": tf.ensure_shape(weights, (None,)),
        }

    order = tf.data.Dataset.range(len(samples))
    if seed is not None:
        order = order.shuffle(len(samples), seed, reshuffle_each_iteration=True).repeat()
    read_ahead = order.map(prepared, num_parallel_calls=cores(), deterministic=True)
    return read_ahead.padded_batch(batch).prefetch(_BATCHES_AHEAD)

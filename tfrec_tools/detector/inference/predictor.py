"""A detector as a function from pictures of any sizes to what it finds in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.evaluation.average_precision import Found
from tfrec_tools.detector.model.detector import Detector, detect

Finder = Callable[[Sequence[NDArray[np.uint8]]], list[Found]]


def finder(detector: Detector) -> Finder:
    """A function of pictures (H, W, 3) uint8. It is traced once, whatever their number and sizes."""
    canvas = (None, detector.config.resizer.height_px, detector.config.resizer.width_px, 3)
    run = tf.function(
        lambda images, windows: detect(detector, images, windows),
        input_signature=[tf.TensorSpec(canvas, tf.float32), tf.TensorSpec((None, 2), tf.float32)],
    )

    def find(pictures: Sequence[NDArray[np.uint8]]) -> list[Found]:
        images, windows = zip(*(preprocess(detector.config, picture) for picture in pictures), strict=True)
        detections = run(tf.stack(images), tf.stack(windows))
        return [_found(*one) for one in zip(*(part.numpy() for part in detections), strict=True)]

    return find


def _found(boxes: NDArray[np.float32], scores: NDArray[np.float32], ids: NDArray[np.int32]) -> Found:
    there = ids > 0
    return Found(boxes[there], scores[there], ids[there])

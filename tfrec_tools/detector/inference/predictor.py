"""A detector as a function from images of any sizes to what it finds in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.model.detector import Detector, compiled_detect

Finder = Callable[[Sequence[NDArray[np.uint8]]], list[ImageDetections]]


def finder(detector: Detector) -> Finder:
    """Returns a function of images (H, W, 3) uint8. It is traced once, whatever their number and sizes."""
    run = compiled_detect(detector)

    def find(decoded: Sequence[NDArray[np.uint8]]) -> list[ImageDetections]:
        images, windows = zip(*(preprocess(detector.config, pixels) for pixels in decoded), strict=True)
        detections = run(tf.stack(images), tf.stack(windows))
        return [_of_image(*of_image) for of_image in zip(*(part.numpy() for part in detections), strict=True)]

    return find


def _of_image(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], ids: NDArray[np.int32]
) -> ImageDetections:
    there = ids > 0
    return ImageDetections(boxes[there], scores[there], ids[there])

"""Pictures in, detections out."""

from __future__ import annotations

import tensorflow as tf

from tfrec_tools.detector import families
from tfrec_tools.detector.model import Detector
from tfrec_tools.detector.network.detections import Detections


def detect(detector: Detector, images: tf.Tensor, windows: tf.Tensor) -> Detections:
    """The detections of pictures as `resize.preprocess` gives them: images (B, H, W, 3), windows (B, 2)."""
    family = families.of(detector.config)
    return family.detect(detector.config, detector.network, images, windows)


def class_logits(detector: Detector, images: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
    """(B, A, K) float32, of the classes alone, in the order of their ids; images and windows as for
    `detect`."""
    family = families.of(detector.config)
    return family.class_logits(detector.config, detector.network, images, windows)

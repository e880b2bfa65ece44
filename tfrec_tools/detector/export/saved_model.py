"""TFOD's SavedModel: a uint8 image in, detections out, so that its clients need not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.export.agreement import Answer
from tfrec_tools.detector.export.outputs import tfod_outputs
from tfrec_tools.detector.export.weights import copied
from tfrec_tools.detector.model.detector import Detector

_SIGNATURE = tf.TensorSpec((1, None, None, 3), tf.uint8, name="input_tensor")


class Served(tf.Module):
    """A detector as a function of an image (1, H, W, 3) uint8; `outputs.tfod_outputs` says what it gives."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self._detector = detector
        self._weights = copied(detector.network)
        self.variables_of_network = self._weights.copies

    @tf.function(input_signature=[_SIGNATURE])
    def __call__(self, input_tensor: tf.Tensor) -> dict[str, tf.Tensor]:
        with self._weights.in_place():
            return tfod_outputs(self._detector, input_tensor)


def write(detector: Detector, folder: Path) -> None:
    served = Served(detector)
    signatures = {"serving_default": served.__call__.get_concrete_function()}
    tf.saved_model.save(served, str(folder), signatures=signatures)


def run(folder: Path, image: NDArray[np.uint8]) -> Answer:
    """Returns what the written model says of an image (H, W, 3)."""
    served = tf.saved_model.load(str(folder))
    return answer({name: value.numpy() for name, value in served(tf.constant(image[None])).items()})


def answer(outputs: dict[str, NDArray[np.float32]]) -> Answer:
    """TFOD's outputs of one image, for comparison."""
    count = int(outputs["num_detections"][0])
    return Answer(
        outputs["detection_boxes"][0, :count],
        outputs["detection_scores"][0, :count],
        outputs["detection_classes"][0, :count].astype(np.int32),
        outputs["raw_detection_boxes"][0],
        outputs["raw_detection_scores"][0],
    )

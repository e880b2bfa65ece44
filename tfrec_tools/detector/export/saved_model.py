"""TFOD's SavedModel: an image in, detections out, so that its clients need not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.export.agreement import Answer
from tfrec_tools.detector.export.entry import Entry
from tfrec_tools.detector.export.outputs import tfod_outputs
from tfrec_tools.detector.export.weights import copied
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.network.graphs import graph


class Served(tf.Module):
    """A detector as a function of what `entry` says; `outputs.tfod_outputs` says what it gives."""

    def __init__(self, detector: Detector, entry: Entry) -> None:
        super().__init__()
        self._detector, self._entry = detector, entry
        self._weights = copied(detector.network)
        self.variables_of_network = self._weights.copies
        self.__call__ = graph(self._serve, input_signature=[entry.spec])

    def _serve(self, input_tensor: tf.Tensor) -> dict[str, tf.Tensor]:
        # Whoever runs a signature does not look at its shape: of two images the second would be ignored.
        inputs = tf.ensure_shape(input_tensor, self._entry.spec.shape)
        with self._weights.in_place():
            return tfod_outputs(self._detector, *self._entry.canvases(self._detector.config, inputs))


def write(detector: Detector, folder: Path, entry: Entry) -> None:
    served = Served(detector, entry)
    signatures = {"serving_default": served.__call__.get_concrete_function()}
    tf.saved_model.save(served, str(folder), signatures=signatures)


def run(folder: Path, image: NDArray[np.uint8], entry: Entry) -> Answer:
    """Returns what the written model says of an image (H, W, 3)."""
    served = tf.saved_model.load(str(folder))
    outputs = served(entry.fed(beside_another(image, entry)))
    return answer({name: value.numpy() for name, value in outputs.items()})


def beside_another(image: NDArray[np.uint8], entry: Entry) -> NDArray[np.uint8]:
    """Returns (1, H, W, 3), or where batches are taken (2, H, W, 3), the image the last: so that a batch in
    which images are mixed up does not pass."""
    return np.stack([image[:, ::-1], image]) if entry.batches else image[None]


def answer(outputs: dict[str, NDArray[np.float32]]) -> Answer:
    """TFOD's outputs of the last image, for comparison."""
    count = int(outputs["num_detections"][-1])
    return Answer(
        outputs["detection_boxes"][-1, :count],
        outputs["detection_scores"][-1, :count],
        outputs["detection_classes"][-1, :count].astype(np.int32),
        outputs["raw_detection_boxes"][-1],
        outputs["raw_detection_scores"][-1],
    )

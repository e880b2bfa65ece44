"""TFLite of a CenterNet: pixels in, peaks out, with TFLite's own operators alone.

Its outputs are those of a single-shot detector (`tflite`), so that the same clients read them. The
normalisation is inside, as a CenterNet may want channels in another order, which no metadata can say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.util import modify_model_io_type
from tensorflow.lite.tools import flatbuffer_utils

from tfrec_tools.detector.architectures import center_net
from tfrec_tools.detector.config.blocks import Resizer
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.data.resize import fitted, normalized
from tfrec_tools.detector.export.agreement import Answer
from tfrec_tools.detector.export.pixels import Pixels
from tfrec_tools.detector.export.tflite import as_wanted, halve, open_interpreter, representative
from tfrec_tools.detector.export.tflite_metadata import with_metadata
from tfrec_tools.detector.export.weights import copied
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.network.graphs import graph

# What a client has to do to the bytes: nothing.
_AS_BYTES = Pixels(np.zeros(3, np.float32), np.ones(3, np.float32))
_CONVOLUTIONS = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.TRANSPOSE_CONV,
)
_GATHERS = (schema.BuiltinOperator.GATHER, schema.BuiltinOperator.GATHER_ND)


class MobileCenters(tf.Module):
    """A detector as a function of a canvas (1, H, W, 3) of 0..255 to its count, scores, classes from 0 and
    boxes, fractions of the canvas."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self._detector, self._config = detector, _config_of(detector)
        self._weights = copied(detector.network)
        self.variables_of_network = self._weights.copies

    @graph
    def __call__(self, image: tf.Tensor) -> Sequence[tf.Tensor]:
        with self._weights.in_place():
            boxes, scores = center_net.decoded(self._detector.network, normalized(self._config, image))
        found = center_net.select(self._config, boxes, scores, tf.ones((1, 2)))
        there = tf.cast(found.ids > 0, tf.float32)
        classes = tf.cast(tf.maximum(found.ids - 1, 0), tf.float32)
        return tf.reduce_sum(there, axis=1), found.scores, classes, found.boxes


def write(
    detector: Detector, path: Path, images: Sequence[NDArray[np.uint8]] | None, *, half: bool = False
) -> None:
    """Writes a model of float32, or whose weights are float16 (`half`), or of 8 bits up to the last
    convolutions where images (H, W, 3) are given to calibrate it with: it takes bytes then."""
    mobile, resizer = MobileCenters(detector), _config_of(detector).resizer
    spec = tf.TensorSpec((1, resizer.height_px, resizer.width_px, 3), tf.float32, name="input")
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(mobile, folder, signatures=mobile.__call__.get_concrete_function(spec))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if half:
            halve(converter)
        canvases = [_canvas(resizer, image)[0] for image in images or ()]
        converted = _in_eight_bits(converter, resizer, canvases) if canvases else converter.convert()
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(converted))
    _put_in_order(model)
    path.write_bytes(with_metadata(model, detector.labels, None if images else _AS_BYTES))


def _in_eight_bits(converter: Any, resizer: Resizer, canvases: list[NDArray[np.float32]]) -> bytes:
    """Returns a model whose convolutions reckon in 8 bits, but for the last ones. What these say stays
    float32, as do the peaks, which 8 bits cannot tell from their neighbours; the quantiser makes steps of
    1/256 of a sigmoid all the same."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: representative(resizer, canvases)
    # Which operators are left out can be said to the quantiser alone, as TFLite's own debugger does.
    converter._experimental_calibrate_only = True
    calibrated = converter.convert()
    kept = _after_convolutions(flatbuffer_utils.convert_bytearray_to_object(bytearray(calibrated)))
    quantised = mlir_quantize(calibrated, denylisted_nodes=kept)
    return bytes(modify_model_io_type(quantised, tf.uint8, tf.float32))


def _after_convolutions(model: Any) -> list[str]:
    """Returns what the operators give, by name, that no convolution follows on: the last convolutions, and
    all that is made of what they say."""
    graph = model.subgraphs[0]
    needed: set[int] = set()  # tensors that a convolution hangs on
    kept = []
    for operator in reversed(graph.operators):
        if needed.isdisjoint(operator.outputs):
            kept.append(graph.tensors[operator.outputs[0]].name.decode())
        if not needed.isdisjoint(operator.outputs) or _kind(model, operator) in _CONVOLUTIONS:
            needed.update(operator.inputs)
    return kept


def _kind(model: Any, operator: Any) -> int:
    return int(model.operatorCodes[operator.opcodeIndex].builtinCode)


def run(path: Path, detector: Detector, pixels_hwc: NDArray[np.uint8]) -> Answer:
    """Returns what the written model says of an image (H, W, 3)."""
    config = _config_of(detector)
    canvas, window = _canvas(config.resizer, pixels_hwc)
    interpreter = open_interpreter(path)
    (entry,) = interpreter.get_input_details()
    interpreter.set_tensor(entry["index"], as_wanted(entry, canvas[None]))
    interpreter.invoke()
    boxes, classes, scores, count = (
        interpreter.get_tensor(details["index"])[0] for details in interpreter.get_output_details()
    )
    there = slice(0, int(count))
    raw_boxes, raw_scores = (interpreter.get_tensor(index) for index in _before_selection(path))
    return Answer(
        np.clip(boxes[there] / np.tile(window, 2), 0.0, 1.0),
        scores[there],
        classes[there].astype(np.int32) + 1,
        raw_boxes.reshape(-1, 4),
        raw_scores.reshape(-1, config.num_classes),
    )


def _canvas(resizer: Resizer, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns an image (H, W, 3) on the canvas, 0..255, and its window (2,)."""
    canvas, window = fitted(resizer, tf.cast(tf.constant(image), tf.float32))
    return canvas.numpy(), window.numpy()


def _config_of(detector: Detector) -> CenterNetConfig:
    if not isinstance(detector.config, CenterNetConfig):
        raise ValueError("not a CenterNet")
    return detector.config


def _put_in_order(model: Any) -> None:
    """Outputs as those of a single-shot detector; the converter sorts them in a way of its own."""
    places = {output.name.decode(): output.tensorIndex for output in model.signatureDefs[0].outputs}
    model.subgraphs[0].outputs = [places[f"output_{place}"] for place in (3, 2, 1, 0)]


def _before_selection(path: Path) -> tuple[int, int]:
    """Returns the tensors of all boxes and scores: what is gathered from, and what the last pool takes."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    kinds = [_kind(model, operator) for operator in graph.operators]
    inputs = [int(operator.inputs[0]) for operator in graph.operators]
    pooled = [
        index for kind, index in zip(kinds, inputs, strict=True) if kind == schema.BuiltinOperator.MAX_POOL_2D
    ]
    gathered = [index for kind, index in zip(kinds, inputs, strict=True) if kind in _GATHERS]
    return next(index for index in gathered if graph.tensors[index].shape[-1] == 4), pooled[-1]

"""TFLite as TFOD exports it: the network, then the operator TFLite_Detection_PostProcess.

That operator decodes boxes and suppresses, and exists in TFLite alone: the converter puts it where a function
says that it implements it (export_tflite_graph_lib_tf2.py; tensorflow/lite/kernels/detection_postprocess.cc).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.tools import flatbuffer_utils

from tfrec_tools.detector.architectures import ssd
from tfrec_tools.detector.config.blocks import Resizer
from tfrec_tools.detector.config.ssd import SsdConfig
from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.export.agreement import Answer
from tfrec_tools.detector.export.pixels import Pixels, pixels_of
from tfrec_tools.detector.export.tflite_metadata import with_metadata
from tfrec_tools.detector.export.weights import copied
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.network import box_coding
from tfrec_tools.detector.network.graphs import graph
from tfrec_tools.errors import TfrecError

OPERATOR = "TFLite_Detection_PostProcess"


class Mobile(tf.Module):
    """A detector as a function of a canvas (1, H, W, 3): normalised as the network wants it, or of 0..255
    where the model is to be quantised, so that its input is an image's own bytes."""

    def __init__(self, detector: Detector, pixels: Pixels | None) -> None:
        super().__init__()
        self._detector, self._pixels = detector, pixels
        self._weights = copied(detector.network)
        self.variables_of_network = self._weights.copies
        self._finish = _post_processing(_ssd_config(detector))

    @graph
    def __call__(self, image: tf.Tensor) -> Sequence[tf.Tensor]:
        config = _ssd_config(self._detector)
        with self._weights.in_place():
            canvas = self._pixels.normalised(image) if self._pixels else image
            codes, logits = self._detector.network(canvas, training=False)
        anchors = tf.constant(_centres(ssd.anchor_boxes(config)))
        outputs = self._finish(tf.identity(codes), tf.sigmoid(logits), anchors)
        return outputs[::-1]  # output_0 is the count, as TFOD's signature has it


def write(
    detector: Detector, path: Path, images: Sequence[NDArray[np.uint8]] | None, *, half: bool = False
) -> None:
    """Writes a model of float32, or whose weights are float16 (`half`), or of 8 bits where images (H, W, 3)
    are given to calibrate it with. Raises TfrecError where the family has no such form."""
    pixels = pixels_of(detector.config)
    mobile = Mobile(detector, pixels if images else None)
    resizer = _ssd_config(detector).resizer
    spec = tf.TensorSpec((1, resizer.height_px, resizer.width_px, 3), tf.float32, name="input")
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(mobile, folder, signatures=mobile.__call__.get_concrete_function(spec))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.allow_custom_ops = True
        if half:
            halve(converter)
        if images:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: representative(
                resizer, (_canvas_of_bytes(detector, pixels, image) for image in images)
            )
            converter.inference_input_type = tf.uint8
        model = flatbuffer_utils.convert_bytearray_to_object(bytearray(converter.convert()))
    _put_in_order(model)
    path.write_bytes(with_metadata(model, detector.labels, None if images else pixels))


def halve(converter: Any) -> None:
    """Weights in float16; what they are reckoned with, inputs and outputs stay float32."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def run(path: Path, detector: Detector, pixels_hwc: NDArray[np.uint8]) -> Answer:
    """Returns what the written model says of an image (H, W, 3); `detector` tells how to prepare it."""
    config = _ssd_config(detector)
    image, window = preprocess(config, tf.constant(pixels_hwc))
    interpreter = open_interpreter(path)
    (input_details,) = interpreter.get_input_details()
    canvas = image.numpy()[None]
    if input_details["dtype"] == np.uint8:
        canvas = pixels_of(config).bytes_of(canvas)
    interpreter.set_tensor(input_details["index"], as_wanted(input_details, canvas))
    interpreter.invoke()
    boxes, classes, scores, count = (
        interpreter.get_tensor(details["index"])[0] for details in interpreter.get_output_details()
    )
    there = slice(0, int(count))
    codes, raw_scores = (interpreter.get_tensor(index)[0] for index in _before_suppression(path))
    decoded = box_coding.decode(tf.constant(codes), tf.constant(ssd.anchor_boxes(config)), config.code_scales)
    return Answer(
        np.clip(boxes[there] / np.tile(window.numpy(), 2), 0.0, 1.0),
        scores[there],
        classes[there].astype(np.int32) + 1,
        decoded.numpy(),
        raw_scores,
    )


def as_wanted(input_details: dict[str, Any], canvas: NDArray[np.float32]) -> NDArray[Any]:
    """Returns a canvas as a model's input is: rounded where it takes bytes."""
    return np.round(canvas).astype(np.uint8) if input_details["dtype"] == np.uint8 else canvas


def _ssd_config(detector: Detector) -> SsdConfig:
    if not isinstance(detector.config, SsdConfig):
        raise TfrecError("TFLite is not for Faster R-CNN, as in TFOD; --to onnx or saved_model")
    return detector.config


def _post_processing(config: SsdConfig) -> Any:
    """Returns a function of codes (1, A, 4), scores (1, A, [1 +] K) and anchors (A, 4) that the converter
    replaces by the operator; what it computes itself is never used."""
    y_scale, x_scale, height_scale, width_scale = config.code_scales
    attributes: dict[str, int | float | bool] = {
        "max_detections": config.nms.max_total,
        "detections_per_class": config.nms.max_per_class,
        "max_classes_per_detection": 1,
        "use_regular_nms": True,
        "nms_score_threshold": config.nms.score_threshold,
        "nms_iou_threshold": config.nms.iou_threshold,
        "y_scale": y_scale,
        "x_scale": x_scale,
        "h_scale": height_scale,
        "w_scale": width_scale,
        "num_classes": config.num_classes,
    }
    listed = " ".join(
        f'attr {{ key: "{key}" value {{ {_attribute(value)} }} }}' for key, value in attributes.items()
    )

    @graph(experimental_implements=f'name: "{OPERATOR}" {listed}')
    def post_processing(codes: tf.Tensor, scores: tf.Tensor, anchors: tf.Tensor) -> tuple[tf.Tensor, ...]:  # noqa: ARG001
        return tuple(tf.constant(0.0, name=name) for name in ("boxes", "classes", "scores", "count"))

    return post_processing


def _attribute(value: float | bool) -> str:
    if isinstance(value, bool):
        return f"b: {str(value).lower()}"
    return f"i: {value}" if isinstance(value, int) else f"f: {value!r}"


def _centres(anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (A, 4) [y x height width] of [ymin xmin ymax xmax]."""
    return np.concatenate([(anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]], axis=1)


def representative(
    resizer: Resizer, canvases: Iterable[NDArray[np.float32]]
) -> Iterator[list[NDArray[np.float32]]]:
    """Yields canvases (H, W, 3) of 0..255 as the converter wants them; a black and a white one too, so that
    the input's range is a byte's own."""
    shape = (1, resizer.height_px, resizer.width_px, 3)
    yield from ([np.full(shape, value, np.float32)] for value in (0, 255))
    yield from ([canvas[None].astype(np.float32)] for canvas in canvases)


def _canvas_of_bytes(detector: Detector, pixels: Pixels, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns (H, W, 3) of 0..255, whose padding normalises to 0."""
    return pixels.bytes_of(preprocess(detector.config, tf.constant(image))[0].numpy())


def _operator(model: Any) -> Any:
    """Returns the post-processing's operator in a model."""
    for operator in model.subgraphs[0].operators:
        if model.operatorCodes[operator.opcodeIndex].customCode == OPERATOR.encode():
            return operator
    raise ValueError(f"the converter made no {OPERATOR}")


def _put_in_order(model: Any) -> None:
    """Outputs as the operator gives them, with the names that TFLite's clients look for; the converter
    sorts them in a way of its own."""
    graph, operator = model.subgraphs[0], _operator(model)
    graph.outputs = operator.outputs
    for place, index in enumerate(operator.outputs):
        graph.tensors[index].name = (f"{OPERATOR}:{place}" if place else OPERATOR).encode()


def _before_suppression(path: Path) -> list[int]:
    """Returns the operator's first two inputs: codes and scores."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(path.read_bytes()))
    return [int(index) for index in _operator(model).inputs[:2]]


def open_interpreter(path: Path) -> Any:
    """Returns one that keeps what it computes on the way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a move to another package
        interpreter = tf.lite.Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter

"""Latency of each export beside the Keras model: ms an image, one at a time, as a client runs it; for TFLite
without what a client does before, as its canvas is prepared."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.bench import full_size
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.export import onnx, saved_model, tflite, tflite_centers
from tfrec_tools.detector.export.entry import Entry
from tfrec_tools.detector.inference.predictor import finder
from tfrec_tools.detector.model.detector import Detector

_IMAGES = 20  # of which each run takes the mean
_CALIBRATING = 8
Images = NDArray[np.uint8]
_TFLITE: dict[str, dict[str, Any]] = {
    "tflite": {"images": None},
    "tflite-fp16": {"images": None, "half": True},
}


def main(families: Sequence[str], runs: int) -> None:
    """Faster R-CNN has no TFLite."""
    for family in families:
        made = full_size.detector(family)
        image = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
        with tempfile.TemporaryDirectory() as temporary:
            for name, run in _clients(family, made, image, Path(temporary)).items():
                print(f"{family:18} {name:12} {_milliseconds(run, runs):8.1f} ms/image", flush=True)


def _clients(family: str, made: Detector, image: Images, folder: Path) -> dict[str, Callable[[], Any]]:
    find, sent = finder(made), tf.constant(image[None])
    saved_model.write(made, folder / "saved_model", Entry())
    served = tf.saved_model.load(str(folder / "saved_model"))
    clients: dict[str, Callable[[], Any]] = {
        "keras": lambda: find([image]),
        "saved_model": lambda: served(sent),
    }
    if find_spec("tf2onnx") and find_spec("onnxruntime"):
        clients["onnx"] = _of_onnx(made, image, folder / "model.onnx")
    if family != "faster_rcnn":
        kinds = _TFLITE | {"tflite-int8": {"images": [image] * _CALIBRATING}}
        clients |= {name: _of_tflite(made, folder / name, words) for name, words in kinds.items()}
    return clients


def _of_onnx(made: Detector, image: Images, path: Path) -> Callable[[], Any]:
    onnx.write(made, path, Entry())
    session = import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"input_tensor": image[None]})


def _of_tflite(made: Detector, path: Path, words: dict[str, Any]) -> Callable[[], Any]:
    module = tflite_centers if isinstance(made.config, CenterNetConfig) else tflite
    module.write(made, path, **words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a move to another package
        interpreter = tf.lite.Interpreter(str(path), num_threads=2)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    interpreter.set_tensor(entry["index"], np.zeros(entry["shape"], entry["dtype"]))
    return interpreter.invoke


def _milliseconds(run: Callable[[], Any], runs: int) -> float:
    """Of the fastest run after an image that is not counted."""
    run()
    return min(_timed(run) for _ in range(runs))


def _timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    for _ in range(_IMAGES):
        run()
    return 1e3 * (time.perf_counter() - start) / _IMAGES

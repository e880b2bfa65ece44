"""ONNX by tf2onnx: the same function of an image as the SavedModel, with the same names."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.export.agreement import Answer
from tfrec_tools.detector.export.entry import Entry
from tfrec_tools.detector.export.saved_model import Served, answer, beside_another
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.errors import TfrecError

_OPSET = 17  # of 2022: what runtimes of some years' age read


def require() -> None:
    """Raises TfrecError where what is needed is not installed."""
    for name in ("tf2onnx", "onnxruntime"):
        _load(name)


def write(detector: Detector, path: Path, entry: Entry) -> None:
    served = Served(detector, entry)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stderr(io.StringIO()):  # it warns of TensorFlow's own deprecations
        model, _ = _load("tf2onnx").convert.from_function(
            served.__call__, input_signature=[entry.spec], opset=_OPSET
        )
    for value in (*model.graph.input, *model.graph.output) if entry.batches else ():
        value.type.tensor_type.shape.dim[0].dim_param = "batch"  # instead of a number of the converter's
    path.write_bytes(model.SerializeToString())


def run(path: Path, image: NDArray[np.uint8], entry: Entry) -> Answer:
    """Returns what the written model says of an image (H, W, 3)."""
    session = _load("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, {session.get_inputs()[0].name: beside_another(image, entry)})
    return answer(dict(zip(names, values, strict=True)))


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        raise TfrecError(
            f"--to onnx needs {fault.name}, which is not installed: pip install 'tfrec-tools[onnx]'"
        ) from fault

"""docs/export.md: each of its clients runs what was exported, and says what `detect` says."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.helpers import tiny
from tests.helpers.places import DOCS
from tfrec_tools.detector.export.export import export_model
from tfrec_tools.detector.inference.predictor import finder
from tfrec_tools.detector.model.detector import load_detector
from tfrec_tools.detector.options.models import ExportFormat, ExportOptions

_EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
_URL = "http://localhost:8501"
_NAMES = ("red", "blue")
_ROWS = 3  # of the best detections, which are compared


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a photo of its canvas's size, so that no client resizes in a way of its own."""
    made = tmp_path_factory.mktemp("clients")
    tiny.model_folder(made / "model", *_NAMES)
    photo = np.random.default_rng(5).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(photo).save(made / "photo.jpg", "PNG")  # which all decode to the same pixels
    return made


def _example(word: str) -> str:
    """The one example of the page that has the word."""
    examples = _EXAMPLE.findall((DOCS / "export.md").read_text(encoding="utf-8"))
    (program,) = (example for example in examples if word in example)
    return str(program)


def _ran(folder: Path, program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _agrees(folder: Path, lines: list[str], kind: str) -> None:
    """The best lines, which are `kind class score [ymin xmin ymax xmax]`, are detections of `detect`."""
    pixels = np.asarray(Image.open(folder / "photo.jpg"))
    (expected,) = finder(load_detector(folder / "model"))([pixels])
    assert len(lines) >= _ROWS
    for line in lines[:_ROWS]:
        words = line.translate(str.maketrans("[],", "   ")).split()
        assert words[0] == kind
        score, *box = map(float, words[2:])
        of_class = expected.ids == 1 + _NAMES.index(words[1])
        near = np.abs(expected.boxes - np.clip(box, 0.0, 1.0)).max(axis=1) < 1e-2
        assert (of_class & near & (np.abs(expected.scores - score) < 1e-3)).any(), line


def _export(folder: Path, to: ExportFormat, out: str, **options: Any) -> None:
    export_model(ExportOptions(model=folder / "model", to=to, out=folder / out, **options))


@pytest.mark.slow
@pytest.mark.parametrize("to", ["tflite", "tflite-fp16"])
def test_a_client_of_tflite(folder: Path, tmp_path: Path, to: ExportFormat) -> None:
    _export(folder, to, f"{to}-app")
    (tmp_path / "app").symlink_to(folder / f"{to}-app")
    (tmp_path / "photo.jpg").symlink_to(folder / "photo.jpg")
    _agrees(folder, _ran(tmp_path, _example("Interpreter")), "tflite")


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("tf2onnx") and find_spec("onnxruntime")), reason="no extra onnx")
def test_a_client_of_onnx(folder: Path) -> None:
    _export(folder, "onnx", "onnx")
    _agrees(folder, _ran(folder, _example("onnxruntime")), "onnx")


@contextmanager
def _serving(saved_model: Path) -> Iterator[str]:
    """A server that answers `predict` for strings by the rules of TensorFlow Serving's REST interface: rows
    of `instances` to rows of `predictions`, which have every output's row. Yields its address."""
    signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/models/detector:predict"
            sent = [base64.b64decode(instance["b64"]) for instance in asked["instances"]]
            outputs = {
                name: value.numpy() for name, value in signature(input_tensor=tf.constant(sent)).items()
            }
            assert {len(value) for value in outputs.values()} == {len(sent)}
            rows = [
                {name: value[row].tolist() for name, value in outputs.items()} for row in range(len(sent))
            ]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"predictions": rows}).encode())

        def log_message(self, *_words: Any) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_a_client_of_tensorflow_serving(folder: Path) -> None:
    _export(folder, "saved_model", "served", input="encoded")
    program = _example("urllib")
    assert _URL in program
    with _serving(folder / "served" / "saved_model") as address:
        lines = _ran(folder, program.replace(_URL, address))
    _agrees(folder, lines, "serving")

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
_MOST = 10  # detections that the client of MediaPipe asks for
_SCORE_APART = 4e-3  # a step of 8 bits
_LITERT = "ai_edge_litert"


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


def _agrees(
    folder: Path, lines: list[str], kind: str, *, edge_px: int = 1, apart: float = 1e-2, rows: int = _ROWS
) -> None:
    """The best `rows` lines, which are `kind class score [ymin xmin ymax xmax]`, are detections of `detect`:
    their edges, divided by the image's where they are in pixels, are no further apart."""
    pixels = np.asarray(Image.open(folder / "photo.jpg"))
    (expected,) = finder(load_detector(folder / "model"))([pixels])
    assert len(lines) >= rows
    for line in lines[:rows]:
        name, score, box = _parts(line, kind)
        of_class = expected.ids == 1 + _NAMES.index(name)
        near = np.abs(expected.boxes - np.clip(np.divide(box, edge_px), 0.0, 1.0)).max(axis=1) < apart
        assert (of_class & near & (np.abs(expected.scores - score) < _SCORE_APART)).any(), line


def _suppresses_by_class(lines: list[str], kind: str) -> None:
    """A box that both classes have is kept of both."""
    boxes_of: dict[str, set[tuple[float, ...]]] = {name: set() for name in _NAMES}
    for line in lines:
        name, _, box = _parts(line, kind)
        boxes_of[name].add(box)
    assert set.intersection(*boxes_of.values())


def _parts(line: str, kind: str) -> tuple[str, float, tuple[float, ...]]:
    """Returns class, score and edges of a line."""
    first, name, score, *box = line.translate(str.maketrans("[],", "   ")).split()
    assert first == kind
    return name, float(score), tuple(map(float, box))


def _export(folder: Path, to: ExportFormat, out: str, **options: Any) -> None:
    export_model(ExportOptions(model=folder / "model", to=to, out=folder / out, **options))


def _with_app(folder: Path, to: ExportFormat, made: Path) -> Path:
    """A folder with the photo and an app of this format."""
    photo = folder / "photo.jpg"
    _export(folder, to, str(made / "app"), records=(str(photo),) if to == "tflite-int8" else ())
    (made / "photo.jpg").symlink_to(photo)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("to", ["tflite", "tflite-fp16"])
@pytest.mark.parametrize("package", [_LITERT, "tensorflow"])
def test_a_client_of_tflite(folder: Path, tmp_path: Path, to: ExportFormat, package: str) -> None:
    program = _example("Interpreter")
    if package == _LITERT and not find_spec(_LITERT):
        pytest.skip("ai-edge-litert is not installed")
    if package != _LITERT:
        program = f"import sys; sys.modules['{_LITERT}'] = None\n{program}"
    lines = _ran(_with_app(folder, to, tmp_path), program)
    _agrees(folder, lines, "tflite")
    _suppresses_by_class(lines, "tflite")


@pytest.mark.slow
@pytest.mark.parametrize("to", ["tflite", "tflite-fp16", "tflite-int8"])
def test_a_client_of_mediapipe(folder: Path, tmp_path: Path, to: ExportFormat) -> None:
    """Which knows how to normalise and what the outputs are by the metadata alone."""
    if not find_spec("mediapipe"):
        pytest.skip("mediapipe is not installed")
    lines = _ran(_with_app(folder, to, tmp_path), _example("mediapipe"))
    assert len(lines) == _MOST
    # Of a box that begins outside the image it says the edge and the whole length.
    begun = [line for line in lines if min(_parts(line, "mediapipe")[2][:2]) > 0]
    apart = (3 if to == "tflite-int8" else 2) / 64
    _agrees(folder, begun, "mediapipe", edge_px=64, apart=apart, rows=2)


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("tf2onnx") and find_spec("onnxruntime")), reason="no extra onnx")
def test_a_client_of_onnx(folder: Path) -> None:
    _export(folder, "onnx", "onnx")
    lines = _ran(folder, _example("onnxruntime"))
    _agrees(folder, lines, "onnx")
    _suppresses_by_class(lines, "onnx")


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
    _suppresses_by_class(lines, "serving")

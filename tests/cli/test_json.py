"""`--json`: one document on stdout, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.helpers import tiny
from tests.helpers.command import write_map
from tests.helpers.documents import require_valid
from tfrec_tools.cli.app import app


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.model_folder(tmp_path_factory.mktemp("json") / "model", "red", "blue")


def document(*words: object, code: int = 0) -> dict[str, Any]:
    """What a command prints to stdout, in this process: TensorFlow is loaded already."""
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == code, done.output
    parsed: dict[str, Any] = json.loads(done.stdout)
    require_valid(parsed, str(words[0]))
    return parsed


def test_of_detect(model: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "photos/a.png")
    (tmp_path / "photos/b.png").write_bytes(b"none")
    labels = write_map(tmp_path / "others.pbtxt", "owl", "elk")
    words = ("detect", tmp_path / "photos", "--model", model, "--out", tmp_path / "out", "--score", "0")
    found = document(*words, "--model-labels", labels, code=1)
    assert (found["out"], found["images"]) == (str(tmp_path / "out"), 1)
    assert set(found["boxes"]) <= {"owl", "elk"}
    assert found["scores"] == {"owl": 0.0, "elk": 0.0}
    assert [issue["code"] for issue in found["issues"]] == ["image-damaged"]


def test_of_export(model: Path, tmp_path: Path) -> None:
    found = document("export", "--model", model, "--to", "checkpoint", "--out", tmp_path / "out")
    assert (found["out"], found["to"]) == (str(tmp_path / "out"), "checkpoint")
    assert (found["agreement"]["lost"], found["agreement"]["raw_scores"]) == (0, 0.0)

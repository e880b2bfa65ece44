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
    again = document(*words, "--model-labels", labels, code=1)
    assert again == found | {"outcome": "unchanged"}
    write_map(labels, "owl", "yak")
    (tmp_path / "photos/b.png").unlink()
    said = failed(*words, "--model-labels", labels)
    assert "is there already, of other input (its label map, what is looked at changed); replace it" in said
    anew = document(*words, "--model-labels", labels, "--if-changed")
    assert (anew["outcome"], anew["issues"], anew["changed"][0]["what"]) == ("rebuilt", [], "input")


def test_of_export(model: Path, tmp_path: Path) -> None:
    found = document("export", "--model", model, "--to", "checkpoint", "--out", tmp_path / "out")
    assert (found["out"], found["to"]) == (str(tmp_path / "out"), "checkpoint")
    assert (found["agreement"]["lost"], found["agreement"]["raw_scores"]) == (0, 0.0)
    words = ("export", "--model", model, "--out", tmp_path / "out", "--to")
    assert document(*words, "checkpoint") == found | {"outcome": "unchanged"}
    assert document(*words, "saved_model", "--if-changed")["outcome"] == "rebuilt"
    assert "of other options (--batches was default, is true)" in failed(*words, "saved_model", "--batches")
    assert (tmp_path / "out/saved_model").is_dir()


def test_of_compare(model: Path, tmp_path: Path) -> None:
    base = tiny.model_folder(tmp_path / "base", "red", seed=2)
    tiny.write_records(tmp_path / "val.tfrecord", ["red", "blue", "green"], 2)
    (model / "scores.json").write_text('{"blue": 0.25}')
    words = ("compare", base, model, "--records", tmp_path / "val.tfrecord")
    found = document(*words, "--out", tmp_path / "new/compare.html", "--count", 1)
    assert (found["a"], found["b"], found["images"], found["shown"]) == (str(base), str(model), 2, 1)
    assert (found["out"], found["left_out"]) == (str(tmp_path / "new/compare.html"), {"green": 2})
    red, blue = found["classes"]
    assert (red["name"], red["score_a"], red["score_b"], blue["score_a"], blue["score_b"]) == (
        *("red", 0.5, 0.5),
        *(None, 0.25),
    )
    assert (blue["a"], blue["counts"]["lost"], red["counts"]["lost"] is None) == (None, None, False)
    assert found["shared"]["boxes"] == red["boxes"] == 2
    assert "expected .html" in failed(*words, "--out", tmp_path / "a.png")
    (model / "scores.json").unlink()


def failed(*words: object) -> str:
    """The message of a command that cannot do what it is to."""
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == 1
    message: str = json.loads(done.stdout)["error"]["message"]
    return message

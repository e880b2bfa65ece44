"""`tfrec evaluate` from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import tiny
from tests.helpers.command import without_progress
from tests.helpers.documents import require_valid


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    tiny.model_folder(folder / "model", "red", "blue")
    tiny.write_records(folder / "val.tfrecord", ["red", "blue"], 3)
    return folder


def evaluate(inputs: Path, *more: object, **changed: object) -> subprocess.CompletedProcess[str]:
    words = {"model": inputs / "model", "records": inputs / "val.tfrecord"} | changed
    options = [str(part) for key, value in words.items() for part in (f"--{key}", value)]
    command = [sys.executable, "-m", "tfrec_tools", "evaluate", *options, *map(str, more)]
    environment = os.environ | {"COLUMNS": "200"}  # a table of all columns
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_table_and_a_folder(inputs: Path, tmp_path: Path) -> None:
    done = evaluate(inputs, "--voc07", out=tmp_path / "run")
    assert (done.returncode, without_progress(done.stderr)) == (0, "")
    assert all(
        words in done.stdout for words in ("AP50", "small", "VOC07", "red", "blue", "all", "score", "recall")
    )
    names = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert names == ["confusion.png", "f1.png", "metrics.json", "precision_recall.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    again = evaluate(inputs, out=tmp_path / "run")
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    assert "run: is there already; give another --out" in again.stderr


def test_json_is_all_of_stdout_and_boxes_of_classes_that_a_base_does_not_know_are_counted(
    inputs: Path, tmp_path: Path
) -> None:
    """The records to measure a grown model with measure its base, too."""
    tiny.write_records(tmp_path / "grown.tfrecord", ["red", "green", "blue"], 3)
    done = evaluate(inputs, "--json", records=tmp_path / "grown.tfrecord")
    assert done.returncode == 0, done.stderr
    assert "left out: 3 boxes of classes that the model does not know, 3 of 'green'\n" in done.stderr
    measured = json.loads(done.stdout)
    require_valid(measured, "evaluate")
    assert (measured["images"], measured["boxes"], measured["left_out"]) == (3, 6, {"green": 3})
    assert [(one["name"], one["boxes"]) for one in measured["classes"]] == [("red", 3), ("blue", 3)]
    assert measured["names"] == ["red", "blue"]
    assert set(measured["overall"]) == {"ap", "ap50", "ap75", "small", "medium", "large", "intervals"}
    assert (len(measured["confusion"]), measured["voc07"]) == (3, None)


def test_records_of_none_of_the_models_classes_say_nothing_of_it(inputs: Path, tmp_path: Path) -> None:
    tiny.write_records(tmp_path / "odd.tfrecord", ["green"], 1)
    done = evaluate(inputs, "--json", records=tmp_path / "odd.tfrecord")
    measured = json.loads(done.stdout)
    assert (measured["boxes"], measured["classes"], measured["left_out"]) == (0, [], {"green": 1})

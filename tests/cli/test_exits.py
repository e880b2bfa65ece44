"""Exit codes from outside: each of the one table, but for 3, which needs TensorFlow (test_finetune.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.helpers.command import tfrec, write_map
from tests.helpers.places import DOCS
from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.cli.app import app
from tfrec_tools.cli.exits import MEANINGS, Exit
from tfrec_tools.conversion import convert as engine

PYTHON = (sys.executable, "-m", "tfrec_tools")


def test_the_table_is_that_of_the_help_and_of_the_docs() -> None:
    help_ = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    page = (DOCS / "pipelines.md").read_text(encoding="utf-8")
    assert list(MEANINGS) == list(Exit)
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in help_
        assert f"\n| {code.value} | " in page


def test_done_unusable_and_wrong_words(tmp_path: Path) -> None:
    labels = write_map(tmp_path / "a.pbtxt", "cat")
    tfrec("merge-labels", labels, "--out", tmp_path / "m.pbtxt", code=Exit.DONE)
    tfrec("merge-labels", tmp_path / "none.pbtxt", "--out", tmp_path / "m.pbtxt", code=Exit.UNUSABLE)
    tfrec("merge-labels", labels, code=Exit.WRONG_WORDS)


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the terminal itself: test_convert.py."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "convert", stopped)
    done = CliRunner().invoke(app, ["convert", "a.json", "--out", str(tmp_path / "x"), "--json"])
    assert done.exit_code == Exit.INTERRUPTED
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["found"]) == (130, "interrupted")
    assert error["hint"] == "the same command goes on where this one stopped"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise on Windows")
@pytest.mark.parametrize("words", [("models",), ("models", "--json"), ("inspect", "set")])
def test_nobody_listens(tmp_path: Path, words: tuple[str, ...]) -> None:
    if words[0] == "inspect":
        save_pictures(tmp_path / "images")
        tfrec("convert", coco(tmp_path), "--out", tmp_path / "set")
    with subprocess.Popen([*PYTHON, *words], cwd=tmp_path, stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (Exit.UNHEARD, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is Linux's own device")
def test_a_full_disk(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PYTHON, "models", "--json"], stdout=full, stderr=-1, check=False, encoding="utf-8", cwd=tmp_path
        )
    assert done.returncode == Exit.UNUSABLE
    assert done.stderr == "tfrec: error: No space left on device\n"

"""The command line: exit codes, one line for each fault, what is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tfrec_tools
from tests.helpers.command import tfrec, write_map
from tests.helpers.small_sets import csv, save_pictures, voc

HEAVY = ("apache_beam", "tensorflow", "keras", "pandas", "lxml", "msgspec", "PIL", "numpy", "jinja2")
SPY = """
import sys
sys.argv = ["tfrec", *{words!r}]
from tfrec_tools.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded", *(name for name in {heavy!r} if name in sys.modules))
"""


def loaded_by(*words: object) -> set[str]:
    """Which of HEAVY a command imports."""
    program = SPY.format(words=[str(word) for word in words], heavy=HEAVY)
    out = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    return set(out.splitlines()[-1].split()[1:])


def test_commands_import_only_what_they_need(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    old, new = write_map(tmp_path / "old.pbtxt", "a"), write_map(tmp_path / "new.pbtxt", "b")
    assert loaded_by("--help") == loaded_by("--version") == loaded_by("convert", "--help") == set()
    assert loaded_by("remap", "--help") == set()
    assert loaded_by("merge-labels", old, new, "--out", tmp_path / "m.pbtxt") == set()
    assert loaded_by("merge-labels", old, "--out", tmp_path / "m.json") == set()
    engine = {"msgspec", "PIL", "numpy", "jinja2"}  # jinja2 for the page of issues
    assert loaded_by("convert", voc(tmp_path), "--out", tmp_path / "out/voc") == engine | {"lxml"}
    assert loaded_by("convert", csv(tmp_path), "--out", tmp_path / "out/csv") == engine | {"pandas"}
    seen = ("preview", tmp_path / "out/csv", "--out")
    assert "jinja2" not in loaded_by(*seen, tmp_path / "a.png")
    assert "jinja2" in loaded_by(*seen, tmp_path / "a.html")


def test_help_and_version() -> None:
    out, _ = tfrec("--help")
    assert "convert" in out
    assert "merge-labels" in out
    assert tfrec("--version")[0] == f"tfrec {tfrec_tools.__version__}\n"


def test_a_wrong_command_line_is_exit_code_2() -> None:
    _, err = tfrec("convert", "--nonsense", code=2)
    assert "--nonsense" in err


def test_variables_that_are_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFREC_MERGE_LABELS_OUTT", "x")
    monkeypatch.setenv("TFREC_MERGE_LABELS_NOSUCH", "x")
    monkeypatch.setenv("TFREC_CONVERT_NOSUCH", "x")
    monkeypatch.setenv("TFREC_ZOO", "https://example.org")
    old = write_map(tmp_path / "old.pbtxt", "a")
    _, err = tfrec("merge-labels", old, "--out", tmp_path / "m.pbtxt")
    assert err.splitlines() == [
        "tfrec: warning: TFREC_MERGE_LABELS_NOSUCH is no option of this command",
        (
            "tfrec: warning: TFREC_MERGE_LABELS_OUTT is no option of this command; did you mean "
            "TFREC_MERGE_LABELS_OUT?"
        ),
    ]

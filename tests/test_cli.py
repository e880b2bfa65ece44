"""The command line: exit codes, one line for each fault, what is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import tfrec_tools
from tests.small_sets import csv, save_pictures, voc
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map


def tfrec(*words, cwd=None, code=0):
    """Runs the command in a process of its own; what it prints to stdout and stderr."""
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tfrec_tools", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def fault(*words, cwd=None):
    """The one line that a command fails with."""
    out, err = tfrec(*words, cwd=cwd, code=1)
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("tfrec: error: ")
    return err.removeprefix("tfrec: error: ").rstrip()


def write_map(path, *names):
    path.write_text(format_label_map(from_names(names)), encoding="utf-8")
    return path


HEAVY = ("apache_beam", "tensorflow", "keras", "pandas", "lxml", "msgspec", "PIL", "numpy")
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


def loaded_by(*words):
    """Which of HEAVY a command imports."""
    program = SPY.format(words=[str(word) for word in words], heavy=HEAVY)
    out = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    return set(out.splitlines()[-1].split()[1:])


def test_commands_import_only_what_they_need(tmp_path):
    save_pictures(tmp_path / "images")
    old, new = write_map(tmp_path / "old.pbtxt", "a"), write_map(tmp_path / "new.pbtxt", "b")
    assert loaded_by("--help") == loaded_by("--version") == loaded_by("convert", "--help") == set()
    assert loaded_by("remap", "--help") == set()
    assert loaded_by("merge-labels", old, new, "--out", tmp_path / "m.pbtxt") == set()
    assert loaded_by("merge-labels", old, "--out", tmp_path / "m.json") == set()
    engine = {"msgspec", "PIL", "numpy"}
    assert loaded_by("convert", voc(tmp_path), "--out", tmp_path / "out/voc") == engine | {"lxml"}
    assert loaded_by("convert", csv(tmp_path), "--out", tmp_path / "out/csv") == engine | {"pandas"}


def test_help_and_version():
    out, _ = tfrec("--help")
    assert "convert" in out
    assert "merge-labels" in out
    assert tfrec("--version")[0] == f"tfrec {tfrec_tools.__version__}\n"


def test_a_wrong_command_line_is_exit_code_2():
    _, err = tfrec("convert", "--nonsense", code=2)
    assert "--nonsense" in err

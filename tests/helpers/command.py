"""The command in a process of its own, and label maps for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map


def tfrec(*words: object, cwd: Path | None = None, code: int = 0, encoding: str = "utf-8") -> tuple[str, str]:
    """Runs the command in a process of its own; what it prints to stdout, and to stderr besides progress."""
    environment = os.environ | {"COLUMNS": "400", "NO_COLOR": "1"}  # no path makes a line go on in the next
    done = subprocess.run(
        [sys.executable, "-m", "tfrec_tools", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        encoding=encoding,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, without_progress(done.stderr)


def fault(*words: object, cwd: Path | None = None) -> str:
    """The one line that a command fails with."""
    out, err = tfrec(*words, cwd=cwd, code=1)
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("tfrec: error: ")
    return err.removeprefix("tfrec: error: ").rstrip()


def without_progress(stderr: str) -> str:
    """Without the lines that a command says where it takes seconds, as on a busy machine."""
    meanwhile, over = (
        r"(reading .*|[a-zA-Z ,]+)( [.]{3}|: \d+( of \d+)?)( .*)?",
        r"(?!tfrec: )[a-z].*: ([\d,]+ in )?\d+[.]\d s",
    )
    return re.sub(rf"^({meanwhile}|{over})\n", "", stderr, flags=re.MULTILINE)


def write_map(path: Path, *names: str) -> Path:
    path.write_text(format_label_map(from_names(names)), encoding="utf-8")
    return path

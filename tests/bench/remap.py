"""`tfrec remap` beside a plain copy of the same record files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LEAST_SPEED = 0.5  # of the copy's


def commands(source: Path) -> dict[str, list[str]]:
    """The words of each command on the records of a COCO source, which are made unless they are there; the
    output comes last."""
    folder = source.parent / "records"
    merged = source.parent / "merged.pbtxt"
    if not merged.exists():
        words = ["convert", str(source), "--images", str(source.parent / "images"), "--overwrite"]
        _tfrec(*words, "--out", str(folder / "set"))
        _tfrec("merge-labels", str(folder / "set"), "--rename", "class 03=third", "--out", str(merged))
    remap = ["remap", str(folder / "set"), "--labels", str(merged), "--out"]
    return {"copy": ["cp", "-r", str(folder)], "remap": [sys.executable, "-m", "tfrec_tools", *remap]}


def _tfrec(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tfrec_tools", *words], stdout=subprocess.DEVNULL, check=True)

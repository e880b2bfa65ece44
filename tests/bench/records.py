"""The records of a COCO source of `generate`, for what reads records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def made(source: Path) -> Path:
    """The folder of the records, which are made unless they are there."""
    folder = source.parent / "records"
    if not folder.exists():
        words = ["convert", str(source), "--images", str(source.parent / "images"), "--overwrite"]
        tfrec(*words, "--out", str(folder / "set"))
    return folder


def pattern(folder: Path) -> str:
    return str(folder / "set-*")


def tfrec(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tfrec_tools", *words], stdout=subprocess.DEVNULL, check=True)

"""`tfrec remap` beside a plain copy of the same record files."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench import records

LEAST_SPEED = 0.5  # of the copy's


def commands(source: Path) -> dict[str, list[str]]:
    """The words of each command on the records of a COCO source, which are made unless they are there; the
    output comes last."""
    folder = records.made(source)
    merged = source.parent / "merged.pbtxt"
    if not merged.exists():
        records.tfrec("merge-labels", str(folder / "set"), "--rename", "class 03=third", "--out", str(merged))
    remap = ["remap", str(folder / "set"), "--labels", str(merged), "--no-fsync", "--out"]
    return {"copy": ["cp", "-r", str(folder)], "remap": [sys.executable, "-m", "tfrec_tools", *remap]}

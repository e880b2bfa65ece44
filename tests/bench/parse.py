"""Reading of a format beside the minimal loop of tests/bench/loops.py: seconds on a core, without imports,
and the peak of memory, each in a process of its own."""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.loops import LOOPS
from tests.bench.scenes import BOXES, WRITERS

MOST_CPU = 1.5  # times the minimal loop's
IMAGES = {"voc": 5000, "csv": 200_000 // BOXES, "yolo": 20_000, "cvat": 200_000, "labelme": 5000}
_COLLECT_EVERY = 100_000  # new objects, as the command has it; for both
Measured = dict[str, float]


def main(kind: str, folder: Path, images: int | None, runs: int) -> tuple[float, float]:
    """Returns how many times the minimal loop's CPU and memory ours took, the least of several runs each, by
    turns."""
    images = images or IMAGES[kind]
    source = _source(kind, folder / f"{kind}-{images}", images)
    least: dict[str, Measured] = {}
    for _ in range(runs):
        for who in ("minimal", "ours"):
            found = _measured(who, kind, source)
            least[who] = min(least.get(who, found), found, key=lambda one: one["cpu"])
    if least["ours"]["boxes"] != least["minimal"]["boxes"]:
        raise SystemExit(f"{kind}: the loop found other boxes than the reader: {least}")
    for who, of in least.items():
        print(
            f"{kind:8} {images} images {who:8} {of['wall']:7.2f} s wall {of['cpu']:7.2f} s CPU "
            f"{1e6 * of['cpu'] / images:6.1f} us/image {of['peak_mb']:6.0f} MB"
        )
    ours, minimal = least["ours"], least["minimal"]
    return ours["cpu"] / minimal["cpu"], ours["peak_mb"] / minimal["peak_mb"]


def _source(kind: str, folder: Path, images: int) -> Path:
    """The source, made unless it is there."""
    note = folder / "source.json"
    data = folder / "data"
    if not note.exists():
        data.mkdir(parents=True)
        note.write_text(json.dumps(str(WRITERS[kind](data, images).relative_to(data))))
    return data / str(json.loads(note.read_text()))


def _measured(who: str, kind: str, source: Path) -> Measured:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.parse", who, kind, source], check=True, capture_output=True
    )
    found: Measured = json.loads(done.stdout)
    return found


def _run(who: str, kind: str, source: Path) -> Measured:
    import lxml.etree
    import numpy  # noqa: F401
    import pandas  # noqa: F401

    from tfrec_tools.formats import registry

    assert lxml.etree
    gc.set_threshold(_COLLECT_EVERY)
    wall, cpu = time.perf_counter(), time.process_time()
    if who == "ours":
        boxes = sum(len(record.names) for record in registry.read(source, kind).records)
    else:
        boxes = sum(len(of_image) for _, of_image in LOOPS[kind](source))
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return spent | {"boxes": boxes, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))

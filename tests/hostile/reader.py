"""`python -m tests.hostile.reader FOLDER`: reads each FOLDER/KIND/FILE within limits of time and memory; a
line of JSON for each, [its name, what came of it, how long that is]."""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FrameType

from tfrec_tools.dataset.manifest import read_manifest
from tfrec_tools.detector.config.read import read_pipeline
from tfrec_tools.errors import TfrecError
from tfrec_tools.formats import (
    automl,
    coco,
    createml,
    csv_parts,
    csv_rows,
    cvat,
    dota,
    huggingface,
    kitti,
    labelme,
    labelstudio,
    labelstudio_csv,
    open_images,
    supervisely,
    via,
    via_csv,
    voc,
    vott,
    yolo,
)
from tfrec_tools.formats.classes import read_classes
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.system.toml_options import read_options

MEMORY_BYTES = 2_000_000_000
CPU_S = 120
SECONDS = 10.0
_LIBRARIES = ("lxml.etree", "pandas", "PIL.Image", "yaml")  # that readers import when they need them


def _blocks(path: Path) -> list[frozenset[str]]:
    return [csv_parts.read(path, block).classes for block in csv_parts.blocks(path, ReadOptions())]


READERS: dict[str, Callable[[Path], object]] = {
    "classes": read_classes,
    "coco": lambda path: coco.read(path).classes,
    "cvat": lambda path: [record.boxes_xyxy.tolist() for record in cvat.read(path).records],
    "kitti": lambda path: kitti.read(path).classes,
    "dota": lambda path: dota.read(path).classes,
    "csv": lambda path: csv_rows.read(path).classes,
    "csv_blocks": _blocks,
    "labelme": lambda path: labelme.read(path).classes,
    "labelstudio": lambda path: labelstudio.read(path).classes,
    "via": lambda path: via.read(path).classes,
    "vott": lambda path: vott.read(path).classes,
    "createml": lambda path: createml.read(path).classes,
    "huggingface": lambda path: huggingface.read(path).classes,
    "supervisely": lambda path: supervisely.read(path).classes,
    "csv_cells": lambda path: csv_rows.read(path, ReadOptions(box_format="xywh")).classes,
    "labelstudio_csv": lambda path: labelstudio_csv.read(path).classes,
    "via_csv": lambda path: via_csv.read(path).classes,
    "automl": lambda path: automl.read(path).classes,
    "class_descriptions": open_images.class_names,
    "image_labels": lambda path: open_images.labeled_by_image(path, {"stall_1": frozenset()}, {}),
    "voc": lambda path: [record.boxes_xyxy.tolist() for record in voc.read(path).records],
    "yolo": lambda path: yolo.read(path).classes,
    "manifest": read_manifest,
    "config": read_pipeline,
    "options": read_options,
}


def outcome(read: Callable[[], object]) -> tuple[str, str]:
    """Returns "read", "refused" or the name of what was not foreseen, and what it says."""
    try:
        return "read", repr(read())
    except TfrecError as fault:
        return "refused", str(fault)
    except BaseException as fault:
        return type(fault).__name__, str(fault)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"took more than {SECONDS:g} s")


def limit() -> None:
    """Gives this process limits of memory and of time; alarms by the clock (ITIMER_REAL) and by CPU time
    (ITIMER_PROF) stop what is read. What readers import is loaded before: on a busy machine that alone may
    take as long, and an alarm in it leaves half a library behind, which crashes later (pandas: SIGSEGV)."""
    for library in _LIBRARIES:
        import_module(library)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    signal.signal(signal.SIGALRM, _stop)
    signal.signal(signal.SIGPROF, _stop)


def main(folder: Path) -> None:
    limit()
    for path in sorted(folder.glob("*/*")):
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        read = READERS[path.parent.name]
        came, text = outcome(partial(read, path))
        signal.setitimer(signal.ITIMER_REAL, 0)
        name = path.relative_to(folder).as_posix()
        sys.stdout.write(json.dumps([name, came, text[:300], len(text)]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

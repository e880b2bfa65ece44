"""Annotation formats: each module reads one into a Source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco, csv_rows, tfod, voc, yolo, yolo_layout
from tfrec_tools.formats.options import DEFAULT, ReadOptions

READERS: dict[str, Callable[[Path, ReadOptions], Source]] = {
    "coco": coco.read,
    "voc": voc.read,
    "csv": csv_rows.read,
    "yolo": yolo.read,
    "tfrecord": tfod.read,
}

_BY_SUFFIX = {
    ".json": "coco",
    ".xml": "voc",
    ".csv": "csv",
    ".tsv": "csv",
    ".yaml": "yolo",
    ".yml": "yolo",
    ".names": "yolo",
}


def read(path: Path, kind: str | None = None, options: ReadOptions = DEFAULT) -> Source:
    """A source in a format, which is detected where none is named."""
    return READERS[kind or detect(path)](path, options)


def detect(path: Path) -> str:
    """The key of READERS for a file, folder or set DIR/NAME of shards; InputError where nothing fits."""
    if path.is_dir():
        return _detect_folder(path)
    if shards.is_record_file(path) or (not path.exists() and shards.set_files(path)):
        return "tfrecord"
    if not path.exists():
        raise InputError(path, "no such file or folder")
    if path.suffix.lower() not in _BY_SUFFIX:
        known = ", ".join(_BY_SUFFIX)
        raise InputError(
            path,
            f"its format is unclear from {path.suffix!r}, expected {known} or TFRecords; or say --format",
        )
    return _BY_SUFFIX[path.suffix.lower()]


def _detect_folder(path: Path) -> str:
    if any(shards.is_record_file(file) for file in path.iterdir()):
        return "tfrecord"
    own = yolo_layout.names_file(path)
    if own is not None and own.is_relative_to(path):
        return "yolo"
    if voc.annotation_files(path):
        return "voc"
    if own is not None:
        return "yolo"
    raise InputError(
        path,
        "a folder without .xml files, names of YOLO classes or TFRecords; expected one of those, or a COCO "
        ".json or a .csv file",
    )


def images_folder(path: Path) -> Path:
    """Where a source's images are when nobody says: the folder JPEGImages or images in the source's own
    folder or beside it, else the source's own folder."""
    own = path if path.is_dir() else path.parent
    nearby = [parent / name for parent in (own, own.resolve().parent) for name in ("JPEGImages", "images")]
    return next((folder for folder in nearby if folder.is_dir()), own)

"""Annotation formats: each module reads one into a Source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco, csv_rows, voc
from tfrec_tools.records import Source

READERS: dict[str, Callable[[Path], Source]] = {
    "coco": coco.read,
    "voc": voc.read,
    "csv": csv_rows.read,
}

_BY_SUFFIX = {".json": "coco", ".xml": "voc", ".csv": "csv"}


def detect(path: Path) -> str:
    """The key of READERS for a file or folder; InputError where nothing fits."""
    if not path.exists():
        raise InputError(path, "", "no such file or folder")
    if path.is_dir():
        if voc.annotation_files(path):
            return "voc"
        raise InputError(
            path, "", "a folder without .xml files; expected Pascal VOC, or a COCO .json or a .csv file"
        )
    if path.suffix.lower() not in _BY_SUFFIX:
        known = ", ".join(_BY_SUFFIX)
        raise InputError(
            path, "", f"its format is unclear from {path.suffix!r}, expected {known}; say it with --format"
        )
    return _BY_SUFFIX[path.suffix.lower()]


def images_folder(path: Path) -> Path:
    """Where a source's images are when nobody says: the folder JPEGImages or images in the source's own
    folder or beside it, else the source's own folder."""
    own = path if path.is_dir() else path.parent
    nearby = [parent / name for parent in (own, own.resolve().parent) for name in ("JPEGImages", "images")]
    return next((folder for folder in nearby if folder.is_dir()), own)

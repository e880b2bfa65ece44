"""Annotation formats: each module reads one into a Source, and is imported when it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.system.regular_files import require_regular


def _coco(path: Path, options: ReadOptions) -> Source:
    from tfrec_tools.formats import coco

    return coco.read(path, options)


def _voc(path: Path, options: ReadOptions) -> Source:
    from tfrec_tools.formats import voc

    return voc.read(path, options)


def _csv(path: Path, options: ReadOptions) -> Source:
    from tfrec_tools.formats import csv_rows

    return csv_rows.read(path, options)


def _yolo(path: Path, options: ReadOptions) -> Source:
    from tfrec_tools.formats import yolo

    return yolo.read(path, options)


def _tfrecord(path: Path, options: ReadOptions) -> Source:
    from tfrec_tools.formats import tfod

    return tfod.read(path, options)


READERS: dict[str, Callable[[Path, ReadOptions], Source]] = {
    "coco": _coco,
    "voc": _voc,
    "csv": _csv,
    "yolo": _yolo,
    "tfrecord": _tfrecord,
}

_TITLES = {"coco": "COCO", "voc": "Pascal VOC", "csv": "CSV", "yolo": "YOLO", "tfrecord": "TFRecords"}
_ONE_FILE = ("coco", "csv")  # a source is one file of these

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
    """Returns a source in a format, which is detected where none is named."""
    require_regular(path)
    return READERS[kind or detect(path, options.writes)](path, options)


def detect(path: Path, writes: Path | None = None) -> str:
    """Returns the key of READERS for a file, folder or set DIR/NAME of shards; raises InputError where
    nothing fits, or where a folder holds annotations in several formats. The set DIR/NAME that is being
    written is left out of account."""
    require_regular(path)
    if path.is_dir():
        return _detect_folder(path, writes)
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


def _detect_folder(path: Path, writes: Path | None) -> str:
    from tfrec_tools.formats import evidence

    found = evidence.strong(path, writes)
    if len(found) > 1:
        listed = " and ".join(
            f"{_TITLES[kind]} ({file.relative_to(path)})" for kind, file in sorted(found.items())
        )
        flags = " or ".join(f"--format {kind}" for kind in sorted(found) if kind not in _ONE_FILE)
        one_file = " or name the file" if any(kind in _ONE_FILE for kind in found) else ""
        raise InputError(path, f"holds annotations as {listed}; choose by {flags or '--format'}{one_file}")
    kind = next(iter(found), "")
    if kind in _ONE_FILE:
        file = found[kind].relative_to(path)
        raise InputError(
            path, f"is a folder with annotations as {_TITLES[kind]}; name the file, such as {file}"
        )
    kind = kind or next(iter(evidence.weak(path)), "")
    if not kind:
        raise InputError(
            path,
            "a folder without .xml files, names of YOLO classes or TFRecords; expected one of those, or a "
            "COCO .json or a .csv file",
        )
    return kind


def images_folder(path: Path) -> Path:
    """Returns where a source's images are when nobody says: the folder JPEGImages, images or another of such
    a name in the source's own folder or beside it, else the source's own folder."""
    own = path if path.is_dir() else path.parent
    parents = (own, own.resolve().parent)
    nearby = [parent / name for parent in parents for name in ("JPEGImages", "images")]
    usual = next((folder for folder in nearby if folder.is_dir()), None)
    return usual or next((folder for parent in parents for folder in _of_images(parent)), own)


def _of_images(parent: Path) -> list[Path]:
    """Returns the folders in a folder that are called as those of images are."""
    from tfrec_tools.formats.yolo_places import names_images

    named = sorted(entry for entry in parent.iterdir() if names_images(entry.name))
    return [entry for entry in named if entry.is_dir()]

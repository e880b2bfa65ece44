"""Which annotations a folder holds: evidence for every format, from what stands in its files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_columns, yolo_layout
from tfrec_tools.formats.yolo_search import has_rows
from tfrec_tools.system.litter import sifted
from tfrec_tools.system.regular_files import open_binary
from tfrec_tools.system.remote_path import files_below

_SNIFFED = 1 << 16  # bytes of a file, at its beginning and at its end
_MOST = 100  # files of a kind that are opened; if none of them is evidence, the rest is none either
_VOC = re.compile(rb"<annotation[\s>]")
_COCO = re.compile(rb'"(?:annotations|images)"\s*:\s*\[')
_COCO_PARTS = re.compile(rb'"(?:bbox|file_name|image_id|segmentation)"')


def strong(folder: Path, writes: Path | None = None) -> dict[str, Path]:
    """Returns {format: a file of it} of all annotations in a folder or below; TFRecords in itself alone.

    writes   DIR/NAME of a set that is being written: it is no evidence. That another set was written here is
             none either where there is anything else
    """
    files, _ = sifted(files_below(folder), folder)
    found: dict[str, Path] = {}
    for kind, (suffixes, is_one) in _KINDS.items():
        likely = [file for file in files if file.suffix.lower() in suffixes][:_MOST]
        if (one := next((file for file in likely if is_one(file)), None)) is not None:
            found[kind] = one
    records = shards.files_in(folder, writes)
    foreign = [file for file in records if not _is_ours(file)]
    if foreign or (records and not found):
        found["tfrecord"] = (foreign or records)[0]
    return found


def weak(folder: Path) -> dict[str, Path]:
    """Returns {format: a file that has its name}, whatever stands in it."""
    files, _ = sifted(files_below(folder), folder)
    found = {}
    if (names := yolo_layout.names_file(folder)) is not None and names.is_relative_to(folder):
        found["yolo"] = names
    if (xml := next((file for file in files if file.suffix.lower() == ".xml"), None)) is not None:
        found["voc"] = xml
    if not found and names is not None:
        found["yolo"] = names
    return found


def _is_ours(file: Path) -> bool:
    """Returns whether a file is a shard of a finished set that tfrec wrote."""
    try:
        return shards.manifest_of(file) is not None
    except InputError:  # left from an older set
        return True


def _is_voc(file: Path) -> bool:
    return _VOC.search(_ends(file)) is not None


def _is_coco(file: Path) -> bool:
    data = _ends(file)
    return _COCO.search(data) is not None and _COCO_PARTS.search(data) is not None


def _is_csv(file: Path) -> bool:
    try:
        csv_columns.layout(file, {})
    except (InputError, OSError):
        return False
    return True


def _ends(file: Path) -> bytes:
    """Returns what a file begins and ends with; nothing of one that cannot be read."""
    try:
        with open_binary(file) as opened:
            begins = bytes(opened.read(_SNIFFED))
            if (size := file.stat().st_size) > _SNIFFED:
                opened.seek(max(_SNIFFED, size - _SNIFFED))
                return begins + bytes(opened.read(_SNIFFED))
            return begins
    except OSError:
        return b""


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Path], bool]]] = {
    "voc": ((".xml",), _is_voc),
    "yolo": ((".txt",), has_rows),
    "coco": ((".json",), _is_coco),
    "csv": ((".csv", ".tsv"), _is_csv),
}

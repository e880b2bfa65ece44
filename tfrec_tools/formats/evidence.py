"""Which annotations a folder or a file holds: evidence for every format, from what stands in its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats import foreign
from tfrec_tools.formats.table import FORMATS
from tfrec_tools.system.litter import sifted
from tfrec_tools.system.remote_path import files_below

_MOST = 100  # files of a kind that are opened; if none of them is evidence, the rest is none either
_BY_SUFFIX = {
    ".yaml": "yolo",
    ".yml": "yolo",
    ".names": "yolo",
    ".labels": "yolo",
}  # files that name a source, and are none


def of_file(file: Path) -> list[str]:
    """Returns the formats that a file shows; where it shows none, the first one of its suffix, if any, whose
    reader says what is wrong. Of JSON that is only where it has something of COCO."""
    suffix = file.suffix.lower()
    if suffix in _BY_SUFFIX:
        return [_BY_SUFFIX[suffix]]
    likely = [kind for kind, form in FORMATS.items() if form.of_file and suffix in form.suffixes]
    if len(likely) == 1:
        return likely
    shown: list[str] = []
    for kind in likely:
        if FORMATS[kind].shows(file):
            if FORMATS[kind].is_certain:
                return [kind]
            shown.append(kind)
    if shown or suffix not in foreign.SUFFIXES:
        return shown or likely[:1]
    return ["coco"] if suffix == ".json" and foreign.is_partly_coco(file) else []


def suffixes() -> list[str]:
    """Returns the suffixes of files that can be sources by themselves."""
    of_files = (suffix for form in FORMATS.values() if form.of_file for suffix in form.suffixes)
    return list(dict.fromkeys((*of_files, *_BY_SUFFIX)))


def titles(suffix: str) -> list[str]:
    """Returns the titles of the formats that files of a suffix may be in."""
    return [form.title for form in FORMATS.values() if suffix in form.suffixes]


def strong(folder: Path, writes: Path | None = None) -> dict[str, Path]:
    """Returns {format: a file of it} of all annotations in a folder or below; TFRecords in itself alone.

    writes   DIR/NAME of a set that is being written: it is no evidence. That another set was written here is
             none either where there is anything else
    """
    files, _ = sifted(files_below(folder), folder)
    found: dict[str, Path] = {}
    for kind, form in FORMATS.items():
        likely = _spread([file for file in files if file.suffix.lower() in form.suffixes])
        if (first := next(filter(form.shows, likely[:_MOST]), None)) is not None:
            found[kind] = first
    records = shards.files_in(folder, writes)
    foreign = [file for file in records if not _is_ours(file)]
    if foreign or (records and not found):
        found["tfrecord"] = (foreign or records)[0]
    return found


def files_of(folder: Path, kind: str) -> list[Path]:
    """Returns the files in a folder or below that show a format."""
    files, _ = sifted(files_below(folder), folder)
    form = FORMATS[kind]
    return [file for file in files if file.suffix.lower() in form.suffixes and form.shows(file)]


def _spread(files: Sequence[Path]) -> list[Path]:
    """Returns files so that the first of each folder come first: thousands of one kind (KITTI's calibrations)
    may lie before all others."""
    seen = Counter[Path]()
    ranks = []
    for file in files:
        ranks.append(seen[file.parent])
        seen[file.parent] += 1
    return [files[i] for i in sorted(range(len(files)), key=ranks.__getitem__)]


def weak(folder: Path) -> dict[str, Path]:
    """Returns {format: a file that has its name}, whatever stands in it."""
    from tfrec_tools.formats import yolo_layout

    files, _ = sifted(files_below(folder), folder)
    found = {}
    if (names := yolo_layout.names_file(folder)) is not None and names.is_relative_to(folder):
        found["yolo"] = names
    if (xml := next((file for file in files if file.suffix.lower() == ".xml"), None)) is not None:
        found["voc"] = xml
    if not found and names is not None:
        found["yolo"] = names
    return found


def likely(folder: Path) -> Path | None:
    """Returns the first file in a folder or below that could be a source by its suffix; None where there is
    none."""
    files, _ = sifted(files_below(folder), folder)
    known = suffixes()
    return next((file for file in _spread(files) if file.suffix.lower() in known), None)


def _is_ours(file: Path) -> bool:
    """Returns whether a file is a shard of a finished set that tfrec wrote."""
    try:
        return shards.manifest_of(file) is not None
    except InputError:  # left from an older set
        return True

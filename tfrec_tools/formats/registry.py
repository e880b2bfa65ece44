"""A source of annotations, read in the format that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats import evidence
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.table import FORMATS
from tfrec_tools.formats.yolo_places import names_images
from tfrec_tools.system.regular_files import require_regular


def read(path: Path, kind: str | None = None, options: ReadOptions = DEFAULT) -> Source:
    """Returns a source in a format, which is detected where none is named."""
    require_regular(path)
    kind = kind or detect(path, options.writes)
    source = FORMATS[kind].read(path, options)
    return replace(source, issues=(*maskless(path, kind, options), *source.issues))


def maskless(path: Path, kind: str, options: ReadOptions) -> tuple[Issue, ...]:
    """Returns the issue of a source whose masks were asked for and are not read."""
    form = FORMATS[kind]
    if not (options.masks and form.maskless):
        return ()
    message = f"--masks: {form.title} is read without masks: {form.maskless}"
    return (Issue("annotation-unread", readable(path.name), None, message, False),)


def detect(path: Path, writes: Path | None = None) -> str:
    """Returns the key of FORMATS for a file, folder or set DIR/NAME of shards; raises InputError where
    nothing fits, or where a folder holds annotations in several formats. The set DIR/NAME that is being
    written is left out of account."""
    require_regular(path)
    if path.is_dir():
        return _detect_folder(path, writes)
    if shards.is_record_file(path) or (not path.exists() and shards.set_files(path)):
        return "tfrecord"
    if not path.exists():
        raise InputError(path, "no such file or folder")
    kinds = evidence.of_file(path)
    if len(kinds) != 1:
        raise InputError(path, _unclear(path, kinds))
    return kinds[0]


def _unclear(path: Path, kinds: Sequence[str]) -> str:
    if kinds:
        listed = " and as ".join(FORMATS[kind].title for kind in kinds)
        return f"can be read as {listed}; choose by {' or '.join(f'--format {kind}' for kind in kinds)}"
    known = ", ".join(evidence.suffixes())
    return f"its format is unclear from {path.suffix!r}, expected {known} or TFRecords; or say --format"


def _detect_folder(path: Path, writes: Path | None) -> str:
    found = evidence.strong(path, writes)
    if len(found) > 1:
        listed = " and ".join(
            f"{FORMATS[kind].title} ({file.relative_to(path)})" for kind, file in sorted(found.items())
        )
        flags = " or ".join(f"--format {kind}" for kind in sorted(found) if FORMATS[kind].of_folder)
        one_file = " or name the file" if not all(FORMATS[kind].of_folder for kind in found) else ""
        raise InputError(path, f"holds annotations as {listed}; choose by {flags or '--format'}{one_file}")
    kind = next(iter(found), "")
    if kind and not FORMATS[kind].of_folder:
        file = found[kind].relative_to(path)
        raise InputError(
            path, f"is a folder with annotations as {FORMATS[kind].title}; name the file, such as {file}"
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
    """Returns where a source's images are when nobody says: the folder JPEGImages, images, image_2 (KITTI's)
    or another of such a name in the source's own folder or beside it, else the source's own folder."""
    own = path if path.is_dir() else path.parent
    parents = (own, own.resolve().parent)
    nearby = [parent / name for parent in parents for name in ("JPEGImages", "images", "image_2")]
    usual = next((folder for folder in nearby if folder.is_dir()), None)
    return usual or next((folder for parent in parents for folder in _of_images(parent)), own)


def _of_images(parent: Path) -> list[Path]:
    """Returns the folders in a folder that are called as those of images are."""
    named = sorted(entry for entry in parent.iterdir() if names_images(entry.name))
    return [entry for entry in named if entry.is_dir()]

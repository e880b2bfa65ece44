"""A source of annotations, read in the format that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats import evidence, foreign, parts
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.parts import Part
from tfrec_tools.formats.table import FORMATS
from tfrec_tools.images.loading import has_image_suffix
from tfrec_tools.system.regular_files import require_regular
from tfrec_tools.system.remote_path import files_below

_FLAGS = {"label_map": "record_labels"}  # of ReadOptions' fields that are called otherwise


@dataclass(frozen=True, slots=True)
class Layout:
    """A source as it lies on the disk, whose files were looked into: its format, its parts, if it has some,
    and an issue for each file that is none of them."""

    path: Path
    kind: str
    parts: tuple[Part, ...]
    left_out: tuple[Issue, ...]


def laid_out(path: Path, kind: str | None = None, writes: Path | None = None) -> Layout:
    """Returns how a source of a format lies, which is detected where none is named. Raises InputError where
    it is unclear which of a folder's files are meant.

    writes   DIR/NAME of a set that is being written, which is left out of account
    """
    require_regular(path)
    kind = kind or detect(path, writes)
    return Layout(path, kind, *_parts(path, kind, writes))


def read(path: Path, kind: str | None = None, options: ReadOptions = DEFAULT) -> Source:
    """Returns a source in a format, which is detected where none is named."""
    return read_layout(laid_out(path, kind, options.writes), options)


def read_layout(layout: Layout, options: ReadOptions = DEFAULT) -> Source:
    """Returns a source. A folder of a format whose sources are files is read as the only file in it, or as
    parts that are called after splits."""
    path, kind, pieces = layout.path, layout.kind, layout.parts
    form = FORMATS[kind]
    if len(pieces) < 2:
        source = form.read(pieces[0].path if pieces else path, options)
    else:
        sources = [form.read(part.path, options) for part in pieces]
        source = parts.joined(path, pieces, sources, form.lists_classes)
    return replace(source, issues=(*maskless(path, kind, options), *layout.left_out, *source.issues))


def maskless(path: Path, kind: str, options: ReadOptions) -> tuple[Issue, ...]:
    """Returns the issue of a source whose masks were asked for and are not read."""
    form = FORMATS[kind]
    if not (options.masks and form.maskless):
        return ()
    message = f"--masks: {form.title} is read without masks: {form.maskless}"
    return (Issue("annotation-unread", readable(path.name), None, message, False),)


def require_read(kinds: Sequence[str], options: ReadOptions) -> None:
    """Raises InputError where an option was given that none of the sources' formats reads."""
    for name in dict.fromkeys(chain.from_iterable(form.options for form in FORMATS.values())):
        given = getattr(options, name) != getattr(DEFAULT, name)
        if given and not any(name in FORMATS[kind].options for kind in kinds):
            found = ", ".join(dict.fromkeys(FORMATS[kind].title for kind in kinds))
            expected = " or ".join(form.title for form in FORMATS.values() if name in form.options)
            flag = f"--{_FLAGS.get(name, name).replace('_', '-')}"
            reason = f"is not read of {found}, expected {expected}"
            raise InputError(flag, f"{reason}; leave it out, or say --format where that was detected wrongly")


def _parts(path: Path, kind: str, writes: Path | None) -> tuple[tuple[Part, ...], tuple[Issue, ...]]:
    """Returns the parts of a source that has some, and an issue for each file that is none of them. Raises
    InputError where it is unclear which of a folder's files are meant."""
    if not path.is_dir():
        return (), ()
    if kind == "tfrecord":
        return () if shards.files_in(path, writes) else parts.parts_of(path, _record_folders(path)), ()
    if FORMATS[kind].of_folder:
        return (), ()
    files, left_out = parts.without_other_tasks(kind, evidence.files_of(path, kind))
    if not files:
        raise InputError(path, f"holds no file of {FORMATS[kind].title}")
    if pieces := parts.parts_of(path, files):
        return pieces, left_out
    listed = ", ".join(str(file.relative_to(path)) for file in files[:5])
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    holds = f"holds {len(files)} files of {FORMATS[kind].title} ({listed}{more})"
    raise InputError(path, f"{holds}, and nothing says which belong together; name those that are to be read")


def _record_folders(path: Path) -> list[Path]:
    """Returns the folders in a folder that hold record files."""
    folders = (item for item in sorted(path.iterdir()) if item.is_dir() and not item.name.startswith("."))
    return [folder for folder in folders if shards.files_in(folder)]


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
    if not kinds and (suffix := path.suffix.lower()) in foreign.SUFFIXES:
        raise foreign.unrecognised(path, evidence.titles(suffix))
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
    kind = next(iter((*found, *evidence.weak(path))), "")
    if not kind and parts.parts_of(path, _record_folders(path)):
        return "tfrecord"
    if not kind:
        listed = ", ".join(form.title for form in FORMATS.values())
        likely = evidence.likely(path)
        hint = f"; name {likely} to be told why it is none of these" if likely else ""
        raise InputError(
            path, f"is a folder in which no annotations are found, expected those of {listed}{hint}"
        )
    return kind


def images_folder(layout: Layout) -> Path:
    """Returns where the images of a source are when nobody says: the folder JPEGImages, images, image_2
    (KITTI's) or another of such a name in the source's own folder, or in one between that and the folder that
    was named; else whichever of these holds images; else such a folder beside it. The images of a source of
    parts are below it, or in such a folder beside it."""
    path, pieces = layout.path, layout.parts
    if len(pieces) > 1:
        return path if _holds_images(path) else _nearby(path.resolve().parent) or path
    file = pieces[0].path if pieces else path
    if not path.is_dir():
        return _nearby(file.parent) or _nearby(file.parent.resolve().parent) or file.parent
    own = file if file.is_dir() else file.parent
    folders = [own, *(folder for folder in own.parents if folder.is_relative_to(path))]
    named = next(filter(None, map(_nearby, folders)), None)
    return named or next(filter(_holds_images, folders), None) or _nearby(path.resolve().parent) or path


def _nearby(parent: Path) -> Path | None:
    named = (parent / name for name in ("JPEGImages", "images", "image_2"))
    return next((folder for folder in (*named, *_of_images(parent)) if folder.is_dir()), None)


def _holds_images(path: Path) -> bool:
    """Returns whether there are images in a folder or below."""
    return any(has_image_suffix(file.name) for file in files_below(path))


def _of_images(parent: Path) -> list[Path]:
    """Returns the folders in a folder that are called as those of images are."""
    from tfrec_tools.formats.yolo_places import names_images

    named = sorted(entry for entry in parent.iterdir() if names_images(entry.name))
    return [entry for entry in named if entry.is_dir()]

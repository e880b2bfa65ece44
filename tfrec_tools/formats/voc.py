"""Pascal VOC: an XML file an image, in a folder.

Coordinates are taken as they stand, as TFOD and TFDS take them; the VOC devkit counts pixels from 1, so
that with origin 1 xmin and ymin are less by 1 (the maxima are inclusive, and so the same).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord, Source, image_record
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.formats import voc_objects
from tfrec_tools.formats.file_names import annotation_files, names_a_file
from tfrec_tools.formats.flag_words import is_set
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.sniffing import ends
from tfrec_tools.formats.voc_objects import Entry, tag_of
from tfrec_tools.formats.xml_documents import root_of
from tfrec_tools.system.regular_files import read_text

_ROOT = re.compile(rb"<annotation[\s>]")
_OF_CLASS = re.compile(r"\s+-?[01]$")
_DROPPING = ("box-missing", "class-unknown", "annotation-unread")
_CROWDS = ("iscrowd", "is_crowd")  # COCO's, as converters and CVAT call it
_FLAGS = ("difficult", "truncated", "occluded", *_CROWDS)
SPLITS = ("train", "val", "test", "trainval")  # the lists in ImageSets/Main; a later one yields to an earlier


@dataclass(frozen=True, slots=True)
class VocFile:
    """What one file holds: its image (None where the file cannot be used, and `fault` says why), what is odd
    about it, and how many boxes, and objects without one, it has; and how many parts of objects."""

    record: ImageRecord | None
    issues: tuple[Issue, ...]
    found: int
    fault: InputError | None = None
    parts: int = 0


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the XML files anywhere below a folder by path, or a single one. Classes are those that occur,
    in alphabetical order; splits are those of ImageSets/Main.

    A file that cannot be used is an issue that names the line; raises InputError where the only one cannot be
    used, or where there is none.
    """
    files, litter = files_of(path)
    splits, issues = splits_of(path, files)
    read_ = [read_file(path, file, options) for file in files]
    if len(files) == 1 and read_[0].fault is not None:
        raise read_[0].fault
    issues += [issue for child in read_ for issue in child.issues]
    issues += parts_left_out(path, sum(child.parts for child in read_))
    labeled = frozenset(name for child in read_ if child.record for name in child.record.names)
    records = [
        replace(child.record, split=splits.get(file), labeled=labeled)
        for file, child in zip(files, read_, strict=True)
        if child.record is not None
    ]
    dropped = sum((dropped_of(child) for child in read_), Counter[str]())
    unusable = Counter(child.issues[0].code for child in read_ if child.record is None)
    found = sum(child.found for child in read_)
    account = Account(len(files), found, dropped, litter, len(files), unusable)
    return Source(tuple(sorted(labeled)), records, tuple(issues), account)


def dropped_of(file: VocFile) -> Counter[str]:
    """Returns {issue code: how many of a file's boxes and objects did not become a box of its record}."""
    if file.record is None:
        return Counter({file.issues[0].code: file.found}) if file.found else Counter()
    return Counter(issue.code for issue in file.issues if issue.code in _DROPPING and issue.box is None)


def parts_left_out(path: Path, parts: int) -> list[Issue]:
    """Returns the issue of a source whose objects have parts, which are no objects: one for all."""
    if not parts:
        return []
    message = f"{counted(parts, 'part')} of objects left out, as they are no objects"
    return [Issue("parts-left-out", readable(path.name), None, message, True)]


def files_of(path: Path) -> tuple[list[Path], int]:
    """Returns the XML files of a source, and how many files of systems there are beside them. Raises
    InputError where there is none."""
    return annotation_files(path, (".xml",), "Pascal VOC")


def _below(folder: Path, file: Path) -> PurePosixPath:
    """Returns the file's path below the folder (or its subfolder Annotations) that was given."""
    relative = PurePosixPath(file.relative_to(folder).as_posix())
    return relative.relative_to("Annotations") if relative.parts[0] == "Annotations" else relative


def splits_of(path: Path, files: Sequence[Path]) -> tuple[dict[Path, str], list[Issue]]:
    """Returns {file: its split} by the lists in ImageSets/Main beside the folder that the files are in, and
    an issue for each name that is in several."""
    top = path.parent if path.is_file() else path
    splits: dict[Path, str] = {}
    issues: list[Issue] = []
    lists: dict[Path, Mapping[str, str]] = {}
    for file in files:
        folder = _with_lists(top, file.parent)
        if folder is not None:
            if folder not in lists:
                lists[folder], odd = _listed(folder.parent / "ImageSets" / "Main")
                issues += odd
            name = file.relative_to(folder).with_suffix("").as_posix()
            if split := lists[folder].get(name) or lists[folder].get(file.stem):
                splits[file] = split
    return splits, issues


@cache
def _with_lists(top: Path, folder: Path) -> Path | None:
    """Returns the nearest folder, from `folder` up to `top`, that has ImageSets/Main beside it."""
    if (folder.parent / "ImageSets" / "Main").is_dir():
        return folder
    return None if folder == top else _with_lists(top, folder.parent)


def _listed(lists: Path) -> tuple[dict[str, str], list[Issue]]:
    """Returns {name of an annotation without suffix: its split}. The list trainval counts only where it says
    more than train and val."""
    splits: dict[str, str] = {}
    issues = []
    for split in SPLITS:
        path = lists / f"{split}.txt"
        for name in _names_in(_lines(path)):
            earlier = splits.setdefault(name, split)
            if earlier != split and (split != "trainval" or earlier == "test"):
                message = f"{name} is in {earlier}.txt and in {split}.txt"
                issues.append(Issue("split-conflict", path.name, None, message, True))
    return splits, issues


def _names_in(lines: Sequence[str]) -> list[str]:
    """Returns the names of a list, which may have white space in them; without the 1, 0 or -1 that stands
    behind each in a list of the images of a class."""
    names = [line.strip() for line in lines]
    cut = [_OF_CLASS.sub("", name) for name in names]
    return cut if all(short != name for short, name in zip(cut, names, strict=True)) else names


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        return [line for line in read_text(path).splitlines() if line.strip()]
    except UnicodeDecodeError as fault:
        raise InputError(path, f"byte {fault.start} is not UTF-8, expected a list of names") from fault


def read_file(path: Path, file: Path, options: ReadOptions = DEFAULT) -> VocFile:
    """Returns what a file of the source `path` holds."""
    try:
        root = root_of(file, "Pascal VOC's <annotation>")
    except InputError as fault:
        return _unusable(file, "annotation-damaged", fault, _mentioned(file))
    if tag_of(root) != "annotation":
        foreign = InputError(
            readable(str(file)), f"its root is <{root.tag}>, expected Pascal VOC's <annotation>"
        )
        return _unusable(file, "annotation-unread", foreign, voc_objects.counted(root))
    folder = path.parent if path == file else path
    entries, found, parts = voc_objects.entries_of(root)
    record, issues = _record(file, _below(folder, file), root, entries, options)
    return VocFile(record, tuple(issues), found, parts=parts)


def _unusable(file: Path, code: str, fault: InputError, found: int) -> VocFile:
    """Returns a file of which nothing is taken; so its objects are counted under one issue."""
    message = ": ".join(filter(None, (fault.where, fault.reason)))
    return VocFile(None, (Issue(code, readable(str(file)), None, message, False),), found, fault)


def _mentioned(file: Path) -> int:
    """Returns how many boxes a file that is no XML seems to have."""
    try:
        return ByteRange(file).read().lower().count(b"<bndbox")
    except OSError:
        return 0


def _record(
    file: Path, below: PurePosixPath, root: Any, entries: Sequence[Entry], options: ReadOptions
) -> tuple[ImageRecord, list[Issue]]:
    """Returns the image of a file, and an issue for each box or object that is not in it, or was derived."""
    named, issues = _sorted_out(str(below), entries)
    flags, odd = _flags(str(below), named)
    said = voc_objects.fields_of(root).get("filename", "")
    size = voc_objects.size_of(root)
    filename = said if names_a_file(said) else file.stem
    poses = tuple(entry.fields.get("pose", "") for entry, _ in named)
    record = image_record(
        image_id=filename,
        filename=str(below.parent / filename),
        source=str(below),
        width=_size(size, "width"),
        height=_size(size, "height"),
        boxes_xyxy=[_from_origin(entry, options.voc_origin) for entry, _ in named],
        names=tuple(name for _, name in named),
        difficult=flags["difficult"],
        truncated=flags["truncated"],
        occluded=flags["occluded"],
        crowd=list(map(any, zip(*map(flags.__getitem__, _CROWDS), strict=True))),
        poses=poses if any(poses) else (),
        stem=file.stem,
    )
    return record, issues + odd


def _sorted_out(source: str, entries: Sequence[Entry]) -> tuple[list[tuple[Entry, str]], list[Issue]]:
    """Returns the boxes with their class names; and an issue for each that has none, or was derived."""
    named: list[tuple[Entry, str]] = []
    issues: list[Issue] = []
    for entry in entries:
        code, why, box = entry.code, entry.why, None
        name = entry.fields.get("name", "")
        if code != "annotation-unread" and not name:
            code, why = "class-unknown", "an <object> without <name>"
        elif entry.corners is not None:
            box = len(named)
            named.append((entry, name))
        if code:
            of = f"{name}: " if code.startswith("box-") else ""
            message = f"line {entry.line}: {of}{why}"
            issues.append(Issue(code, source, box, message, code != "box-derived"))
    return named, issues


def _flags(source: str, named: Sequence[tuple[Entry, str]]) -> tuple[dict[str, list[bool]], list[Issue]]:
    """Returns {tag: whether each box has the flag}; and an issue for each word where one stands that is
    none."""
    flags: dict[str, list[bool]] = {}
    issues: list[Issue] = []
    for tag in _FLAGS:
        words = [entry.fields.get(tag, "") for entry, _ in named]
        judged = list(map(is_set, words))
        flags[tag] = list(map(bool, judged))
        for box in (box for box, of in enumerate(judged) if of is None) if None in judged else ():
            entry, name = named[box]
            message = f"line {entry.line}: {name}: <{tag}> is {words[box][:60]!r}, expected 0 or 1"
            issues.append(Issue("annotation-unread", source, box, message, False))
    return flags, issues


def _from_origin(entry: Entry, origin: int) -> tuple[float, ...]:
    assert entry.corners is not None
    xmin, ymin, xmax, ymax = entry.corners
    return xmin - origin, ymin - origin, xmax, ymax


def _size(size: Mapping[str, str], name: str) -> int:
    """Returns pixels; 0 where the file does not say, which some tools write as 0 or leave out."""
    try:
        return max(0, int(float(size.get(name, ""))))
    except (ValueError, OverflowError):
        return 0


def shows(file: Path) -> bool:
    """Returns whether an XML file is an annotation of Pascal VOC's."""
    return _ROOT.search(ends(file)) is not None

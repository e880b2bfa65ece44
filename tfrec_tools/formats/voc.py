"""Pascal VOC: an XML file an image, in a folder.

Coordinates are taken as they stand, as TFOD and TFDS take them; the VOC devkit counts pixels from 1, so
that with origin 1 xmin and ymin are less by 1 (the maxima are inclusive, and so the same).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Place, Source, image_record
from tfrec_tools.errors import InputError
from tfrec_tools.formats.options import DEFAULT, ReadOptions

SPLITS = ("train", "val", "test", "trainval")  # the lists in ImageSets/Main; a later one yields to an earlier


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """The XML files of a folder (or of its subfolder Annotations, or anywhere below) by name, or a single
    one. Classes are those that occur, in alphabetical order; splits are those of ImageSets/Main.

    A file that cannot be used is an issue that names the line; InputError where the only one cannot be
    used, or where there is none.
    """
    files = [path] if path.is_file() else annotation_files(path)
    if not files:
        raise InputError(path, "no .xml files found, expected a folder of Pascal VOC annotations")
    splits, issues = splits_of(files[0].parent)
    records = []
    for file in files:
        try:
            record, odd = read_file(path, file, options)
            records.append(replace(record, split=splits.get(file.stem)))
            issues += odd
        except InputError as fault:
            if len(files) == 1:
                raise
            issues.append(damaged(file, fault))
    labeled = frozenset(name for record in records for name in record.names)
    return Source(
        tuple(sorted(labeled)), [replace(record, labeled=labeled) for record in records], tuple(issues)
    )


def annotation_files(folder: Path) -> list[Path]:
    """The folder's XML files by name, or those of its subfolder Annotations where it has none itself, or
    those anywhere below it."""
    for place in (folder, folder / "Annotations"):
        if place.is_dir() and (found := _xml(place.iterdir())):
            return found
    return _xml(folder.rglob("*"))


def _xml(paths: Any) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() == ".xml" and path.is_file())


def _below(folder: Path, file: Path) -> PurePosixPath:
    """The file's path below the folder (or its subfolder Annotations) that was given."""
    relative = PurePosixPath(file.relative_to(folder).as_posix())
    return relative.relative_to("Annotations") if relative.parts[0] == "Annotations" else relative


def splits_of(annotations: Path) -> tuple[dict[str, str], list[Issue]]:
    """{name of an annotation without suffix: its split}, and an issue for each that is in several. The
    list trainval counts only where it says more than train and val."""
    splits: dict[str, str] = {}
    issues = []
    for split in SPLITS:
        path = annotations.parent / "ImageSets" / "Main" / f"{split}.txt"
        for line in _lines(path):
            name = line.split()[0]
            earlier = splits.setdefault(name, split)
            if earlier != split and (split != "trainval" or earlier == "test"):
                message = f"{name} is in {earlier}.txt and in {split}.txt"
                issues.append(Issue("split-conflict", path.name, None, message, True))
    return splits, issues


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as fault:
        raise InputError(path, f"byte {fault.start} is not UTF-8, expected a list of names") from fault


def damaged(file: Path, fault: InputError) -> Issue:
    """Of a file that cannot be used, among others."""
    message = ": ".join(filter(None, (fault.where, fault.reason)))
    return Issue("annotation-damaged", str(file), None, message, False)


@cache
def _parser() -> Any:
    from lxml import etree

    return etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)


def read_file(path: Path, file: Path, options: ReadOptions = DEFAULT) -> tuple[ImageRecord, list[Issue]]:
    """The image of a file of the source `path`, and what is odd about it. InputError where it cannot be
    used."""
    from lxml import etree

    folder = path.parent if path == file else path
    try:
        root = etree.fromstring(Place(file).read(), _parser())
    except etree.XMLSyntaxError as fault:
        line, column = fault.position
        reason = " ".join(str(fault.msg).partition(", line")[0].split())
        raise InputError(file, f"broken XML: {reason}", where=f"line {line}, column {column}") from fault
    except OSError as fault:
        raise InputError(file, f"cannot be read ({fault.strerror or fault})") from fault
    if root is None or root.tag != "annotation":
        tag = None if root is None else root.tag
        raise InputError(file, f"its root is <{tag}>, expected Pascal VOC's <annotation>")
    return _record(file, _below(folder, file), root, options)


def _record(
    file: Path, below: PurePosixPath, root: Any, options: ReadOptions
) -> tuple[ImageRecord, list[Issue]]:
    """The image of a file, and an issue for each object without a name."""
    objects = root.findall("object")  # direct children only: a <part> is no object
    named = [(thing, name) for thing in objects if (name := _text(thing, "name"))]
    nameless = [thing for thing in objects if not _text(thing, "name")]
    filename = _text(root, "filename") or file.stem
    poses = tuple(_text(thing, "pose") for thing, _ in named)
    record = image_record(
        image_id=filename,
        filename=str(below.parent / filename),
        source=str(below),
        width=_size(root, "size/width"),
        height=_size(root, "size/height"),
        boxes_xyxy=[_corners(file, thing, options.voc_origin) for thing, _ in named],
        names=tuple(name for _, name in named),
        difficult=_flags(named, "difficult"),
        truncated=_flags(named, "truncated"),
        occluded=_flags(named, "occluded"),
        poses=poses if any(poses) else (),
        stem=file.stem,
    )
    return record, [_nameless(str(below), thing) for thing in nameless]


def _flags(named: list[tuple[Any, str]], tag: str) -> list[bool]:
    return [_text(thing, tag).lower() in ("1", "true", "yes") for thing, _ in named]


def _corners(file: Path, thing: Any, origin: int) -> tuple[float, float, float, float]:
    box = thing.find("bndbox")
    if box is None:
        raise InputError(file, "an <object> without <bndbox>", where=f"line {thing.sourceline}")
    return (
        _number(file, box, "xmin") - origin,
        _number(file, box, "ymin") - origin,
        _number(file, box, "xmax"),
        _number(file, box, "ymax"),
    )


def _number(file: Path, box: Any, tag: str) -> float:
    text = _text(box, tag)
    try:
        return float(text)
    except ValueError:
        reason = f"<{tag}> of a <bndbox> is {text!r}, expected a number"
        raise InputError(file, reason, where=f"line {box.sourceline}") from None


def _size(root: Any, path: str) -> int:
    """Pixels; 0 where the file does not say, which some tools write as 0 or leave out."""
    try:
        return max(0, int(float(_text(root, path))))
    except (ValueError, OverflowError):
        return 0


def _nameless(source: str, thing: Any) -> Issue:
    return Issue("class-unknown", source, None, f"line {thing.sourceline}: an <object> without <name>", True)


def _text(element: Any, path: str) -> str:
    return (element.findtext(path) or "").strip()

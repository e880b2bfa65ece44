"""Pascal VOC: an XML file an image, in a folder.

Coordinates are taken as they stand, as TFOD and TFDS take them; the VOC devkit counts pixels from 1 and
would subtract 1 from xmin and ymin.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lxml import etree

from tfrec_tools.errors import InputError
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord, Source, image_record


def read(path: Path) -> Source:
    """The XML files of a folder (or of its subfolder Annotations) by name, or a single one. Classes are
    those that occur, in alphabetical order. InputError names the file and line that cannot be used."""
    files = [path] if path.is_file() else annotation_files(path)
    if not files:
        raise InputError(path, "", "no .xml files found, expected a folder of Pascal VOC annotations")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    found = [_read_file(file, parser) for file in files]
    labeled = frozenset(name for record, _ in found for name in record.names)
    records = [replace(record, labeled=labeled) for record, _ in found]
    issues = tuple(issue for _, issues in found for issue in issues)
    return Source(tuple(sorted(labeled)), records, issues)


def annotation_files(folder: Path) -> list[Path]:
    """The folder's XML files by name, or those of its subfolder Annotations where it has none itself."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".xml")
    subfolder = folder / "Annotations"
    return found or (annotation_files(subfolder) if subfolder.is_dir() else [])


def _read_file(file: Path, parser: etree.XMLParser) -> tuple[ImageRecord, list[Issue]]:
    try:
        root = etree.parse(file, parser).getroot()
    except etree.XMLSyntaxError as fault:
        line, column = fault.position
        raise InputError(
            file, f"line {line}, column {column}", f"broken XML: {str(fault.msg).partition(', line')[0]}"
        ) from fault
    if root.tag != "annotation":
        raise InputError(file, "", f"its root is <{root.tag}>, expected Pascal VOC's <annotation>")
    return _record(file, root)


def _record(file: Path, root: Any) -> tuple[ImageRecord, list[Issue]]:
    """The image of a file, and an issue for each object without a name."""
    objects = root.findall("object")  # direct children only: a <part> is no object
    named = [(thing, name) for thing in objects if (name := _text(thing, "name"))]
    nameless = [thing for thing in objects if not _text(thing, "name")]
    filename = _text(root, "filename")
    if not filename:
        raise InputError(file, "", "no <filename>; expected the name of the annotated image")
    record = image_record(
        image_id=filename,
        filename=filename,
        source=file.name,
        width=_size(root, "size/width"),
        height=_size(root, "size/height"),
        boxes_xyxy=[_corners(file, thing) for thing, _ in named],
        names=tuple(name for _, name in named),
        difficult=[_text(thing, "difficult") == "1" for thing, _ in named],
        truncated=[_text(thing, "truncated") == "1" for thing, _ in named],
    )
    return record, [_nameless(file, thing) for thing in nameless]


def _corners(file: Path, thing: Any) -> tuple[float, float, float, float]:
    box = thing.find("bndbox")
    if box is None:
        raise InputError(file, f"line {thing.sourceline}", "an <object> without <bndbox>")
    return (
        _number(file, box, "xmin"),
        _number(file, box, "ymin"),
        _number(file, box, "xmax"),
        _number(file, box, "ymax"),
    )


def _number(file: Path, box: Any, tag: str) -> float:
    text = _text(box, tag)
    try:
        return float(text)
    except ValueError:
        reason = f"<{tag}> of a <bndbox> is {text!r}, expected a number"
        raise InputError(file, f"line {box.sourceline}", reason) from None


def _size(root: Any, path: str) -> int:
    """Pixels; 0 where the file does not say, which some tools write as 0 or leave out."""
    try:
        return int(float(_text(root, path)))
    except (ValueError, OverflowError):
        return 0


def _nameless(file: Path, thing: Any) -> Issue:
    return Issue(
        "class-unknown", file.name, None, f"line {thing.sourceline}: an <object> without <name>", True
    )


def _text(element: Any, path: str) -> str:
    return (element.findtext(path) or "").strip()

"""YOLO: a text file an image, a line an object: class from 0, then x and y of the centre, width and height
as fractions of the picture; or class, then a polygon x y x y ...

Three layouts are known: Ultralytics' and Roboflow's data.yaml with folders images/ and labels/; darknet's
obj.names with pictures and texts side by side and lists of pictures (train.txt); and a plain folder with
classes.txt. A picture without a text file has no objects.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Place, Source, image_record
from tfrec_tools.errors import InputError
from tfrec_tools.formats import yolo_layout
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.yolo_layout import Item

Row = tuple[int, list[float]]  # (class from 0, numbers)


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """The pictures of a data set by split and name; `path` is its folder, data.yaml or names file. Classes
    are in the order of their ids, splits those of data.yaml or of the lists. A text file that cannot be
    used is an issue; InputError where there are no names or no pictures."""
    layout = yolo_layout.find(path)
    issues = [_same_name(layout.names_file.name, *repeated) for repeated in _repeated(layout.names)]
    issues += layout.issues
    classes = tuple(dict.fromkeys(layout.names))
    records = []
    for item in layout.items:
        try:
            record, odd = _record(layout.root, item, layout.names, frozenset(classes), options.masks)
            records.append(record)
            issues += odd
        except InputError as fault:
            message = ": ".join(filter(None, (fault.where, fault.reason)))
            issues.append(Issue("annotation-damaged", str(item.labels), None, message, False))
    return Source(classes, records, tuple(issues))


def _repeated(names: Sequence[str]) -> list[tuple[str, int]]:
    return [(name, count) for name, count in Counter(names).items() if count > 1]


def _same_name(source: str, name: str, count: int) -> Issue:
    return Issue("class-duplicate", source, None, f"{name!r} is the name of {count} ids", True)


def _record(
    root: Path, item: Item, names: Sequence[str], labeled: frozenset[str], masks: bool
) -> tuple[ImageRecord, list[Issue]]:
    source = _name(root, item.labels)
    rows, issues = _known(source, _read_rows(item.labels), names)
    filename = _name(root, item.image) if item.image else Path(item.filename).name
    record = image_record(
        image_id=filename,
        filename=filename,
        source=source,
        boxes_xyxy=[_corners(numbers) for _, numbers in rows],
        names=tuple(names[number] for number, _ in rows),
        labeled=labeled,
        relative=True,
        masks=tuple(_polygon(numbers) for _, numbers in rows) if masks else (),
        place=Place(item.image) if item.image else None,
        split=item.split,
    )
    return record, issues


def _read_rows(file: Path) -> list[Row]:
    """InputError names the line that cannot be used."""
    if not file.is_file():
        return []
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(file, f"cannot be read as text ({fault})") from fault
    return [_row(file, number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]


def _row(file: Path, line: int, words: Sequence[str]) -> Row:
    try:
        label, *numbers = [float(word) for word in words]
    except ValueError:
        raise InputError(file, f"{' '.join(words)[:60]!r} is not all numbers", where=f"line {line}") from None
    if not label.is_integer():
        raise InputError(file, f"class {words[0]} is no whole number", where=f"line {line}")
    if len(numbers) == 5:  # predictions end with a confidence
        numbers.pop()
    if len(numbers) != 4 and (len(numbers) < 6 or len(numbers) % 2):
        reason = f"{len(numbers)} numbers after the class, expected x y width height or a polygon"
        raise InputError(file, reason, where=f"line {line}")
    return int(label), numbers


def _known(source: str, rows: Sequence[Row], names: Sequence[str]) -> tuple[list[Row], list[Issue]]:
    """The rows whose class has a name, and an issue for each other."""
    issues = [
        Issue("class-unknown", source, None, f"class {number} is none of the {len(names)} names", True)
        for number, _ in rows
        if not 0 <= number < len(names)
    ]
    return [row for row in rows if 0 <= row[0] < len(names)], issues


def _corners(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    """Fractions of the picture; a polygon's are those of the box around it."""
    if len(numbers) == 4:
        x, y, width, height = numbers
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    points = np.array(numbers).reshape(-1, 2)  # (points, 2)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def _polygon(numbers: Sequence[float]) -> bytes:
    """As COCO's segmentation; of a box alone nothing is known."""
    return json.dumps([list(numbers)] if len(numbers) > 4 else []).encode()


def _name(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name

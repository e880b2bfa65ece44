"""CSV: a row a box, with the path of its image.

As TFOD's tutorials write it (filename, width, height, class, xmin, ymin, xmax, ymax in any order), under
other common names (Open Images, BCCD), or as keras-retinanet does: path, x1, y1, x2, y2, class without a
header. A row with neither class nor box is an image without objects. The file is read in pieces; of each
row its numbers are kept, about 60 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_columns
from tfrec_tools.formats.csv_columns import CORNERS, FLAGS, SIZES, Layout
from tfrec_tools.formats.grouping import Column, by_image, joined
from tfrec_tools.formats.options import DEFAULT, ReadOptions

_ROWS = 100_000  # read at a time

# Fractions of the picture are at most 1; a file whose boxes all end within this many pixels is of no use.
_RELATIVE_MAX = 1.5
_TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class Found:
    """What the rows have said so far: numbers of images and classes by name, the line where each image
    first stands and the size that it has there."""

    images: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    sizes_wh: list[tuple[float, float]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """The rows of a file, by image in the order in which images first appear. Classes are those that
    occur, in alphabetical order. InputError names the column or line that cannot be used."""
    layout = csv_columns.layout(path, dict(options.columns))
    found = Found()
    columns = columns_of(path, path.open("rb"), layout, 1, found)
    names = list(found.classes)
    return Source(tuple(sorted(names)), _records(path, found, columns, names), tuple(found.issues))


def columns_of(path: Path, file: BinaryIO, layout: Layout, first: int, found: Found) -> dict[str, Column]:
    """The rows of `file`, which is `path` from its line `first` on, as numbers; what they say goes into
    `found`."""
    return joined([_piece(path, table, line, found) for table, line in _tables(path, file, layout, first)])


def _tables(
    path: Path, file: BinaryIO, layout: Layout, first: int
) -> Iterator[tuple[dict[str, Column], int]]:
    """Pieces of the file: our columns as trimmed texts, (rows,) each; and the line of the first row (which
    counts a line break inside quotes as none)."""
    line = layout.first_line + first - 1
    for table in csv_columns.chunks(path, file, layout, _ROWS):
        columns = {
            name: table.iloc[:, number].fillna("").str.strip().to_numpy(object)
            for name, number in layout.columns.items()
        }
        yield columns, line
        line += len(table)


def _piece(path: Path, texts: dict[str, Column], line: int, found: Found) -> dict[str, Column]:
    """The numbers of a piece's rows; what is found of images and classes goes into `found`."""
    filled = np.flatnonzero(np.any([column != "" for column in texts.values()], axis=0))
    texts = {name: column[filled] for name, column in texts.items()}
    lines = filled + line
    for row in np.flatnonzero(texts["filename"] == ""):
        raise InputError(path, "filename is empty", where=f"line {lines[row]}")
    unboxed = np.all([texts[name] == "" for name in (*CORNERS, "class")], axis=0)
    sizes_wh = _numbers(path, lines, texts, SIZES, np.ones_like(unboxed))  # (rows, 2)
    boxes_xyxy = _numbers(path, lines, texts, CORNERS, unboxed)  # (rows, 4)
    image_of = np.zeros(len(filled), np.int32)
    for at, name in enumerate(texts["filename"]):
        number = found.images.setdefault(name, len(found.images))
        image_of[at] = number
        if number == len(found.lines):
            found.lines.append(int(lines[at]))
            found.sizes_wh.append((sizes_wh[at, 0], sizes_wh[at, 1]))
    class_of = [found.classes.setdefault(name, len(found.classes)) if name else -1 for name in texts["class"]]
    for row in np.flatnonzero((texts["class"] == "") & ~unboxed):
        issue = Issue("class-unknown", f"{path.name} line {lines[row]}", None, "class is empty", True)
        found.issues.append(issue)
    boxed = np.array(class_of, np.int32) >= 0
    piece = {
        "image_of": np.where(boxed, image_of, -1),
        "class_of": np.array(class_of, np.int32),
        "boxes_xyxy": boxes_xyxy,
    }
    return piece | {name: _flags(texts, name) for name in FLAGS}


def _flags(texts: Mapping[str, Column], name: str) -> NDArray[np.bool_]:
    """(rows,) Open Images writes -1 where nobody looked."""
    if name not in texts:
        return np.zeros(len(texts["filename"]), bool)
    return np.array([text.lower() in _TRUE for text in texts[name]], bool)


def _numbers(
    path: Path,
    lines: NDArray[np.intp],
    texts: Mapping[str, Column],
    names: Sequence[str],
    may_lack: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(rows, names) float64, as Python reads them: pandas may round otherwise. 0 where a number is missing
    in a row that may lack it."""
    numbers = np.zeros((len(lines), len(names)))
    for column, name in enumerate(names):
        for row, text in enumerate(texts.get(name, ())):
            if text or not may_lack[row]:
                try:
                    numbers[row, column] = float(text.replace(",", ".") if text.count(",") == 1 else text)
                except ValueError:
                    reason = f"{name} is {text!r}, expected a number"
                    raise InputError(path, reason, where=f"line {lines[row]}") from None
    return numbers


def _records(
    path: Path, found: Found, columns: Mapping[str, Column], names: Sequence[str]
) -> list[ImageRecord]:
    labeled = frozenset(names)
    relative = is_relative(largest(columns))
    rows, bounds = by_image(columns, len(found.images))
    labels = [names[i] for i in rows["class_of"]]
    no, unknown = np.zeros(len(labels), bool), np.full(len(labels), np.nan)
    said = {name: rows[name] for name in FLAGS if rows[name].any()}
    records = []
    images = zip(found.images, found.lines, found.sizes_wh, pairwise(bounds), strict=True)
    for filename, line, size_wh, (start, end) in images:
        unset = no[start:end]  # one view for all, of which there are as many as images
        flags = dict.fromkeys(FLAGS, unset) | {name: all_[start:end] for name, all_ in said.items()}
        boxes_xyxy, area = rows["boxes_xyxy"][start:end], unknown[start:end]
        record = record_of(
            path, filename, line, size_wh, boxes_xyxy, tuple(labels[start:end]), unset, flags, area
        )
        records.append(replace(record, labeled=labeled, relative=relative))
    return records


def record_of(
    path: Path,
    filename: str,
    line: int,
    size_wh: tuple[float, float],
    boxes_xyxy: Column,
    names: tuple[str, ...],
    unset: Column,
    flags: Mapping[str, Column],
    area: Column,
) -> ImageRecord:
    """An image that first stands in `line`; the rest is of its N boxes, `unset` is (N,) False, area NaN."""
    return ImageRecord(
        image_id=filename,
        filename=filename,
        width=_pixels(size_wh[0]),
        height=_pixels(size_wh[1]),
        boxes_xyxy=boxes_xyxy,
        names=names,
        crowd=unset,
        difficult=flags["difficult"],
        truncated=flags["truncated"],
        occluded=flags["occluded"],
        group_of=flags["group_of"],
        area=area,
        source=f"{path.name} line {line}",
    )


def largest(columns: Mapping[str, Column]) -> float:
    """The largest finite coordinate of a box that belongs to an image; minus infinity where there is none."""
    boxes_xyxy = columns["boxes_xyxy"][columns["image_of"] >= 0]
    return float(np.max(boxes_xyxy, initial=-np.inf, where=np.isfinite(boxes_xyxy)))


def is_relative(largest_: float) -> bool:
    """Whether boxes are fractions of the pictures, by the largest coordinate of the file."""
    return 0 < largest_ <= _RELATIVE_MAX


def _pixels(number: Any) -> int:
    return max(0, int(number)) if np.isfinite(number) else 0

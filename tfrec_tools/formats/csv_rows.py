"""CSV: a row a box, with the path of its image.

As TFOD's tutorials write it (filename, width, height, class, xmin, ymin, xmax, ymax in any order), under
other common names (Open Images, BCCD), or as keras-retinanet does: path, x1, y1, x2, y2, class without a
header. A row with neither class nor box is an image without objects; so is one without a box whose class
says that there is nothing. The file is read in pieces; of each row its numbers are kept, about 60 bytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats import csv_columns
from tfrec_tools.formats.csv_columns import BLANKS, CORNERS, FLAGS, NO_CLASS, SIZES, CsvLayout
from tfrec_tools.formats.file_names import names_a_file, plain
from tfrec_tools.formats.grouping import Boxes, Column, by_image, joined
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.system.regular_files import open_binary

_ROWS = 100_000  # read at a time

# Fractions of the image are at most 1; a file whose boxes all end within this many pixels is of no use.
_RELATIVE_MAX = 1.5
_STRAY = 0.01  # of the boxes: as few as these may be faulty ones, and do not make it unclear what a file has
_TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class Units:
    """How many boxes can only be fractions of the image, and how many only pixels, with the line of the first
    of each (0: none); and whether any coordinate is above 0."""

    fractions: int = 0
    pixels: int = 0
    fractions_line: int = 0
    pixels_line: int = 0
    positive: bool = False


@dataclass(frozen=True, slots=True)
class RowState:
    """What the rows have said so far: numbers of images by name and of classes, the line where each image
    first stands and the size that it has there, the units of the pieces' boxes, how many rows say that
    something is there; and issues, with their lines and images (-1: none)."""

    images: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    sizes_wh: list[tuple[float, float]] = field(default_factory=list)
    issues: list[tuple[int, int, Issue]] = field(default_factory=list)
    units: list[Units] = field(default_factory=list)
    found: list[int] = field(default_factory=list)


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the rows of a file, by image in the order in which images first appear. Classes are those that
    occur, in alphabetical order. InputError names the column or line that cannot be used."""
    layout = csv_columns.layout(path, dict(options.columns))
    state = RowState()
    columns = columns_of(path, open_binary(path), layout, 1, state)
    names = list(state.classes)
    relative = is_relative(path, state.units, options.coordinates)
    issues = [issue for _, _, issue in state.issues]
    dropped = Counter(issue.code for issue in issues)
    account = Account(1, sum(state.found), dropped, images=len(state.images))
    records = _records(path, state, columns, names, relative)
    return Source(tuple(sorted(names)), records, (*unread_columns(path, layout), *issues), account)


def unread_columns(path: Path, layout: CsvLayout) -> list[Issue]:
    """Returns an issue for each column that says where things are and is not read."""
    return [
        Issue("annotation-unread", readable(path.name), None, f"line 1: column {name!r} is not read", True)
        for name in layout.unread
    ]


def columns_of(
    path: Path, file: BinaryIO, layout: CsvLayout, first: int, state: RowState
) -> dict[str, Column]:
    """Returns the rows of `file`, which is `path` from its line `first` on, as numbers; what they say goes
    into `found`."""
    return joined([_piece(path, table, line, state) for table, line in _tables(path, file, layout, first)])


def _tables(
    path: Path, file: BinaryIO, layout: CsvLayout, first: int
) -> Iterator[tuple[dict[str, Column], int]]:
    """Yields pieces of the file: our columns as trimmed texts, (rows,) each; and the line of the first row
    (which counts a line break inside quotes as none)."""
    line = layout.first_line + first - 1
    for table in csv_columns.chunks(path, file, layout, _ROWS):
        columns = {
            name: table.iloc[:, number].fillna("").str.strip().to_numpy(object)
            for name, number in layout.columns.items()
        }
        yield columns, line
        line += len(table)


def _piece(path: Path, texts: dict[str, Column], line: int, state: RowState) -> dict[str, Column]:
    """Returns the numbers of a piece's rows; what is found of images and classes goes into `state`."""
    filled = np.flatnonzero(np.any([column != "" for column in texts.values()], axis=0))
    texts = {name: column[filled] for name, column in texts.items()}
    lines = filled + line
    boxes_xyxy = _numbers(path, lines, texts, CORNERS)  # (rows, 4)
    lacking = np.isnan(boxes_xyxy)
    blank = lacking & np.array([_blank(texts[name]) for name in CORNERS]).reshape(4, -1).T  # (rows, 4)
    classless = np.array([name.lower() in NO_CLASS for name in texts["class"]], bool)
    negative = classless & (lacking.all(axis=1) | (boxes_xyxy == 0).all(axis=1))
    state.found.append(len(filled) - int(negative.sum()))
    image_of = _images(path, lines, texts, state)
    why = np.select(
        [negative, image_of < 0, texts["class"] == "", lacking.all(axis=1) | blank.any(axis=1)],
        ["", "image-unknown", "class-unknown", "box-missing"],
        "box",
    )
    state.issues.extend(_issues(path, why, image_of, lines, texts, state.lines))
    boxed = why == "box"
    state.units.append(units_of(boxes_xyxy[boxed], lines[boxed]))
    class_of = np.full(len(filled), -1, np.int32)
    class_of[boxed] = [state.classes.setdefault(name, len(state.classes)) for name in texts["class"][boxed]]
    piece: dict[str, Column] = {
        "image_of": np.where(boxed, image_of, -1).astype(np.int32),
        "class_of": class_of,
        "boxes_xyxy": boxes_xyxy,
    }
    return piece | {name: _flags(texts, name) for name in FLAGS}


def _blank(column: Column) -> NDArray[np.bool_]:
    """(rows,) whether nothing stands there; NaN may be a number that went wrong, and does not count."""
    return np.array([text.lower() in BLANKS and text.lower() != "nan" for text in column], bool)


def _images(
    path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], state: RowState
) -> NDArray[np.int32]:
    """Returns (rows,) numbers of images by one spelling of their names, -1 where a row names none."""
    sizes_wh = np.nan_to_num(_numbers(path, lines, texts, SIZES), nan=0.0, posinf=0.0, neginf=0.0)
    image_of = np.full(len(lines), -1, np.int32)
    for at, name in enumerate(texts["filename"]):
        if not names_a_file(name):
            continue
        number = state.images.setdefault(plain(name), len(state.images))
        image_of[at] = number
        if number == len(state.lines):
            state.lines.append(int(lines[at]))
            state.sizes_wh.append((sizes_wh[at, 0], sizes_wh[at, 1]))
    return image_of


def _issues(
    path: Path,
    why: Column,
    image_of: Column,
    lines: Column,
    texts: Mapping[str, Column],
    first_lines: Sequence[int],
) -> Iterator[tuple[int, int, Issue]]:
    """Yields an issue, after its line and image, for each row whose box is left out; where it belongs to an
    image it stands where that one does."""
    for row in np.flatnonzero((why != "box") & (why != "")).tolist():
        line, code = int(lines[row]), str(why[row])
        image = int(image_of[row]) if code == "box-missing" else -1
        source = source_of(path, line if image < 0 else first_lines[image])
        message = {
            "image-unknown": f"filename is {texts['filename'][row] or 'empty'}, expected that of an image",
            "class-unknown": "class is empty",
            "box-missing": f"line {line}: {texts['class'][row]} has no "
            + ", ".join(name for name in CORNERS if texts[name][row].lower() in BLANKS),
        }[code]
        yield line, image, Issue(code, source, None, message, True)


def source_of(path: Path, line: int) -> str:
    return f"{readable(path.name)} line {line}"


def _flags(texts: Mapping[str, Column], name: str) -> NDArray[np.bool_]:
    """(rows,) Open Images writes -1 where nobody looked."""
    if name not in texts:
        return np.zeros(len(texts["filename"]), bool)
    return np.array([text.lower() in _TRUE for text in texts[name]], bool)


def _numbers(
    path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], names: Sequence[str]
) -> NDArray[np.float64]:
    """Returns (rows, names) float64, as Python reads them: pandas may round otherwise. NaN where nothing
    stands."""
    numbers = np.full((len(lines), len(names)), np.nan)
    for column, name in enumerate(names):
        if name not in texts:
            continue
        try:
            numbers[:, column] = texts[name].astype(np.float64)
        except ValueError:
            numbers[:, column] = [
                _number(path, name, int(line), text) for line, text in zip(lines, texts[name], strict=True)
            ]
    return numbers


def _number(path: Path, name: str, line: int, text: str) -> float:
    if text.lower() in BLANKS:
        return math.nan
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 else text)
    except ValueError:
        raise InputError(path, f"{name} is {text!r}, expected a number", where=f"line {line}") from None


def _records(
    path: Path, state: RowState, columns: Mapping[str, Column], names: Sequence[str], relative: bool
) -> list[ImageRecord]:
    labeled = frozenset(names)
    rows, bounds = by_image(columns, len(state.images))
    labels = [names[i] for i in rows["class_of"]]
    no, unknown = np.zeros(len(labels), bool), np.full(len(labels), np.nan)
    said = {name: rows[name] for name in FLAGS if rows[name].any()}
    records = []
    images = zip(state.images, state.lines, state.sizes_wh, pairwise(bounds), strict=True)
    for filename, line, size_wh, (start, end) in images:
        unset = no[start:end]  # one view for all, of which there are as many as images
        columns_of_image = {
            "boxes_xyxy": rows["boxes_xyxy"][start:end],
            "area": unknown[start:end],
            **dict.fromkeys(FLAGS, unset),
            **{name: all_[start:end] for name, all_ in said.items()},
        }
        boxes = Boxes(tuple(labels[start:end]), columns_of_image, unset)
        record = record_of(path, filename, line, size_wh, boxes)
        records.append(replace(record, labeled=labeled, relative=relative))
    return records


def record_of(
    path: Path, filename: str, line: int, size_wh: tuple[float, float], boxes: Boxes
) -> ImageRecord:
    """Returns an image that first stands in `line`, with its boxes."""
    columns = boxes.columns
    return ImageRecord(
        image_id=filename,
        filename=filename,
        width=_pixels(size_wh[0]),
        height=_pixels(size_wh[1]),
        boxes_xyxy=columns["boxes_xyxy"],
        names=boxes.names,
        crowd=boxes.unset,
        difficult=columns["difficult"],
        truncated=columns["truncated"],
        occluded=columns["occluded"],
        group_of=columns["group_of"],
        area=columns["area"],
        source=source_of(path, line),
    )


def units_of(boxes_xyxy: NDArray[np.float64], lines: Column) -> Units:
    """Returns what boxes, which stand in those lines, can only be."""
    finite = np.where(np.isfinite(boxes_xyxy), boxes_xyxy, 0)
    reach = np.abs(finite).max(axis=1, initial=0)  # (N,)
    pixels = np.flatnonzero(reach > _RELATIVE_MAX)
    fractions = np.flatnonzero((reach <= _RELATIVE_MAX) & (finite != np.round(finite)).any(axis=1))
    first, other = (int(lines[rows[0]]) if len(rows) else 0 for rows in (fractions, pixels))
    return Units(len(fractions), len(pixels), first, other, bool((finite > 0).any()))


def is_relative(path: Path, units: Iterable[Units], coordinates: str | None) -> bool:
    """Returns whether boxes are fractions of the images: as the user says, else by what most of a file's
    boxes can only be. Raises InputError where that is unclear."""
    if coordinates is not None:
        return coordinates == "fractions"
    pieces = list(units)
    fractions, pixels = sum(one.fractions for one in pieces), sum(one.pixels for one in pieces)
    if not pixels:
        return any(one.positive for one in pieces)
    if min(fractions, pixels) <= _STRAY * (fractions + pixels):
        return fractions > pixels
    line = min(one.fractions_line for one in pieces if one.fractions)
    other = min(one.pixels_line for one in pieces if one.pixels)
    reason = (
        f"{fractions} boxes look like fractions of the image (line {line}) and {pixels} like pixels "
        f"(line {other}); say --coordinates fractions or pixels"
    )
    raise InputError(path, reason)


def _pixels(number: Any) -> int:
    return max(0, int(number)) if np.isfinite(number) else 0

"""CSV: a row a box, with the path of its image; or a row an image, with its boxes in a cell.

As TFOD's tutorials write it (filename, width, height, class, xmin, ymin, xmax, ymax in any order), under
other common names (Open Images, BCCD, VoTT), with a corner or a centre and a size, with a cell of numbers
(Kaggle's), or as keras-retinanet does: path, x1, y1, x2, y2, class without a header. A row with neither class
nor box is an image without objects; so is one without a box whose class says that there is nothing, or whose
cell of boxes is an empty list. The file is read in pieces; of each row its numbers are kept, about 60 bytes.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from tfrec_tools.formats import csv_columns, open_images
from tfrec_tools.formats.csv_boxes import RowBoxes, boxes_of, numbers_of
from tfrec_tools.formats.csv_columns import IMAGE_SIZES, CsvLayout
from tfrec_tools.formats.csv_forms import BBOX, FLAGS, NO_CLASS
from tfrec_tools.formats.file_names import names_a_file, plain
from tfrec_tools.formats.grouping import Boxes, Column, by_image, joined
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.system.regular_files import open_binary

_ROWS = 100_000  # read at a time

# Fractions of the image are at most 1; a file whose boxes all end within this many pixels is of no use.
_RELATIVE_MAX = 1.5
_STRAY = 0.01  # of the boxes: as few as these may be faulty ones, and do not make it unclear what a file has
_ROUNDED = 1.0  # pixels by which boxes lean out that were rounded
_TRUE = ("1", "true", "yes")


@dataclass(frozen=True, slots=True)
class Units:
    """How many boxes can only be fractions of the image, and how many only pixels, with the line of the first
    of each (0: none); whether any coordinate is above 0; whether the points of boxes may be corners or
    centres; and how many boxes lie in their images only if they are corners, and only if they are centres."""

    fractions: int = 0
    pixels: int = 0
    fractions_line: int = 0
    pixels_line: int = 0
    positive: bool = False
    is_open: bool = False
    only_as_corners: int = 0
    only_as_centres: int = 0


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
    layout = layout_of(path, options)
    state = RowState()
    columns = columns_of(path, open_binary(path), layout, 1, state)
    names = list(state.classes)
    relative = is_relative(path, state.units, options.coordinates)
    issues = [issue for _, _, issue in state.issues]
    dropped = Counter(issue.code for issue in issues)
    account = Account(1, sum(state.found), dropped, images=len(state.images))
    records = _records(path, state, columns, names, relative)
    records, of_labels = _labeled(path, layout, options, records)
    issues = [*unread_columns(path, layout), *issues, *of_labels]
    return Source(tuple(sorted(names)), records, tuple(issues), account)


def layout_of(path: Path, options: ReadOptions) -> CsvLayout:
    """Returns the layout with the names of its classes."""
    layout = csv_columns.layout(path, options)
    file = open_images.descriptions_file(path, options.class_descriptions, layout.is_open_images)
    return layout if file is None else replace(layout, class_names=open_images.class_names(file))


def _labeled(
    path: Path, layout: CsvLayout, options: ReadOptions, records: list[ImageRecord]
) -> tuple[list[ImageRecord], list[Issue]]:
    """Returns the records with the classes that their images were annotated for, where a file says it; and
    what is odd about that."""
    file = open_images.labels_file(path, options.image_labels, layout.is_open_images)
    if file is None:
        return records, []
    boxed = {record.filename: frozenset(record.names) for record in records}
    labeled, issues = open_images.labeled_by_image(file, boxed, layout.class_names)
    return [
        replace(record, labeled=labeled[record.filename]) if labeled[record.filename] else record
        for record in records
    ], issues


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
    tables = _tables(path, file, layout, first)
    return joined([_piece(path, table, line, state, layout) for table, line in tables])


def _tables(
    path: Path, file: BinaryIO, layout: CsvLayout, first: int
) -> Iterator[tuple[dict[str, Column], int]]:
    """Yields pieces of the file: our columns as trimmed texts or as numbers, (rows,) each; and the line of
    the first row (which counts a line break inside quotes as none)."""
    line = layout.first_line + first - 1
    numbers = {*IMAGE_SIZES, *layout.form.columns} - {BBOX}
    for table in csv_columns.chunks(path, file, layout, _ROWS):
        columns = {
            name: _column(table.iloc[:, number], name in numbers) for name, number in layout.columns.items()
        }
        yield columns, line
        line += len(table)


def _column(column: Any, may_be_numbers: bool) -> Column:
    """Returns a pandas Series of texts as float64 where each is the plain text of a number, else as texts
    without the white space around them. Arrow, where it is installed, reads numbers as Python does, to the
    bit."""
    if may_be_numbers:
        with suppress(ImportError, ValueError, TypeError, NotImplementedError):
            numbers: Column = column.astype("double[pyarrow]").to_numpy(np.float64)
            if not np.isnan(numbers).any():  # nothing, and texts that Python does not read, may be among them
                return numbers
    texts: Column = column.fillna("").str.strip().to_numpy(object)
    return texts


def _piece(
    path: Path, texts: dict[str, Column], line: int, state: RowState, layout: CsvLayout
) -> dict[str, Column]:
    """Returns the numbers of a piece's boxes; what is found of images and classes goes into `state`."""
    filled = np.flatnonzero(np.any([_is_filled(column) for column in texts.values()], axis=0))
    if len(filled) < len(texts["filename"]):
        texts = {name: column[filled] for name, column in texts.items()}
    lines = filled + line
    image_of = _images(path, lines, texts, state)
    boxes = boxes_of(path, lines, texts, layout.form)
    names, mismatched = _names(texts, boxes, layout)
    name_of, distinct, _ = _factors(names)
    distinct = [layout.class_names.get(name, name) for name in distinct]
    if len(boxes.row_of) != len(lines) or layout.form.columns == (BBOX,):
        texts = {name: column[boxes.row_of] for name, column in texts.items()}
        lines, image_of = lines[boxes.row_of], image_of[boxes.row_of]
    lacks_all = boxes.lacking.all(axis=1)
    classless = np.array([bool(layout.class_name) or name.lower() in NO_CLASS for name in distinct], bool)
    nothing = (lacks_all & (boxes.odd == "")) | (boxes.boxes_xyxy == 0).all(axis=1)
    negative = boxes.empty | (classless[name_of] & nothing)
    state.found.append(len(lines) - int(negative.sum()))
    why = np.select(
        [
            negative,
            image_of < 0,
            np.array([name == "" for name in distinct], bool)[name_of],
            (boxes.odd != "") | mismatched,
            lacks_all | boxes.blank.any(axis=1),
        ],
        ["", "image-unknown", "class-unknown", "annotation-unread", "box-missing"],
        "box",
    )
    names = np.array(distinct, object)[name_of]
    rows = _OddRows(path, layout, lines, texts["filename"], image_of, names, boxes)
    state.issues.extend(_issues(rows, why, state.lines))
    boxed = why == "box"
    units = units_of(boxes.boxes_xyxy[boxed], lines[boxed])
    if boxes.is_open:
        sizes_wh = numbers_of(path, lines, texts, IMAGE_SIZES)
        units = _with_meanings(units, boxes.boxes_xyxy[boxed], sizes_wh[boxed])
    state.units.append(units)
    class_of = np.zeros(len(distinct), np.int32)
    for number in dict.fromkeys(name_of[boxed].tolist()):
        class_of[number] = state.classes.setdefault(distinct[number], len(state.classes))
    piece: dict[str, Column] = {
        "image_of": np.where(boxed, image_of, -1).astype(np.int32),
        "class_of": class_of[name_of],
        "boxes_xyxy": boxes.boxes_xyxy,
    }
    return piece | {name: _flags(texts, name) for name in FLAGS}


def _is_filled(column: Column) -> Column:
    """Returns (rows,) whether something stands there."""
    return np.ones(len(column), bool) if column.dtype == np.float64 else column != ""


def _names(
    texts: Mapping[str, Column], boxes: RowBoxes, layout: CsvLayout
) -> tuple[Column, NDArray[np.bool_]]:
    """Returns (N,) class names of boxes; and whether a box is of a row that lists other than as many names as
    boxes. Only beside cells of boxes a class may be a list of them."""
    no = np.zeros(len(boxes.row_of), bool)
    if layout.class_name:
        return np.full(len(no), layout.class_name, object), no
    if layout.form.columns != (BBOX,):
        return texts["class"], no
    names = texts["class"][boxes.row_of]
    bounds = np.searchsorted(boxes.row_of, np.arange(len(texts["class"]) + 1))
    text_of, distinct, _ = _factors(texts["class"])
    are_lists = np.array([text.startswith("[") and text.endswith("]") for text in distinct], bool)
    for row in np.flatnonzero(are_lists[text_of]).tolist():
        listed = [name.strip().strip("'\"").strip() for name in texts["class"][row][1:-1].split(",")]
        of_row = slice(bounds[row], bounds[row + 1])
        if len(listed) in (1, bounds[row + 1] - bounds[row]):
            names[of_row] = listed
        else:
            no[of_row] = True
    return names, no


def _images(
    path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], state: RowState
) -> NDArray[np.int32]:
    """Returns (rows,) numbers of images by one spelling of their names, -1 where a row names none."""
    sizes_wh = np.nan_to_num(numbers_of(path, lines, texts, IMAGE_SIZES), nan=0.0, posinf=0.0, neginf=0.0)
    spelling_of, spellings, first = _factors(texts["filename"])
    image_of = np.full(len(spellings), -1, np.int32)
    for at, (name, row) in enumerate(zip(spellings, first, strict=True)):
        if not names_a_file(name):
            continue
        number = state.images.setdefault(plain(name), len(state.images))
        image_of[at] = number
        if number == len(state.lines):
            state.lines.append(int(lines[row]))
            state.sizes_wh.append((float(sizes_wh[row, 0]), float(sizes_wh[row, 1])))
    return image_of[spelling_of]


def _factors(column: Column) -> tuple[NDArray[np.intp], list[str], list[int]]:
    """Returns (rows,) which of the different texts of a column a row has; these, in the order in which they
    first appear; and the rows where they do."""
    import pandas as pd

    text_of, texts = pd.factorize(column)
    first = np.zeros(len(texts), np.intp)
    first[text_of[::-1]] = np.arange(len(column))[::-1]
    return text_of, list(texts), first.tolist()


@dataclass(frozen=True, slots=True)
class _OddRows:
    """What is needed to say of a box why it is left out; columns are (N,), a box each."""

    path: Path
    layout: CsvLayout
    lines: Column
    filenames: Column
    image_of: Column
    names: Column
    boxes: RowBoxes


def _issues(rows: _OddRows, why: Column, first_lines: Sequence[int]) -> Iterator[tuple[int, int, Issue]]:
    """Yields an issue, after its line and image, for each box that is left out; where it belongs to an image
    it stands where that one does."""
    for at in np.flatnonzero((why != "box") & (why != "")).tolist():
        line, code, name = int(rows.lines[at]), str(why[at]), rows.names[at]
        image = int(rows.image_of[at]) if code in ("box-missing", "annotation-unread") else -1
        source = source_of(rows.path, line if image < 0 else first_lines[image])
        message = {
            "image-unknown": f"filename is {rows.filenames[at] or 'empty'}, expected that of an image",
            "class-unknown": "class is empty",
            "box-missing": f"line {line}: {name} has no {_lacking(rows, at)}",
            "annotation-unread": f"line {line}: {name}: "
            + (rows.boxes.odd[at] or "its classes are not as many as its boxes"),
        }[code]
        yield line, image, Issue(code, source, None, message, True)


def _lacking(rows: _OddRows, at: int) -> str:
    """Returns which of the numbers of a box there are not."""
    columns = rows.layout.form.columns
    lacking = rows.boxes.lacking[at]
    return ", ".join(columns if len(columns) == 1 else itertools.compress(columns, lacking))


def source_of(path: Path, line: int) -> str:
    return f"{readable(path.name)} line {line}"


def _flags(texts: Mapping[str, Column], name: str) -> NDArray[np.bool_]:
    """(rows,) Open Images writes -1 where nobody looked."""
    if name not in texts:
        return np.zeros(len(texts["filename"]), bool)
    text_of, distinct, _ = _factors(texts[name])
    return np.array([text.lower() in _TRUE for text in distinct], bool)[text_of]


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
        records.append(record_of((path, line), filename, size_wh, boxes, labeled, relative))
    return records


def record_of(
    place: tuple[Path, int],
    filename: str,
    size_wh: tuple[float, float],
    boxes: Boxes,
    labeled: frozenset[str] | None,
    relative: bool,
) -> ImageRecord:
    """Returns an image, whose place is the file and the line where it first stands, with its boxes."""
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
        source=source_of(*place),
        labeled=labeled,
        relative=relative,
    )


def units_of(boxes_xyxy: NDArray[np.float64], lines: Column) -> Units:
    """Returns what boxes, which stand in those lines, can only be."""
    finite = np.where(np.isfinite(boxes_xyxy), boxes_xyxy, 0)
    reach = np.abs(finite).max(axis=1, initial=0)  # (N,)
    pixels = np.flatnonzero(reach > _RELATIVE_MAX)
    fractions = np.flatnonzero((reach <= _RELATIVE_MAX) & (finite != np.round(finite)).any(axis=1))
    first, other = (int(lines[rows[0]]) if len(rows) else 0 for rows in (fractions, pixels))
    return Units(len(fractions), len(pixels), first, other, bool((finite > 0).any()))


def _with_meanings(units: Units, boxes_xyxy: NDArray[np.float64], sizes_wh: NDArray[np.float64]) -> Units:
    """Returns the units of boxes whose points were read as corners and may be centres, where their images'
    sizes, (N, 2), are known."""
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / 2
    as_centres = boxes_xyxy - np.tile(half, 2)

    def lies_inside(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        over = boxes[:, 2:] > sizes_wh + _ROUNDED  # False where no size is known
        return ~((boxes[:, :2] < -_ROUNDED).any(axis=1) | over.any(axis=1))

    corners, centres = lies_inside(boxes_xyxy), lies_inside(as_centres)
    known = (sizes_wh > 0).all(axis=1)
    return replace(
        units,
        is_open=True,
        only_as_corners=int((known & corners & ~centres).sum()),
        only_as_centres=int((known & centres & ~corners).sum()),
    )


def is_relative(path: Path, units: Iterable[Units], coordinates: str | None) -> bool:
    """Returns whether boxes are fractions of the images: as the user says, else by what most of a file's
    boxes can only be. Raises InputError where that is unclear, and where points are not clearly corners: those
    of fractions, as what detectors read and YOLO writes are called the same, and those of pixels that fit
    their images better as centres."""
    pieces = list(units)
    relative = _are_fractions(path, pieces) if coordinates is None else coordinates == "fractions"
    if relative and any(piece.is_open for piece in pieces):
        reason = "x, y of fractions of the image may be the corner or the centre of a box"
        raise InputError(path, f"{reason}; say --box-format xywh or cxcywh")
    as_corners = sum(piece.only_as_corners for piece in pieces)
    as_centres = sum(piece.only_as_centres for piece in pieces)
    if as_centres > as_corners:
        reason = (
            f"{as_centres} boxes lie in their images only if x, y are centres, {as_corners} only if corners"
        )
        raise InputError(path, f"{reason}; say --box-format cxcywh or xywh")
    return relative


def _are_fractions(path: Path, pieces: Sequence[Units]) -> bool:
    """Returns what most boxes can only be. Raises InputError where that is unclear."""
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
    return max(0, int(number)) if math.isfinite(number) else 0

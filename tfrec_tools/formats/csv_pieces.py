"""The rows of a CSV file as numbers: of images, of classes, and of boxes; and what is odd about them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.csv_boxes import RowBoxes, boxes_of, numbers_of
from tfrec_tools.formats.csv_columns import IMAGE_SIZES, CsvLayout
from tfrec_tools.formats.csv_forms import ANGLE, BBOX, FLAGS, FOUR_CORNERS, NO_CLASS, SPLIT
from tfrec_tools.formats.csv_images import (
    NO_SIZE,
    NO_SPLIT,
    OTHER_SIZE,
    OTHER_SPLIT,
    Statements,
    otherwise,
    splits_of,
)
from tfrec_tools.formats.csv_tables import tables
from tfrec_tools.formats.csv_units import Units, units_of, with_meanings
from tfrec_tools.formats.file_names import names_a_file, plain
from tfrec_tools.formats.flag_words import is_set
from tfrec_tools.formats.grouping import Column, joined

_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_TURNS = re.compile("[1-9]")  # in an angle that is not 0
DERIVED = "derived"  # the column of lines in which boxes stand that are around four corners, 0 for others


@dataclass(frozen=True, slots=True)
class RowState:
    """What the rows have said so far: numbers of images by name and of classes; the line where each image
    first stands, its size and its split; the units of the pieces' boxes; how many rows say that something is
    there; issues, with their lines and images (-1: none); and likewise those by which no box is dropped."""

    images: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    sizes: Statements = field(default_factory=lambda: Statements(OTHER_SIZE, NO_SIZE))
    splits: Statements = field(default_factory=lambda: Statements(OTHER_SPLIT, NO_SPLIT))
    issues: list[tuple[int, int, Issue]] = field(default_factory=list)
    hints: list[tuple[int, int, Issue]] = field(default_factory=list)
    units: list[Units] = field(default_factory=list)
    found: list[int] = field(default_factory=list)


def columns_of(
    path: Path, file: BinaryIO, layout: CsvLayout, first: int, state: RowState
) -> dict[str, Column]:
    """Returns the rows of `file`, which is `path` from its line `first` on, as numbers; what they say goes
    into `found`."""
    pieces = tables(path, file, layout, first)
    return joined([_piece(path, table, line, state, layout) for table, line in pieces])


def _piece(
    path: Path, texts: dict[str, Column], line: int, state: RowState, layout: CsvLayout
) -> dict[str, Column]:
    """Returns the numbers of a piece's boxes; what is found of images and classes goes into `state`."""
    texts = _without_angles(path, texts, line)
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
        units = with_meanings(units, boxes.boxes_xyxy[boxed], sizes_wh[boxed])
    state.units.append(units)
    class_of = np.zeros(len(distinct), np.int32)
    for number in dict.fromkeys(name_of[boxed].tolist()):
        class_of[number] = state.classes.setdefault(distinct[number], len(state.classes))
    piece: dict[str, Column] = {
        "image_of": np.where(boxed, image_of, -1).astype(np.int32),
        "class_of": class_of[name_of],
        "boxes_xyxy": boxes.boxes_xyxy,
    }
    if layout.form.kind == FOUR_CORNERS:
        piece[DERIVED] = np.where(boxes.turned, lines, 0)
    return piece | _flags(path, lines, texts, piece["image_of"], state)


def _without_angles(path: Path, texts: dict[str, Column], line: int) -> dict[str, Column]:
    """Returns the columns without that of angles. Raises InputError where a row says that its box is turned:
    in which unit and which way, nothing says."""
    if ANGLE not in texts:
        return texts
    _, distinct, first = _factors(texts[ANGLE])
    for angle, row in zip(distinct, first, strict=True):
        if _TURNS.search(angle):
            reason = f"the {ANGLE} of a box is {angle!r}, expected 0, as nothing says its unit and direction"
            advice = f"give four corners x1,y1,...,x4,y4, or say --columns {ANGLE}=none where it turns no box"
            raise InputError(path, f"{reason}; {advice}", where=f"line {line + row}")
    return {name: column for name, column in texts.items() if name != ANGLE}


def derived(source: str, columns: Mapping[str, Column], names: Sequence[str]) -> list[tuple[int, Issue]]:
    """Returns an issue, after its line, for each box of an image that is around four corners."""
    if DERIVED not in columns:
        return []
    lines = columns[DERIVED]
    return [
        (int(lines[box]), Issue("box-derived", source, box, _of_corners(lines[box], names[box]), False))
        for box in np.flatnonzero(lines).tolist()
    ]


def _of_corners(line: int, name: str) -> str:
    return f"line {line}: {name}: the box around its {FOUR_CORNERS}"


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
        listed = _listed(texts["class"][row][1:-1])
        of_row = slice(bounds[row], bounds[row + 1])
        if len(listed) in (1, bounds[row + 1] - bounds[row]):
            names[of_row] = listed
        else:
            no[of_row] = True
    return names, no


def _listed(text: str) -> list[str]:
    """Returns the names that a list has, quoted or not, with commas between them or, as NumPy prints them,
    none."""
    if "'" not in text and '"' not in text:
        return [name.strip() for name in text.split(",")]
    names = [(single or double).strip() for single, double in _QUOTED.findall(text)]
    return names if not _QUOTED.sub("", text).strip(", \n") else []


def _images(
    path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], state: RowState
) -> NDArray[np.int32]:
    """Returns (rows,) numbers of images by one spelling of their names, -1 where a row names none."""
    spelling_of, spellings, first = _factors(texts["filename"])
    image_of = np.full(len(spellings), -1, np.int32)
    for at, (name, row) in enumerate(zip(spellings, first, strict=True)):
        if not names_a_file(name):
            continue
        number = state.images.setdefault(plain(name), len(state.images))
        image_of[at] = number
        if number == len(state.lines):
            state.lines.append(int(lines[row]))
            state.sizes.add_image()
            state.splits.add_image()
    of_rows = image_of[spelling_of]
    state.issues.extend(_take_statements(path, lines, of_rows, texts, state))
    return of_rows


def _take_statements(
    path: Path,
    lines: NDArray[np.intp],
    image_of: NDArray[np.int32],
    texts: Mapping[str, Column],
    state: RowState,
) -> Iterator[tuple[int, int, Issue]]:
    """Takes what rows say of their images; yields an issue, after its line and image, for each of which a
    later row says otherwise: boxes are then pixels of two sizes, or the image is in two splits."""
    sizes_wh = np.nan_to_num(numbers_of(path, lines, texts, IMAGE_SIZES), nan=0.0, posinf=0.0, neginf=0.0)
    said = [(state.sizes, sizes_wh, (sizes_wh > 0).all(axis=1))]
    if SPLIT in texts:
        said.append((state.splits, splits_of(texts[SPLIT])[:, None], texts[SPLIT] != ""))
    for statements, values, is_said in said:
        rows = np.flatnonzero(is_said & (image_of >= 0))
        for line, image, other in statements.take(lines[rows], image_of[rows], values[rows]):
            source = source_of(path, state.lines[image])
            yield line, image, otherwise(statements.code, source, line, other, statements.said[image])


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


def _flags(
    path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], image_of: Column, state: RowState
) -> dict[str, Column]:
    """Returns {flag: (N,) whether boxes have it}. A cell that does not say it of a box is a hint."""
    flags = {name: np.zeros(len(lines), bool) for name in FLAGS}
    for name in FLAGS:
        if name not in texts:
            continue
        text_of, distinct, _ = _factors(texts[name])
        said = [is_set(text.replace(",", ".")) for text in distinct]
        flags[name] = np.array(said, bool)[text_of]
        unclear = np.array([one is None for one in said], bool)[text_of] & (image_of >= 0)
        for at in np.flatnonzero(unclear).tolist():
            line, image = int(lines[at]), int(image_of[at])
            message = f"line {line}: {name} is {texts[name][at][:40]!r}, expected 0 or 1, true or false"
            source = source_of(path, state.lines[image])
            state.hints.append((line, image, Issue("annotation-unread", source, None, message, True)))
    return flags

"""The boxes of a CSV file's rows: numbers in columns of their own, or all those of a row in a cell, as people
write it: "[834.0, 222.0, 56.0, 36.0]", "{834 222 56 36}", "834;222;56;36", several at once as
"[[1, 2, 3, 4], [5, 6, 7, 8]]" or "1 2 3 4;5 6 7 8", or with names, "[{'x': 1, 'y': 2, 'width': 3, ...}]"."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats.csv_forms import (
    ANGLE,
    BBOX,
    BLANKS,
    FOUR_CORNERS,
    Form,
    by_name,
    form_of,
    two_corners,
)
from tfrec_tools.formats.grouping import Column
from tfrec_tools.formats.json_documents import single_keys

_BRACKETS = str.maketrans(dict.fromkeys("[](){},;|", " "))
_GROUP = re.compile(r"[^\[\](){};|]+")
_PYTHONS = str.maketrans("()", "[]")
_NO_BOXES = frozenset(("no_box", "no box", "nobox", "no_boxes"))  # Global Wheat 2021 writes the first
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_HUGE = 1e300  # an integer beyond is no float


@dataclass(frozen=True, slots=True)
class RowBoxes:
    """The boxes of some rows, in their order; a row without any has a place here, too.

    row_of      (N,) which row it is of
    boxes_xyxy  (N, 4) NaN where there is no number
    lacking     (N, 4 or 8) whether there is no number, as `form.columns` or box after box have them
    blank       likewise, whether nothing stands there: NaN may be a number that went wrong, no such thing
    empty       (N,) whether the row says that it has none
    odd         (N,) what is not understood, "" elsewhere
    is_open     whether x, y may be the corner or the centre of some box
    turned      (N,) whether it is the box around four corners that are none of an upright box
    """

    row_of: NDArray[np.intp]
    boxes_xyxy: NDArray[np.float64]
    lacking: NDArray[np.bool_]
    blank: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    odd: Column
    is_open: bool
    turned: NDArray[np.bool_]


def boxes_of(path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], form: Form) -> RowBoxes:
    """Returns the boxes of rows, which stand in those lines. InputError names the line where there is
    something else than a number, or where the file does not say what the numbers are."""
    if form.columns == (BBOX,):
        return _of_cells(path, lines, texts[BBOX], form)
    numbers = numbers_of(path, lines, texts, form.columns)
    lacking = np.isnan(numbers)
    blank = np.zeros(numbers.shape, bool)
    for row, column in zip(*np.nonzero(lacking), strict=True):
        blank[row, column] = texts[form.columns[column]][row].lower() in BLANKS - {"nan"}
    none = np.zeros(len(lines), bool)
    boxes_xyxy = two_corners(numbers, form.kind)
    odd = np.full(len(lines), "", object)
    turned = _are_turned(numbers, boxes_xyxy) if form.kind == FOUR_CORNERS else none
    return RowBoxes(np.arange(len(lines)), boxes_xyxy, lacking, blank, none, odd, form.is_open, turned)


def _are_turned(numbers: NDArray[np.float64], boxes_xyxy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns (N,) whether one of four corners x, y, (N, 8), is none of the box around them."""
    low, high = np.tile(boxes_xyxy[:, :2], 4), np.tile(boxes_xyxy[:, 2:], 4)
    at_edges = np.logical_not((low < numbers) & (numbers < high))
    return np.logical_not(at_edges.all(axis=1))


def numbers_of(
    path: Path, lines: NDArray[np.intp], texts: Mapping[str, Column], names: Sequence[str]
) -> NDArray[np.float64]:
    """Returns (rows, names) float64, as Python reads them: pandas may round otherwise. NaN where nothing
    stands. InputError names the line of what is no number, or of a comma that may stand before thousands or
    decimals, where none of the rows shows which."""
    numbers = np.full((len(lines), len(names)), np.nan)
    for column, name in enumerate(names):
        if name not in texts:
            continue
        if texts[name].dtype == np.float64:
            numbers[:, column] = texts[name]
            continue
        try:
            numbers[:, column] = texts[name].astype(np.float64)
        except ValueError:
            commas = _has_decimal_commas(texts, names)
            numbers[:, column] = [
                _number(path, name, int(line), text, commas)
                for line, text in zip(lines, texts[name], strict=True)
            ]
    return numbers


def _has_decimal_commas(texts: Mapping[str, Column], names: Sequence[str]) -> bool:
    """Returns whether some number can only have its comma before decimals: not three digits stand behind it,
    or nothing but 0 before it."""
    columns = (texts[name] for name in names if name in texts and texts[name].dtype != np.float64)
    return any("," in text and not _THOUSANDS.fullmatch(text) for column in columns for text in column)


def _number(path: Path, name: str, line: int, text: str, commas: bool) -> float:
    if text.lower() in BLANKS:
        return math.nan
    if not commas and _THOUSANDS.fullmatch(text):
        whole, decimal = text.replace(",", ""), text.replace(",", ".")
        reason = (
            f"{name.removeprefix('image_')} is {text!r}, expected {whole} or {decimal}, as it may be either"
        )
        raise InputError(path, reason, where=f"line {line}")
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 else text)
    except ValueError:
        reason = f"{name.removeprefix('image_')} is {text!r}, expected a number"
        raise InputError(path, reason, where=f"line {line}") from None


@dataclass(frozen=True, slots=True)
class _Cell:
    """What a cell holds: (M, 4) boxes, one of NaN where there are none; whether nothing stands there; whether
    it says that there are none; what is not understood; whether x, y may be the corner or the centre."""

    boxes_xyxy: NDArray[np.float64]
    blank: bool = False
    empty: bool = False
    odd: str = ""
    is_open: bool = False


_NO_BOX = np.full((1, 4), np.nan)


def _of_cells(path: Path, lines: NDArray[np.intp], cells: Column, form: Form) -> RowBoxes:
    if form.kind and (numbers := _of_single_boxes(cells)) is not None:
        read = [_Cell(two_corners(numbers, form.kind))]
        row_of = np.arange(len(cells))
    else:
        read = [_cell(path, line, text, form) for line, text in zip(lines.tolist(), cells, strict=True)]
        row_of = np.repeat(np.arange(len(cells)), [len(cell.boxes_xyxy) for cell in read])
    counts = [len(cell.boxes_xyxy) for cell in read]
    boxes_xyxy = np.concatenate([_NO_BOX[:0], *(cell.boxes_xyxy for cell in read)])
    blank = np.repeat([cell.blank for cell in read], counts).astype(bool)
    return RowBoxes(
        row_of,
        boxes_xyxy,
        np.isnan(boxes_xyxy),
        np.repeat(blank[:, None], 4, axis=1),
        np.repeat([cell.empty for cell in read], counts).astype(bool),
        np.repeat(np.array([cell.odd for cell in read], object), counts),
        any(cell.is_open for cell in read),
        np.zeros(len(row_of), bool),
    )


def _of_single_boxes(cells: Column) -> NDArray[np.float64] | None:
    """Returns (rows, 4) numbers where each cell is a plain box, which most files have; else None."""
    tokens = [cell.translate(_BRACKETS).split() for cell in cells]
    if any(len(of_cell) != 4 for of_cell in tokens):
        return None
    try:
        return np.array(tokens, object).reshape(-1, 4).astype(np.float64)
    except ValueError:
        return None


def _cell(path: Path, line: int, text: str, form: Form) -> _Cell:
    if (lowered := text.lower()) in BLANKS:
        return _Cell(_NO_BOX, blank=True)
    tokens = text.translate(_BRACKETS).split()
    if lowered in _NO_BOXES or not tokens:
        return _Cell(_NO_BOX, empty=True)
    if ":" in text:
        return _of_mappings(path, line, text, form)
    groups = (
        [tokens] if len(tokens) == 4 else [group.replace(",", " ").split() for group in _GROUP.findall(text)]
    )
    groups = [group for group in groups if group]
    if odd := [group for group in groups if len(group) != 4]:
        return _Cell(
            _NO_BOX,
            odd=f"{counted(len(odd[0]), 'value')} ({' '.join(odd[0])[:40]}) where a box has 4 numbers",
        )
    try:
        numbers = np.array(groups, object).astype(np.float64)
    except ValueError:
        return _Cell(_NO_BOX, odd=f"{text[:60]!r} where 4 numbers are expected")
    if not form.kind:
        said = "xywh (corner and size), xyxy (two corners) or cxcywh (centre and size)"
        reason = f"nothing says what the numbers of its boxes are ({text[:40]!r}); say --box-format {said}"
        raise InputError(path, reason, where=f"line {line}")
    return _Cell(two_corners(numbers, form.kind))


def _of_mappings(path: Path, line: int, text: str, form: Form) -> _Cell:
    """Returns the boxes of a cell that names the numbers, as JSON or Python do."""
    value = _literal(text)
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in items):
        return _Cell(_NO_BOX, odd=f"{text[:60]!r} where boxes are expected")
    boxes: list[NDArray[np.float64]] = []
    is_open = False
    for item in items:
        names = list(item)
        columns = by_name(names)
        named = form_of(names, columns, (*columns,))
        numbers = [item[names[columns[name]]] for name in named.columns] if named else []
        if named is None or len(numbers) != 4 or not all(map(_is_number, numbers)):
            return _Cell(_NO_BOX, odd=f"{text[:60]!r} where boxes are expected")
        if (angle := item[names[columns[ANGLE]]] if ANGLE in columns else 0) and named.kind != "xyxy":
            return _Cell(_NO_BOX, odd=f"is turned by {angle!r:.20}, expected an upright box")
        if form.kind and form.kind not in named.may_be():
            reason = (
                f"its boxes are {' or '.join(named.may_be())} by their names, not --box-format {form.kind}"
            )
            raise InputError(path, reason, where=f"line {line}")
        is_open = is_open or (named.is_open and not form.kind)
        boxes.append(two_corners(np.array([numbers], np.float64), form.kind or named.kind))
    return _Cell(np.concatenate(boxes), is_open=is_open) if boxes else _Cell(_NO_BOX, empty=True)


def _literal(text: str) -> Any:
    """Returns what JSON, or Python's way of writing the same, stands for; None where it is neither."""
    as_json = text.replace("'", '"').translate(_PYTHONS).replace("None", "null")
    for spelling in (text, as_json):
        try:
            return json.loads(spelling, object_pairs_hook=single_keys)
        except (ValueError, RecursionError):
            continue
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE

"""CSV as TFOD's tutorials write it: a header, then a row a box. Columns may stand in any order and others
beside them; a row with neither class nor box is an image without objects."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.errors import InputError
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord, Source, image_record

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
COLUMNS = ("filename", "width", "height", "class", *_CORNERS)

Texts = NDArray[np.object_]


def read(path: Path) -> Source:
    """The rows of a file, by image in the order in which images first appear. Classes are those that
    occur, in alphabetical order. InputError names the column or line that cannot be used."""
    columns, lines = _read_rows(path)
    filename, label = columns["filename"], columns["class"]
    for row in np.flatnonzero(filename == ""):
        raise InputError(path, f"line {lines[row]}", "filename is empty")
    unboxed = np.all([columns[name] == "" for name in (*_CORNERS, "class")], axis=0)
    sizes_wh = _numbers(path, lines, columns, ("width", "height"), np.ones_like(unboxed))  # (rows, 2)
    boxes_xyxy = _numbers(path, lines, columns, _CORNERS, unboxed)  # (rows, 4)
    classes = sorted(set(label) - {""})
    records = [
        _record(f"{path.name} line {lines[rows[0]]}", rows, columns, sizes_wh, boxes_xyxy, frozenset(classes))
        for rows in _rows_by_image(filename)
    ]
    issues = [
        Issue("class-unknown", f"{path.name} line {lines[row]}", None, "class is empty", True)
        for row in np.flatnonzero((label == "") & ~unboxed)
    ]
    return Source(tuple(classes), records, tuple(issues))


def _read_rows(path: Path) -> tuple[dict[str, Texts], NDArray[np.intp]]:
    """The columns of COLUMNS as trimmed texts, (rows,) each, without blank rows; and the rows' line
    numbers (which count a line break inside quotes as none)."""
    table = {str(name).strip(): column for name, column in _read_table(path).items()}
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        reason = f"no column {', '.join(missing)}; found {', '.join(table)}; expected {', '.join(COLUMNS)}"
        raise InputError(path, "line 1", reason)
    columns: dict[str, Texts] = {name: table[name].str.strip().to_numpy(object) for name in COLUMNS}
    filled = np.flatnonzero(np.any([column != "" for column in columns.values()], axis=0))
    return {name: column[filled] for name, column in columns.items()}, filled + 2


def _read_table(path: Path) -> Any:
    """A pandas table of texts. Numbers too: pandas' own parser may round otherwise than Python's float,
    and so than TFOD's script."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,  # a class may be called NA
                index_col=False,  # a stray comma at the line ends is no index
                skip_blank_lines=False,
                encoding="utf-8-sig",
            )
    except pd.errors.EmptyDataError as fault:
        raise InputError(path, "", f"is empty, expected a header {','.join(COLUMNS)}") from fault
    except pd.errors.ParserWarning as fault:
        raise InputError(path, "line 1", "the header has fewer columns than the rows") from fault
    except (pd.errors.ParserError, UnicodeDecodeError) as fault:
        raise InputError(path, "", f"cannot be read as CSV in UTF-8 ({str(fault).strip()})") from fault


def _numbers(
    path: Path,
    lines: NDArray[np.intp],
    columns: Mapping[str, Texts],
    names: tuple[str, ...],
    may_lack: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(rows, names) float64; 0 where a number is missing in a row that may lack it."""
    numbers = np.zeros((len(lines), len(names)))
    for column, name in enumerate(names):
        for row, text in enumerate(columns[name]):
            if text or not may_lack[row]:
                try:
                    numbers[row, column] = float(text)
                except ValueError:
                    reason = f"{name} is {text!r}, expected a number"
                    raise InputError(path, f"line {lines[row]}", reason) from None
    return numbers


def _rows_by_image(filenames: Texts) -> list[list[int]]:
    rows: dict[str, list[int]] = {}
    for row, filename in enumerate(filenames):
        rows.setdefault(filename, []).append(row)
    return list(rows.values())


def _record(
    source: str,
    rows: list[int],
    columns: Mapping[str, Texts],
    sizes_wh: NDArray[np.float64],
    boxes_xyxy: NDArray[np.float64],
    labeled: frozenset[str],
) -> ImageRecord:
    boxed = [row for row in rows if columns["class"][row]]
    width, height = sizes_wh[rows[0]]
    filename = columns["filename"][rows[0]]
    return image_record(
        image_id=filename,
        filename=filename,
        source=source,
        width=_pixels(width),
        height=_pixels(height),
        boxes_xyxy=boxes_xyxy[boxed],
        names=tuple(columns["class"][boxed]),
        labeled=labeled,
    )


def _pixels(number: float) -> int:
    return int(number) if np.isfinite(number) else 0

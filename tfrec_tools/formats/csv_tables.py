"""A CSV file read in pieces: our columns of some of its rows at a time, as texts or as numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tfrec_tools.errors import InputError
from tfrec_tools.formats.csv_columns import IMAGE_SIZES, CsvLayout
from tfrec_tools.formats.csv_forms import BBOX
from tfrec_tools.formats.grouping import Column

_ROWS = 100_000  # read at a time


def tables(
    path: Path, file: BinaryIO, layout: CsvLayout, first: int
) -> Iterator[tuple[dict[str, Column], int]]:
    """Yields pieces of the file: our columns as trimmed texts or as numbers, (rows,) each; and the line of
    the first row (which counts a line break inside quotes as none)."""
    line = layout.first_line + first - 1
    numbers = {*IMAGE_SIZES, *layout.form.columns} - {BBOX}
    for table in _chunks(path, file, layout, _ROWS):
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


def _chunks(path: Path, file: BinaryIO, csv_layout: CsvLayout, rows: int) -> Iterator[Any]:
    """pandas tables of texts, some rows at a time, with all of the columns of `file`, which is closed at
    the end; `path` is for errors."""
    import pandas as pd

    options: dict[str, Any] = {
        "sep": csv_layout.separator,
        "header": None,
        "skiprows": csv_layout.first_line - 1,
        "dtype": str,
        "keep_default_na": False,  # a class may be called NA
        "index_col": False,  # a stray comma at the line ends is no index
        "skip_blank_lines": False,
        "encoding": "utf-8-sig",
        "chunksize": rows,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            with file, pd.read_csv(file, names=list(range(csv_layout.width)), **options) as reader:
                yield from reader
    except pd.errors.EmptyDataError:
        yield pd.DataFrame(columns=range(csv_layout.width), dtype=str)
    except pd.errors.ParserWarning as fault:
        raise InputError(path, "the header has fewer columns than the rows", where="line 1") from fault
    except (pd.errors.ParserError, UnicodeDecodeError, ValueError, OverflowError) as fault:
        reason = f"cannot be read as CSV in UTF-8 ({' '.join(str(fault).split())})"
        raise InputError(path, reason) from fault

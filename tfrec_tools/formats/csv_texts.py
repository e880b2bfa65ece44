"""Rows of CSV files whose cells are texts, JSON among them, one by one with their lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError
from tfrec_tools.formats.json_documents import single_keys
from tfrec_tools.system.regular_files import open_text

_LONGEST = 1 << 28  # characters of a cell; the csv module allows 131,072, a brush stroke has more
_HEADER_ROWS = 1_000_000  # characters


def rows(path: Path, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yields (line where it ends, trimmed cells) of the rows in which something stands. InputError where the
    file is no CSV in UTF-8."""
    allowed = csv.field_size_limit(_LONGEST)
    try:
        with open_text(path, "utf-8-sig", newline="") as file:
            # strict, so that a quote that is left open is an error
            reader = csv.reader(file, delimiter=separator, strict=True)
            for cells in reader:
                trimmed = [cell.strip() for cell in cells]
                if any(trimmed):
                    yield reader.line_num, trimmed
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError(path, f"cannot be read as CSV in UTF-8 ({fault})") from fault
    finally:
        csv.field_size_limit(allowed)


def named_rows(path: Path, separator: str = ",") -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yields (line, {name of the column: cell}) of the rows after the header; a row that is too short lacks
    its last cells. InputError where a row has more cells than the header."""
    listed = rows(path, separator)
    _, header = next(listed, (1, []))
    for line, cells in listed:
        if len(cells) > len(header):
            reason = f"has {len(cells)} cells, expected at most {len(header)} as in the header"
            raise InputError(path, reason, where=f"line {line}")
        yield line, dict(zip(header, cells, strict=False))


def header_of(path: Path, separator: str = ",") -> list[str]:
    """Returns the cells of the first line; none where it cannot be read."""
    try:
        with open_text(path, "utf-8-sig", newline="") as file:
            first = file.readline(_HEADER_ROWS)
        return [cell.strip() for cell in next(csv.reader([first], delimiter=separator), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def json_of(cell: str) -> Any:
    """Returns what the JSON in a cell stands for, NaN and Infinity as floats. Raises ValueError where it is
    none, or has a key twice in one object."""
    try:
        return json.loads(cell, object_pairs_hook=single_keys)
    except RecursionError as fault:
        raise ValueError("is nested too deeply") from fault

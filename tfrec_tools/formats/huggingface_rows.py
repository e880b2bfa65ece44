"""Lines of metadata.jsonl, and rows of metadata.csv."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError
from tfrec_tools.formats.json_documents import decoded
from tfrec_tools.system.regular_files import read_bytes

_EXPECTED = "metadata of an image folder"
_PALIGEMMA = re.compile(rb'"suffix"\s*:\s*"[^"]*<loc\d{4}>')


@dataclass(frozen=True, slots=True)
class Row:
    """A line, counted from 1, and what stands in it; None where that cannot be read, as `fault` says."""

    line: int
    value: Mapping[str, Any] | None
    fault: str = ""


def shows_paligemma(data: bytes) -> bool:
    """Returns whether lines are those that PaliGemma is taught with: boxes inside of a text."""
    return _PALIGEMMA.search(data) is not None


def rows_of(file: Path) -> Iterator[Row]:
    """Yields the lines of a file that are not empty. Raises InputError where it cannot be read at all."""
    try:
        data = read_bytes(file).removeprefix(b"\xef\xbb\xbf")
    except OSError as fault:
        reason = f"cannot be read ({fault.strerror or fault}), expected {_EXPECTED}"
        raise InputError(file, reason) from fault
    if shows_paligemma(data):
        reason = (
            "is JSONL of PaliGemma, whose boxes are 1024ths of an image inside of a text; export it as COCO"
        )
        raise InputError(file, reason)
    return _of_csv(file, data) if file.suffix.lower() == ".csv" else _of_lines(file, data)


def _of_lines(file: Path, data: bytes) -> Iterator[Row]:
    for line, part in enumerate(data.split(b"\n"), start=1):
        if part.strip():
            yield _row(file, line, part)


def _row(file: Path, line: int, part: bytes) -> Row:
    try:
        value = decoded(file, part, _EXPECTED)
    except InputError as fault:
        return Row(line, None, fault.reason)
    if not isinstance(value, dict):
        return Row(line, None, f"is no object, expected {_EXPECTED}")
    return Row(line, value)


def _of_csv(file: Path, data: bytes) -> Iterator[Row]:
    """Yields the rows, whose objects are JSON in their cell."""
    try:
        rows = csv.DictReader(StringIO(data.decode(), newline=""), strict=True)
        for values in rows:
            objects = values.get("objects")
            if not objects:
                yield Row(rows.line_num, values | {"objects": None})
                continue
            inner = _row(file, rows.line_num, b'{"objects":' + objects.encode() + b"}")
            yield Row(inner.line, None if inner.value is None else values | dict(inner.value), inner.fault)
    except UnicodeDecodeError as fault:
        raise InputError(file, f"byte {fault.start} is not UTF-8, expected {_EXPECTED}") from fault
    except csv.Error as fault:
        raise InputError(file, f"broken CSV: {fault}, expected {_EXPECTED}") from fault

"""Which column of a CSV file is what: by its header, as told, or by keras-retinanet's fixed order."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tfrec_tools.errors import InputError

CORNERS = ("xmin", "ymin", "xmax", "ymax")
SIZES = ("width", "height")
FLAGS = ("occluded", "truncated", "group_of", "difficult")
COLUMNS = ("filename", *SIZES, "class", *CORNERS)
_NEEDED = ("filename", "class", *CORNERS)
_SEPARATORS = ",;\t|"

# Common names, the likeliest first; case and all but letters and digits are left out of account.
_NAMES: dict[str, tuple[str, ...]] = {
    "filename": (
        *("filename", "file", "imagename", "imagefile", "imagepath", "filepath", "path", "imgpath"),
        *("image", "img", "imageid"),
    ),
    "width": ("width", "imagewidth", "imgwidth"),
    "height": ("height", "imageheight", "imgheight"),
    "class": ("class", "classname", "label", "labelname", "celltype", "category", "categoryname", "name"),
    "xmin": ("xmin", "x1", "left", "bboxxmin", "x0"),
    "ymin": ("ymin", "y1", "top", "bboxymin", "y0"),
    "xmax": ("xmax", "x2", "right", "bboxxmax"),
    "ymax": ("ymax", "y2", "bottom", "bboxymax"),
    "occluded": ("occluded", "isoccluded"),
    "truncated": ("truncated", "istruncated"),
    "group_of": ("groupof", "isgroupof"),
    "difficult": ("difficult", "isdifficult"),
}
_RETINANET = ("filename", *CORNERS, "class")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read: its separator, the number of each of our columns, how many columns there
    are, and the line of the first row of data."""

    separator: str
    columns: dict[str, int]
    width: int
    first_line: int


def layout(path: Path, given: Mapping[str, str]) -> Layout:
    """From the file's first line and what the user says of it, {our name: name or number from 0}.
    InputError lists the columns that are missing and those that there are."""
    line = _first_line(path)
    separator = max(_SEPARATORS, key=_outside_quotes(line).count)
    header = [name.strip() for name in next(csv.reader([line], delimiter=separator))]
    unknown = [name for name in given if name not in _NAMES]
    if unknown:
        raise InputError("--columns", f"{', '.join(unknown)} is none of {', '.join(_NAMES)}")
    if not given and _is_retinanet(header):
        numbers = {name: number for number, name in enumerate(_RETINANET)}
        return Layout(separator, numbers, len(header), 1)
    columns = _chosen(path, header, given) | _by_name(header, given)
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        reason = (
            f"no column {', '.join(missing)}; found {', '.join(header)}; expected {', '.join(COLUMNS)}, "
            "or --columns"
        )
        raise InputError(path, reason, where="line 1")
    return Layout(separator, columns, len(header), 2)


def chunks(path: Path, file: BinaryIO, found: Layout, rows: int) -> Iterator[Any]:
    """pandas tables of texts, some rows at a time, with all of the columns of `file`, which is closed at
    the end; `path` is for errors."""
    import pandas as pd

    options: dict[str, Any] = {
        "sep": found.separator,
        "header": None,
        "skiprows": found.first_line - 1,
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
            with file, pd.read_csv(file, names=list(range(found.width)), **options) as reader:
                yield from reader
    except pd.errors.EmptyDataError:
        yield pd.DataFrame(columns=range(found.width), dtype=str)
    except pd.errors.ParserWarning as fault:
        raise InputError(path, "the header has fewer columns than the rows", where="line 1") from fault
    except (pd.errors.ParserError, UnicodeDecodeError, ValueError, OverflowError) as fault:
        reason = f"cannot be read as CSV in UTF-8 ({' '.join(str(fault).split())})"
        raise InputError(path, reason) from fault


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            line = file.readline(1_000_000)
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as CSV in UTF-8 ({fault})") from fault
    if not line.strip():
        raise InputError(path, f"is empty, expected a header {','.join(COLUMNS)}")
    return line


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _is_retinanet(cells: list[str]) -> bool:
    """Whether a first row is one of data: a path, then four numbers and a class, or five blanks."""
    if len(cells) != len(_RETINANET):
        return False
    corners = cells[1:5]
    return all(map(_is_number, corners)) or not any(cells[1:])


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _chosen(path: Path, header: list[str], given: Mapping[str, str]) -> dict[str, int]:
    """The columns that the user names, by name or by number."""
    columns = {}
    for name, wanted in given.items():
        if wanted in header:
            columns[name] = header.index(wanted)
        elif wanted.isdecimal() and int(wanted) < len(header):
            columns[name] = int(wanted)
        else:
            raise InputError(
                path, f"no column {wanted!r} for {name}; found {', '.join(header)}", where="line 1"
            )
    return columns


def _by_name(header: list[str], given: Mapping[str, str]) -> dict[str, int]:
    """The first column of the likeliest name, for each of our names that the user has not said."""
    plain = ["".join(letter for letter in name.lower() if letter.isalnum()) for name in header]
    columns = {}
    for name, likely in _NAMES.items():
        found = next((plain.index(one) for one in likely if one in plain), None)
        if name not in given and found is not None:
            columns[name] = found
    return columns

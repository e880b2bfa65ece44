"""Which column of a CSV file is what: by its header, as the user says, or by keras-retinanet's fixed
order."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import open_text

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
# What people write where there is no number, and instead of a class where there is nothing to be seen.
BLANKS = frozenset(("", "nan", "null", "none", "na", "n/a", "nil", "-"))
NO_CLASS = BLANKS | frozenset(("no finding", "no findings", "no object", "no objects", "nothing", "empty"))
# Columns that are no corners, by the same spelling as _NAMES.
_NO_CORNERS = frozenset(
    (
        *("x", "y", "w", "h", "width", "height", "cx", "cy", "xcenter", "ycenter", "xcentre", "ycentre"),
        *("centerx", "centery", "bboxx", "bboxy", "bboxw", "bboxh", "bboxwidth", "bboxheight", "boxwidth"),
        *("boxheight", "bw", "bh", "bx", "by"),
    )
)
_SIDES = frozenset(name for name in _NO_CORNERS if len(name) > 2)
_SHAPES = re.compile(
    r"[xy][3-9]|([xy]min|[xy]max)\d+|angle|theta|rotation|polygons?|points|keypoints?|segmentations?|masks?"
    r"|encodedpixels|rle"
)
_RETINANET = ("filename", *CORNERS, "class")


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How a file is to be read: its separator, the number of each of our columns, how many columns there
    are, the line of the first row of data, and the names of columns that say where things are and are not
    read."""

    separator: str
    columns: dict[str, int]
    width: int
    first_line: int
    unread: tuple[str, ...] = ()


def layout(path: Path, user_columns: Mapping[str, str]) -> CsvLayout:
    """Reads the layout from the file's first line and what the user says of it, {our name: name or number
    from 0}. InputError lists the columns that are missing and those that there are."""
    line = _first_line(path)
    separator = max(_SEPARATORS, key=_outside_quotes(line).count)
    header = _cells(path, line, separator)
    unknown = [name for name in user_columns if name not in _NAMES]
    if unknown:
        raise InputError("--columns", f"{', '.join(unknown)} is none of {', '.join(_NAMES)}")
    if not user_columns and _is_retinanet(header):
        numbers = {name: number for number, name in enumerate(_RETINANET)}
        return CsvLayout(separator, numbers, len(header), 1)
    if (numbered := _numbered(header, user_columns)) is not None:
        return CsvLayout(separator, numbered, len(header), 1)
    columns = _chosen(path, header, user_columns) | _by_name(header, user_columns)
    _require_single(path, header, columns, user_columns)
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise InputError(path, _lacking(header, missing), where="line 1")
    used = set(columns.values())
    others = [name for number, name in enumerate(header) if number not in used]
    unread = tuple(name for name in others if _SHAPES.fullmatch(_plain(name)))
    return CsvLayout(separator, columns, len(header), 2, unread)


def _lacking(header: list[str], missing: list[str]) -> str:
    """Returns what is wrong with a header, and what would mend it."""
    lacks = f"no column {', '.join(missing)}; found {', '.join(header)}; "
    odd = [name for name in header if _plain(name) in _NO_CORNERS]
    if set(missing) & set(CORNERS) and {_plain(name) for name in odd} - set(SIZES):
        return (
            f"{lacks}{', '.join(odd)} seem to be a point and a size, which are no corners of a box: make "
            f"columns {', '.join(CORNERS)} of them"
        )
    if sum(map(_is_number, header)) >= len(CORNERS):
        return (
            f"{lacks}where that is a row of data and there is no header, say --columns "
            "filename=0,class=1,xmin=2,ymin=3,xmax=4,ymax=5 with the numbers of the columns"
        )
    return f"{lacks}expected {', '.join(COLUMNS)}, or --columns"


def chunks(path: Path, file: BinaryIO, csv_layout: CsvLayout, rows: int) -> Iterator[Any]:
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


def _first_line(path: Path) -> str:
    try:
        with open_text(path, "utf-8-sig") as file:
            line = file.readline(1_000_000)
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as CSV in UTF-8 ({fault})") from fault
    if not line.strip():
        raise InputError(path, f"is empty, expected a header {','.join(COLUMNS)}")
    return line


def _cells(path: Path, line: str, separator: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=separator))]
    except csv.Error as fault:
        reason = f"cannot be read as a header of CSV ({fault}), expected {','.join(COLUMNS)}"
        raise InputError(path, reason, where="line 1") from fault


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _is_retinanet(cells: list[str]) -> bool:
    """Returns whether a first row is one of data: a path, then four numbers and a class, or nothing."""
    return len(cells) == len(_RETINANET) and _are_corners(cells[1:5])


def _numbered(cells: list[str], user_columns: Mapping[str, str]) -> dict[str, int] | None:
    """Returns the columns that the user gives by their numbers, where the first row is one of data; else
    None."""
    if not all(name in user_columns for name in _NEEDED):
        return None
    if not all(wanted.isdecimal() and int(wanted) < len(cells) for wanted in user_columns.values()):
        return None
    columns = {name: int(wanted) for name, wanted in user_columns.items()}
    return columns if _are_corners([cells[columns[name]] for name in CORNERS]) else None


def _are_corners(cells: list[str]) -> bool:
    """Returns whether four cells are those of a row of data: numbers, or nothing."""
    return all(_is_number(cell) or cell.lower() in BLANKS for cell in cells)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _chosen(path: Path, header: list[str], user_columns: Mapping[str, str]) -> dict[str, int]:
    """Returns the columns that the user names, by name or by number."""
    columns = {}
    for name, wanted in user_columns.items():
        if name in CORNERS and _plain(wanted) in _SIDES and wanted in header:
            reason = f"is a size or a centre by its name, no corner of a box such as {name}; found"
            raise InputError(path, f"column {wanted!r} {reason} {', '.join(header)}", where="line 1")
        if wanted in header:
            columns[name] = header.index(wanted)
        elif wanted.isdecimal() and int(wanted) < len(header):
            columns[name] = int(wanted)
        else:
            raise InputError(
                path, f"no column {wanted!r} for {name}; found {', '.join(header)}", where="line 1"
            )
    return columns


def _by_name(header: list[str], user_columns: Mapping[str, str]) -> dict[str, int]:
    """Returns the first column of the most likely name, for each of our names that the user has not said."""
    plain = [_plain(name) for name in header]
    columns = {}
    for name, likely in _NAMES.items():
        at = next((plain.index(spelling) for spelling in likely if spelling in plain), None)
        if name not in user_columns and at is not None:
            columns[name] = at
    return columns


def _require_single(
    path: Path, header: list[str], columns: Mapping[str, int], user_columns: Mapping[str, str]
) -> None:
    """Raises InputError where two columns have the name that one of ours was found by."""
    for name, number in columns.items():
        if user_columns.get(name) == str(number):
            continue
        alike = [i for i, other in enumerate(header) if _plain(other) == _plain(header[number])]
        if header[number] == user_columns.get(name):
            alike = [i for i in alike if header[i] == header[number]]
        if len(alike) > 1:
            numbers = " and ".join(map(str, alike))
            reason = f"columns {numbers} (from 0) are both {header[number]!r}; say --columns {name}={number}"
            raise InputError(path, f"{reason} or the other", where="line 1")


def _plain(name: str) -> str:
    """Returns a name in lower case without all but its letters and digits."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def shows(file: Path) -> bool:
    """Returns whether a CSV file has the columns that are needed."""
    try:
        layout(file, {})
    except (InputError, OSError):
        return False
    return True

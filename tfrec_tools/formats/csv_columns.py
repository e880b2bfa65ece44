"""Which column of a CSV file is what: by its header, as the user says, or by keras-retinanet's fixed
order."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.formats.csv_forms import (
    ANGLE,
    BBOX,
    BLANKS,
    CORNERS,
    FLAGS,
    FOUR_CORNERS,
    NAMES,
    POINTS,
    SIZES,
    SPLIT,
    Form,
    by_name,
    form_of,
    plain,
    points_of,
)
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.system.regular_files import open_text

COLUMNS = ("filename", *SIZES, "class", *CORNERS)
IMAGE_SIZES = ("image_width", "image_height")
_SEPARATORS = ",;\t|"
_OF_SIZES = (name for key in ("width", "height", "w", "h", "cx", "cy") for name in NAMES[key])
_NO_CORNERS = frozenset(name for name in _OF_SIZES if len(name) > 2)
_SHAPES = re.compile(
    r"[xy][3-9]|([xy]min|[xy]max)\d+|polygons?|points|keypoints?|segmentations?|masks?|encodedpixels|rle|"
    + "|".join(NAMES[ANGLE])
)
_UPRIGHT = ("xyxy", FOUR_CORNERS)  # kinds of boxes that no angle turns
_RETINANET = ("filename", *CORNERS, "class")
_OPEN_IMAGES = {"filename": "imageid", "class": "labelname"}  # how it calls these, spelled plainly
_NONE = "none"  # what --columns says of ours where no column is it
_LONGEST = 9  # digits of a column's number; Python makes none of thousands
_OF_LABEL_STUDIO = {"annotation_id", "annotator", "lead_time"}


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How a file is to be read.

    columns      {our name: number of the column} of those that are read; IMAGE_SIZES are the image's
    form         how its columns say where boxes are
    width        how many columns there are
    first_line   of the rows of data
    unread       names of columns that say where things are and are not read
    class_name   of all boxes, where no column has their class
    class_names  {class as the file has it: its name} where these differ
    is_open_images   whether the columns of images and classes are called as in Open Images
    header       the names of the columns; of a file without any the cells of its first row
    """

    separator: str
    columns: dict[str, int]
    form: Form
    width: int
    first_line: int
    unread: tuple[str, ...] = ()
    class_name: str = ""
    class_names: Mapping[str, str] = field(default_factory=dict)
    is_open_images: bool = False
    header: tuple[str, ...] = ()


def layout(path: Path, options: ReadOptions = DEFAULT) -> CsvLayout:
    """Reads the layout from the file's first line and what the user says of it. InputError lists the columns
    that are missing and those that there are, or of which it is unclear which one is meant."""
    read = _layout(path, options)
    if read.first_line > 1:
        _require_clear_class(path, read, dict(options.columns))
    return read


def _layout(path: Path, options: ReadOptions) -> CsvLayout:
    """Returns the layout with the first of several columns that may be the class."""
    line = _first_line(path)
    separator = max(_SEPARATORS, key=_outside_quotes(line).count)
    header = _cells(path, line, separator)
    columns, has_header = _columns(path, header, options)
    form = form_of(header if has_header else (), columns, dict(options.columns))
    lacking = _lacking(columns, form, options)
    if form is None or lacking:
        raise InputError(path, _how_to_mend(header, columns, lacking), where="line 1")
    class_name = _only_class(options)
    if class_name and "class" in columns:
        reason = f"has a column of classes ({header[columns['class']]!r})" if has_header else "has classes"
        advice = "; say --columns class=none where it is not that of the boxes" if has_header else ""
        raise InputError(path, f"{reason}, expected none with --class-names {class_name}{advice}")
    form = _as_said(path, form, options.box_format)
    read = _read(columns, form)
    used = {number for name, number in read.items() if name != ANGLE}
    others = [name for number, name in enumerate(header) if has_header and number not in used]
    return CsvLayout(
        separator,
        read,
        form,
        len(header),
        1 + has_header,
        tuple(name for name in others if _SHAPES.fullmatch(plain(name))),
        class_name,
        is_open_images=[plain(header[read[name]]) for name in _OPEN_IMAGES if name in read]
        == list(_OPEN_IMAGES.values()),
        header=tuple(header),
    )


def _columns(path: Path, header: list[str], options: ReadOptions) -> tuple[dict[str, int], bool]:
    """Returns the number of each of our columns that there is, and whether the first row is a header."""
    user_columns = dict(options.columns)
    unknown = [name for name in user_columns if name not in NAMES]
    if unknown:
        raise InputError("--columns", f"{', '.join(unknown)} is none of {', '.join(NAMES)}")
    if not user_columns and _is_retinanet(header):
        return {name: number for number, name in enumerate(_RETINANET)}, False
    if (numbered := _numbered(header, options)) is not None:
        return numbered, False
    columns = _chosen(path, header, user_columns) | by_name(header, user_columns)
    _require_single(path, header, columns, user_columns)
    return columns, True


def _read(columns: Mapping[str, int], form: Form) -> dict[str, int]:
    """Returns the columns that are read: the sizes of images by IMAGE_SIZES, which else may be those of
    boxes; and an angle, where it may turn the boxes."""
    turning = () if form.kind in _UPRIGHT else (ANGLE,)
    names = ("filename", "class", SPLIT, *turning, *FLAGS, *form.columns)
    read = {name: columns[name] for name in names if name in columns}
    for size, of_image in zip(SIZES, IMAGE_SIZES, strict=True):
        plain_size = columns.get(size) if size not in form.columns else None
        if (number := columns.get(of_image, plain_size)) is not None:
            read[of_image] = number
    return read


def _as_said(path: Path, form: Form, box_format: str | None) -> Form:
    """Returns the form as --box-format settles it."""
    if box_format is None:
        return form
    if box_format not in form.may_be():
        listed = ", ".join(form.columns)
        reason = f"its boxes are {' or '.join(form.may_be())} by their columns ({listed})"
        raise InputError(path, f"{reason}, not --box-format {box_format}", where="line 1")
    return Form(box_format, form.columns)


def _only_class(options: ReadOptions) -> str:
    """Returns the class of all boxes, as the user says; "" where nobody does. InputError where that are
    several classes."""
    names = options.class_names or ("",)
    if len(names) > 1:
        raise InputError(
            "--class-names", f"has {len(names)} names, expected the one class of all boxes of a CSV"
        )
    return names[0]


def _lacking(columns: Mapping[str, int], form: Form | None, options: ReadOptions) -> list[str]:
    """Returns the columns that are needed and not there."""
    needed = ["filename", *([] if _only_class(options) else ["class"]), *(() if form else CORNERS)]
    return [name for name in needed if name not in columns]


def _how_to_mend(header: list[str], columns: Mapping[str, int], missing: list[str]) -> str:
    """Returns what is wrong with a header, and what would mend it."""
    lacks = f"no column {', '.join(missing)}; found {', '.join(header)}; "
    has_point = any(set(point) <= set(columns) for point in POINTS)
    if has_point and set(SIZES) <= set(columns) and set(missing) & set(CORNERS):
        return (
            f"{lacks}{' and '.join(header[columns[size]] for size in SIZES)} may be the size of the image or "
            f"of the box: for the box say --columns w={columns['width']},h={columns['height']}"
        )
    points = [header[at] for at in points_of(header)]
    if len(points) > len(CORNERS) and set(CORNERS) <= set(missing):
        told = ",".join(f"{name}={point}" for name, point in zip(CORNERS, points, strict=False))
        return (
            f"{lacks}{', '.join(points)} may be the points of a shape, or a box and other points: where the "
            f"first two are the corners of the box, say --columns {told}"
        )
    if sum(map(_is_number, header)) >= len(CORNERS):
        return (
            f"{lacks}where that is a row of data and there is no header, say --columns "
            "filename=0,class=1,xmin=2,ymin=3,xmax=4,ymax=5 with the numbers of the columns"
        )
    if missing == ["class"]:
        return f"{lacks}say --class-names NAME where all boxes are of one class, or --columns class=COLUMN"
    return f"{lacks}expected {', '.join(COLUMNS)}, or --columns"


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


def _is_place(word: str, columns: int) -> bool:
    """Returns whether a word is the number of one of so many columns."""
    return word.isdecimal() and len(word) <= _LONGEST and int(word) < columns


def _numbered(cells: list[str], options: ReadOptions) -> dict[str, int] | None:
    """Returns the columns that the user gives by their numbers, where the first row is one of data; else
    None."""
    wanted = {name: column for name, column in options.columns if column != _NONE}
    if not all(_is_place(number, len(cells)) for number in wanted.values()):
        return None
    columns = {name: int(number) for name, number in wanted.items()}
    form = form_of((), columns, columns)
    if form is None or _lacking(columns, form, options):
        return None
    boxes = [cells[columns[name]] for name in form.columns]
    is_data = _are_corners(boxes) if form.columns != (BBOX,) else any(map(str.isdigit, boxes[0]))
    return columns if is_data else None


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
    """Returns the columns that the user names, by name or by number, without those that are none."""
    columns = {}
    for name, wanted in user_columns.items():
        if name in CORNERS and plain(wanted) in _NO_CORNERS and wanted in header:
            reason = f"is a size or a centre by its name, no corner of a box such as {name}; found"
            raise InputError(path, f"column {wanted!r} {reason} {', '.join(header)}", where="line 1")
        if wanted in header:
            columns[name] = header.index(wanted)
        elif _is_place(wanted, len(header)):
            columns[name] = int(wanted)
        elif wanted != _NONE:
            raise InputError(
                path, f"no column {wanted!r} for {name}; found {', '.join(header)}", where="line 1"
            )
    return columns


def _require_single(
    path: Path, header: list[str], columns: Mapping[str, int], user_columns: Mapping[str, str]
) -> None:
    """Raises InputError where two columns have the name that one of ours was found by."""
    for name, number in columns.items():
        if user_columns.get(name) == str(number):
            continue
        alike = [i for i, other in enumerate(header) if plain(other) == plain(header[number])]
        if header[number] == user_columns.get(name):
            alike = [i for i in alike if header[i] == header[number]]
        if len(alike) > 1:
            numbers = " and ".join(map(str, alike))
            reason = f"columns {numbers} (from 0) are both {header[number]!r}; say --columns {name}={number}"
            raise InputError(path, f"{reason} or the other", where="line 1")


def _require_clear_class(path: Path, read: CsvLayout, user_columns: Mapping[str, str]) -> None:
    """Raises InputError where several columns may hold the classes: such as the number of each in `class`,
    and what it is called in `name`."""
    header, columns = read.header, read.columns
    used = {number for name, number in columns.items() if name != "class"}
    likely = [i for i, other in enumerate(header) if plain(other) in NAMES["class"] and i not in used]
    if "class" in columns and "class" not in user_columns and len(likely) > 1:
        listed = " and ".join(repr(header[i]) for i in likely)
        flags = " or ".join(f"--columns class={header[i]}" for i in likely)
        raise InputError(
            path, f"columns {listed} may each be that of the classes; say {flags}", where="line 1"
        )


def shows(file: Path) -> bool:
    """Returns whether a CSV file has the columns that are needed, but for that of classes, and is no export
    of Label Studio, in which a control may be called box."""
    try:
        header = _layout(file, DEFAULT).header
    except (InputError, OSError):
        try:
            header = _layout(file, ReadOptions(class_names=("any",))).header
        except (InputError, OSError):
            return False
    return not set(header) >= _OF_LABEL_STUDIO

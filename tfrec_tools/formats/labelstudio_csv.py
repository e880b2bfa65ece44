"""Label Studio's CSV and TSV (https://labelstud.io/guide/export): a row an annotation of a task, with the
data of the task and, in a column a control, its regions as JSON.

Numbers are percent of the image's width and height; rectangles are turned about their upper left corner, by
degrees, clockwise. Of several annotations of a task the first counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.csv_texts import header_of, json_of, named_rows
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable, source
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import Corners, around_ellipse, around_points, from_size, turned

_MARKS = frozenset(("annotation_id", "lead_time"))  # columns of every export
_IMAGE = re.compile(r"\.(?:jpe?g|jfif|png|bmp|gif|tiff?|webp|avif|heic)$", re.IGNORECASE)
_LABELS = re.compile(r"(rectangle|polygon|ellipse|brush|keypoint|)labels")
_SHAPES = {"points": "polygon", "radiusX": "ellipse", "rle": "brush", "height": "rectangle"}
_REGIONS = re.compile(r'^\[\s*\{.*"(?:\w*labels|original_width)"', re.DOTALL)

_LOOKED_AT = 100  # rows that show what a file is
_LARGEST = 1e9  # pixels of a side

Row = tuple[int, Mapping[str, str]]  # its line and its cells


def read(path: Path, _: ReadOptions = DEFAULT) -> Source:
    """Returns the images of the tasks in the order in which they first appear. Classes are those that occur,
    in alphabetical order. A task that nobody has annotated is image-unannotated. InputError where the file
    has not the columns of an export."""
    separator = _separator(path)
    if not _MARKS & set(header_of(path, separator)):
        reason = f"no column {' or '.join(sorted(_MARKS))}, expected Label Studio's CSV or TSV"
        raise InputError(path, reason, where="line 1")
    listed = list(named_rows(path, separator))
    controls = [name for name in (listed[0][1] if listed else ()) if _is_control(name, listed)]
    of_task: dict[str, list[Row]] = {}
    for line, cells in listed:
        of_task.setdefault(cells.get("id") or f"line {line}", []).append((line, cells))
    return source(_image(path, annotations, controls) for annotations in of_task.values())


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _is_control(name: str, rows: Iterable[Row]) -> bool:
    """Returns whether regions stand in a column."""
    return any(_REGIONS.match(cells.get(name, "")) for _, cells in rows)


def _image(path: Path, annotations: Sequence[Row], controls: Sequence[str]) -> DrawnImage | Unusable:
    (line, cells), *others = annotations
    where = f"{readable(path.name)} line {line}"
    regions = list(_regions(line, cells, controls))
    filename, fault = _filename({name: cell for name, cell in cells.items() if name not in controls})
    left = [drawn for other in others for drawn in _left_out(*other, controls)]
    if fault:
        return Unusable(Issue("image-unknown", where, None, fault, True), len(regions) + len(left))
    size_wh = next((size for _, region in regions if all(size := _size(region))), (0, 0))
    objects = [drawn for place, region in regions for drawn in _drawn(place, region, size_wh)]
    issues = []
    if cells.get("annotation_id", "-") == "" and not regions:
        message = f"line {line}: {filename} has no annotation"
        issues.append(Issue("image-unannotated", where, None, message, False))
    return DrawnImage(
        where,
        filename,
        (*objects, *left),
        *size_wh,
        relative=bool(objects) and not all(size_wh),
        issues=tuple(issues),
    )


def _regions(line: int, cells: Mapping[str, str], controls: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yields (place, region) of a row. A shape and its labels, if chosen by controls of their own, have the
    same numbers: the shape alone is left out."""
    listed: list[tuple[str, Any]] = []
    for name in controls:
        try:
            value = json_of(cells[name]) if cells.get(name) else []
        except ValueError:
            value = [cells[name]]
        items = value if isinstance(value, list) else [value]
        listed += [(f"line {line}: {name}[{number}]", item) for number, item in enumerate(items)]
    named = [_numbers_of(item) for _, item in listed if isinstance(item, dict) and _key(item)]
    for place, item in listed:
        if not isinstance(item, dict) or _key(item) or _numbers_of(item) not in named:
            yield place, item


def _left_out(line: int, cells: Mapping[str, str], controls: Sequence[str]) -> Iterator[Drawn]:
    for place, _ in _regions(line, cells, controls):
        why = "is of another annotation of the image, of which the first counts"
        yield Drawn(place, "", None, code="annotation-unread", why=why)


def _key(region: Mapping[str, Any]) -> str:
    """Returns the key of a region's labels; "" where it has none."""
    return next((key for key in region if _LABELS.fullmatch(key)), "")


def _numbers_of(region: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in region.items() if not _LABELS.fullmatch(key)}


def _size(region: Any) -> tuple[int, int]:
    """Returns the size of the image in pixels as a region says it; 0 where it does not."""
    said: Mapping[str, Any] = region if isinstance(region, dict) else {}
    width, height = (_pixels(said.get(f"original_{side}")) for side in ("width", "height"))
    return width, height


def _pixels(value: Any) -> int:
    return int(value) if _is_number(value) and 0 < value < _LARGEST else 0


def _drawn(where: str, region: Any, size_wh: tuple[int, int]) -> Iterator[Drawn]:
    """Yields an object for each label of a region, one without name where it has none."""
    key = _key(region) if isinstance(region, dict) else ""
    names = region[key] if key and isinstance(region[key], list) else []
    code, why = "box-missing", "has no box"
    box, shape = None, ""
    try:
        if not isinstance(region, dict):
            raise ValueError(f"is {str(region)[:40]!r}, expected a region as an object of JSON")
        kind = key.removesuffix("labels") or next((_SHAPES[name] for name in _SHAPES if name in region), "")
        box, shape = _box(kind, region, size_wh)
        why = f"a {kind} has no box"
    except ValueError as fault:
        code, why = "annotation-unread", str(fault)
    for name in names or ("",):
        yield Drawn(where, name if isinstance(name, str) else "", box, shape, code, why)


def _box(kind: str, region: Mapping[str, Any], size_wh: tuple[int, int]) -> tuple[Corners | None, str]:
    """Returns the box of a region in pixels, fractions where the size of the image is not known, and what it
    is around where the region is no box. Raises ValueError where the region is not understood."""
    has_size = all(size_wh)
    if has_size and _size(region) not in (size_wh, (0, 0)):
        raise ValueError(f"is of an image of {_size(region)}, and others of one of {size_wh}")
    units = (size_wh[0] / 100, size_wh[1] / 100) if has_size else (0.01, 0.01)
    if kind == "keypoint":
        return None, ""
    if kind == "polygon":
        points = region.get("points")
        if not isinstance(points, list) or not all(map(_is_point, points)):
            raise ValueError("its points are none, expected [[x, y], ...]")
        return around_points((x * units[0], y * units[1]) for x, y in points), "polygon"
    radians = _radians(region, has_size)
    if kind == "ellipse":
        x, y, *radii = _scaled(region, ("x", "y", "radiusX", "radiusY"), units)
        return around_ellipse((x, y), (radii[0], radii[1]), radians), "ellipse"
    if kind != "rectangle":
        raise ValueError(f"is a {kind or 'region without shape'}, which is not read from CSV")
    x, y, width, height = _scaled(region, ("x", "y", "width", "height"), units)
    box = from_size(x, y, width, height)
    return (turned(box, (x, y), radians), "rotated box") if radians else (box, "")


def _radians(region: Mapping[str, Any], has_size: bool) -> float:
    """Returns by how much a region is turned, which has no meaning in percent of both sides."""
    degrees = region.get("rotation") or 0
    if not _is_number(degrees) or not math.isfinite(degrees):
        raise ValueError(f"its rotation is {str(degrees)[:40]!r}, expected degrees")
    if degrees % 360 and not has_size:
        raise ValueError("is turned, on an image without original_width and original_height")
    return math.radians(degrees % 360)


def _scaled(region: Mapping[str, Any], keys: Sequence[str], units: tuple[float, float]) -> list[float]:
    if lacking := [key for key in keys if not _is_number(region.get(key))]:
        raise ValueError(f"has no number {', '.join(lacking)}")
    return [float(region[key]) * unit for key, unit in zip(keys, units * 2, strict=True)]


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < 1e300)


def _filename(data: Mapping[str, str]) -> tuple[str, str]:
    """Returns the file name of a task's image, and what is wrong where there is none."""
    if data.get("image"):
        return _named(data["image"]), ""
    images = [name for name in map(_named, data.values()) if _IMAGE.search(name)]
    if len(images) == 1:
        return images[0], ""
    listed = f"names several images ({', '.join(images[:3])})" if images else "names no image"
    return "", f"its data {listed}, expected one in a column called image"


def _named(address: str) -> str:
    """Returns the file name of an address: of an upload its name, of a local file or a bucket its path."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    if "/data/local-files" in parts.path:
        return parse_qs(parts.query).get("d", [""])[0]
    if "/data/upload/" in parts.path:
        return unquote(parts.path).rpartition("/")[2]
    return unquote(parts.path).lstrip("/") if len(parts.scheme) > 1 and parts.netloc else address


def shows(file: Path) -> bool:
    """Returns whether a CSV or TSV file has the columns of an export: all of them, or one and regions."""
    separator = _separator(file)
    header = set(header_of(file, separator))
    if not _MARKS & header:
        return False
    try:
        begin = list(islice(named_rows(file, separator), _LOOKED_AT))
    except InputError:
        begin = []
    return {*_MARKS, "annotator"} <= header or any(_is_control(name, begin) for name in header)

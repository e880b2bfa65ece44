"""VGG Image Annotator's CSV, versions 1 and 2 (https://www.robots.ox.ac.uk/~vgg/software/via): a row a
region, with its shape and its attributes as JSON in cells. Numbers are pixels.

A region's class is one of its attributes: the only one that there is, or the one that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.csv_texts import header_of, json_of, named_rows
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable, source
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import Corners, around_ellipse, around_points, from_size

_SHAPE, _ATTRIBUTES, _COUNT = "region_shape_attributes", "region_attributes", "region_count"
_FILENAMES = ("filename", "#filename")  # of version 2 and of version 1
_WITHOUT_BOX = ("point", "polyline", "line")
_CORNERS = 3  # of a polygon, at least


@dataclass(frozen=True, slots=True)
class _Region:
    """A region's place, its shape and its attributes; what is wrong with it where they are no objects."""

    where: str
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]
    fault: str = ""


@dataclass(slots=True)
class _Image:
    source: str
    filename: str
    regions: list[_Region] = field(default_factory=list)


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images in the order in which they first appear. Classes are those that occur, in
    alphabetical order. An image without regions is image-unannotated, as VIA lists those that nobody has
    looked at. InputError where the file is none of VIA's, or where nothing says which attribute is the
    class."""
    header = header_of(path)
    if lacking := [name for name in (_SHAPE, _ATTRIBUTES) if name not in header]:
        raise InputError(path, f"no column {', '.join(lacking)}, expected VIA's CSV", where="line 1")
    images = _images(path)
    attribute = _attribute(path, images, options.class_attribute)
    return source(_drawn_image(image, attribute) for image in images)


def _images(path: Path) -> list[_Image]:
    of_key: dict[tuple[str, str], _Image] = {}
    for line, cells in named_rows(path):
        place = f"{readable(path.name)} line {line}"
        filename = next((cells[name] for name in _FILENAMES if name in cells), "")
        key = (filename, cells.get("file_size", "")) if filename else (place, "")
        image = of_key.setdefault(key, _Image(place, filename))
        if (region := _region(f"line {line}", cells)) is not None:
            image.regions.append(region)
    return list(of_key.values())


def _region(where: str, cells: Mapping[str, str]) -> _Region | None:
    """Returns a row's region; None where the row is of an image without any."""
    shape, attributes = (_object(cells.get(name, "")) for name in (_SHAPE, _ATTRIBUTES))
    if not shape and not attributes and shape is not None and cells.get(_COUNT, "0") in ("", "0"):
        return None
    fault = next(
        (
            f"{name} is {cells.get(name, '')[:40]!r}, expected an object of JSON"
            for name, value in ((_SHAPE, shape), (_ATTRIBUTES, attributes))
            if value is None
        ),
        "",
    )
    return _Region(where, shape or {}, attributes or {}, fault)


def _object(cell: str) -> Mapping[str, Any] | None:
    """Returns an object of JSON, an empty one where nothing stands; None where it is none."""
    try:
        value = json_of(cell) if cell else {}
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _attribute(path: Path, images: list[_Image], named: str | None) -> str:
    """Returns the attribute that is the class; "" where there are no regions."""
    regions = [region for image in images for region in image.regions]
    pairs = (pair for region in regions for pair in region.attributes.items())
    names = {name for name, value in pairs if value not in ("", {}, None)}
    listed = ", ".join(map(repr, sorted(names)))
    if named is not None and named not in names and regions:
        reason = f"is {named!r}, and the regions of {path} have {listed or 'none'}"
        raise InputError("--class-attribute", reason)
    if named is not None or len(names) == 1:
        return named if named is not None else names.pop()
    if not regions:
        return ""
    if not names:
        raise InputError(path, "no region has an attribute, expected one that names its class")
    reason = f"its regions have the attributes {listed}; say by --class-attribute which one is the class"
    raise InputError(path, reason)


def _drawn_image(image: _Image, attribute: str) -> DrawnImage | Unusable:
    message = f"{image.filename} has no regions, and nothing says that it was looked at"
    unannotated = Issue("image-unannotated", image.source, None, message, False)
    return DrawnImage(
        image.source,
        image.filename,
        tuple(drawn for region in image.regions for drawn in _drawn(region, attribute)),
        issues=() if image.regions else (unannotated,),
    )


def _drawn(region: _Region, attribute: str) -> Iterator[Drawn]:
    """Yields an object for each class of a region, one without name where it has none."""
    kind = str(region.shape.get("name", ""))
    code, why, box = "box-missing", f"a {kind or 'region without shape'} has no box", None
    try:
        if region.fault:
            raise ValueError(region.fault)
        box = _box(kind, region.shape)
    except ValueError as fault:
        code, why = "annotation-unread", str(fault)
    for name in _names(region.attributes.get(attribute)):
        yield Drawn(region.where, name, box, "" if kind == "rect" else kind, code, why)


def _names(value: Any) -> list[str]:
    """Returns the classes of a region: a text or the option that was chosen, or all boxes that are ticked."""
    if isinstance(value, dict):
        return [name for name, ticked in value.items() if ticked is True or ticked == "true"] or [""]
    return [str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""]


def _box(kind: str, shape: Mapping[str, Any]) -> Corners | None:
    """Returns the box of a shape, None where it has none. Raises ValueError where it is not understood."""
    if kind in _WITHOUT_BOX or not shape:
        return None
    if kind == "rect":
        x, y, width, height = (_number(shape, key) for key in ("x", "y", "width", "height"))
        return from_size(x, y, width, height)
    if kind == "circle":
        x, y, radius = (_number(shape, key) for key in ("cx", "cy", "r"))
        return around_ellipse((x, y), (radius, radius))
    if kind == "ellipse":
        x, y, *radii = (_number(shape, key) for key in ("cx", "cy", "rx", "ry"))
        radians = _number(shape, "theta") if "theta" in shape else 0.0
        return around_ellipse((x, y), (radii[0], radii[1]), radians)
    if kind == "polygon":
        xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
            raise ValueError("has no all_points_x and all_points_y of as many numbers")
        points = [
            (_as_number(x, "all_points_x"), _as_number(y, "all_points_y"))
            for x, y in zip(xs, ys, strict=True)
        ]
        return around_points(points) if len(points) >= _CORNERS else None
    raise ValueError(f"its shape is {kind[:40]!r}, which is not known")


def _number(shape: Mapping[str, Any], key: str) -> float:
    return _as_number(shape.get(key), key)


def _as_number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"its {key} is {str(value)[:40]!r}, expected a number")
    try:
        return float(value)
    except OverflowError as fault:
        raise ValueError(f"its {key} is too large") from fault


def shows(file: Path) -> bool:
    """Returns whether a CSV file has VIA's columns."""
    return {_SHAPE, _ATTRIBUTES} <= set(header_of(file))

"""Regions of VGG Image Annotator 1 and 2, of JSON and CSV alike: the box around a shape, and the class.

Numbers are pixels. A region's class is one of its attributes: the only one that there is, or the one that is
named. Regions without attributes are all of the class that the user names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError
from tfrec_tools.formats.drawn import Drawn, DrawnImage
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.formats.json_values import flag, numbers, row, shown, text
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.shapes import Corners, around_ellipse, around_points, from_size, outline

_OUTLINES = ("polygon",)
_WITHOUT_BOX = ("point", "polyline", "line")


@dataclass(frozen=True, slots=True)
class Region:
    """A region: its place, and its shape and its attributes as the file has them."""

    where: str
    shape: Any
    attributes: Any

    def said(self) -> Mapping[str, Any]:
        """Returns the attributes; none where they are no object."""
        return self.attributes if isinstance(self.attributes, dict) else {}


@dataclass(frozen=True, slots=True)
class ClassSource:
    """Where the class of a region stands: the attribute, or else the name that all of them have."""

    attribute: str
    name: str = ""

    def names(self, region: Region) -> list[str]:
        """Returns the classes of a region: a text or the option that was chosen, or all boxes that are
        ticked; "" where it names none."""
        value = region.said().get(self.attribute)
        if self.name:
            return [self.name]
        if isinstance(value, dict):
            return [text(name) for name, ticked in value.items() if flag(ticked)] or [""]
        return [text(value)]


def class_source(path: Path, regions: Sequence[Region], options: ReadOptions) -> ClassSource:
    """Returns where the class of regions stands. Raises InputError where that is not clear."""
    named = options.class_attribute
    said = (pair for region in regions for pair in region.said().items())
    names = {name for name, value in said if value not in ("", {}, None)}
    listed = ", ".join(map(repr, sorted(names)))
    if named is not None and named not in names and regions:
        reason = f"is {named!r}, and the regions of {path} have {listed or 'none'}"
        raise InputError("--class-attribute", reason)
    if named is not None or not regions:
        return ClassSource(named or "")
    only = options.class_names[0] if options.class_names and len(options.class_names) == 1 else ""
    if not names:
        if only:
            return ClassSource("", only)
        reason = "no region has an attribute, expected one that names its class"
        raise InputError(path, f"{reason}; say --class-names NAME where all are of one class")
    if only:
        reason = f"its regions have {listed}, expected no attribute with --class-names {only}"
        raise InputError(path, f"{reason}; say by --class-attribute which one is the class")
    if len(names) == 1:
        return ClassSource(names.pop())
    reason = f"its regions have the attributes {listed}; say by --class-attribute which one is the class"
    raise InputError(path, reason)


def drawn_image(
    where: str, filename: str, regions: Sequence[Region], classes: ClassSource, masks: bool
) -> DrawnImage:
    """Returns an image with the objects of its regions. One without any is image-unannotated, as VIA lists
    those that nobody has looked at."""
    filename = of_address(filename)
    message = f"{filename} has no regions, and nothing says that it was looked at"
    unannotated = Issue("image-unannotated", where, None, message, False)
    return DrawnImage(
        where,
        filename,
        tuple(drawn for region in regions for drawn in _drawn(region, classes, masks)),
        issues=() if regions else (unannotated,),
    )


def _drawn(region: Region, classes: ClassSource, masks: bool) -> Iterator[Drawn]:
    """Yields an object for each class of a region, one without name where it has none."""
    shape = region.shape if isinstance(region.shape, dict) else {}
    kind = text(shape.get("name"))
    code, why = "box-missing", f"a {kind or 'region without shape'} has no box"
    try:
        _require_objects(region)
        box = _box(kind, shape)
    except ValueError as fault:
        box, code, why = None, "annotation-unread", str(fault)
    corners = zip(shape.get("all_points_x", ()), shape.get("all_points_y", ()), strict=False)
    mask = outline(corners) if masks and kind in _OUTLINES and box is not None else b""
    for name in classes.names(region):
        yield Drawn(region.where, name, box, "" if kind == "rect" else kind, code, why, mask=mask)


def _require_objects(region: Region) -> None:
    """Raises ValueError where the shape or the attributes are no object. An empty list is what PHP writes for
    one without keys."""
    if not isinstance(region.shape, dict):
        raise ValueError(f"its shape_attributes are {shown(region.shape)}, expected an object")
    if not isinstance(region.attributes, dict) and region.attributes not in ([], None):
        raise ValueError(f"its region_attributes are {shown(region.attributes)}, expected an object")


def _box(kind: str, shape: Mapping[str, Any]) -> Corners | None:
    """Returns the box of a shape, None where it has none. Raises ValueError where it is not understood."""
    if kind in _WITHOUT_BOX or not shape:
        return None
    if kind == "rect":
        return from_size(*_numbers(shape, "x", "y", "width", "height"))
    if kind == "circle":
        x, y, radius = _numbers(shape, "cx", "cy", "r")
        return around_ellipse((x, y), (radius, radius))
    if kind == "ellipse":
        x, y, *radii = _numbers(shape, "cx", "cy", "rx", "ry")
        (radians,) = _numbers({"theta": 0} | dict(shape), "theta")
        return around_ellipse((x, y), (radii[0], radii[1]), radians)
    if kind in _OUTLINES:
        return _around(shape)
    raise ValueError(f"its shape is {shown(kind)}, which is not known")


def _numbers(shape: Mapping[str, Any], *keys: str) -> tuple[float, ...]:
    listed = numbers(shape, keys)
    if listed is None:
        raise ValueError(f"has no numbers {', '.join(keys)}, of {shown(shape)}")
    return listed


def _around(shape: Mapping[str, Any]) -> Corners | None:
    """Returns the box around a polygon, None around one of less than 3 points."""
    sides = [shape.get("all_points_x"), shape.get("all_points_y")]
    xs, ys = (row(side, len(side)) if isinstance(side, list) else None for side in sides)
    if xs is None or ys is None or len(xs) != len(ys):
        raise ValueError(
            f"its all_points_x and all_points_y are {shown(sides)}, expected as many numbers each"
        )
    return around_points(zip(xs, ys, strict=True)) if len(xs) > 2 else None

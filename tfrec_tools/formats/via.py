"""VGG Image Annotator 1 and 2 (https://www.robots.ox.ac.uk/~vgg/software/via): a project, or its annotations.

Numbers are pixels. A region's class is one of its attributes: the only one that there is, or the one that is
named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable, source, without_masks
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.formats.json_documents import document
from tfrec_tools.formats.json_values import flag, numbers, row, shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import Corners, around_ellipse, around_points, from_size, outline
from tfrec_tools.formats.sniffing import ends

_MARKS = re.compile(rb'"(?:_via_img_metadata|shape_attributes|file_attributes|vid_list)"\s*:')
_EXPECTED = "VIA's project or annotations"
_OUTLINES = ("polygon",)
_WITHOUT_BOX = ("point", "polyline", "line")


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images in the file's order. Classes are in the order of the attribute's options, others by
    alphabet. An image without regions is image-unannotated, as VIA lists those that nobody has looked at.
    Raises InputError where the file is none of VIA's, or where it is not clear which attribute is the
    class."""
    value = document(path, _EXPECTED)
    images = _images(path, value)
    attribute = _attribute(path, images, options.class_attribute)
    name, masks = readable(path.name), options.masks
    listed = [_image(f"{name} [{key}]", item, attribute, masks) for key, item in images.items()]
    return source(listed, classes=_options(value, attribute), issues=without_masks(listed) if masks else ())


def _images(path: Path, value: Any) -> dict[str, Any]:
    """Returns {key: what stands of an image}."""
    if not isinstance(value, dict):
        raise InputError(path, f"is {shown(value)}, expected {_EXPECTED}")
    if "view" in value and "metadata" in value:
        reason = "is a project of VIA 3, expected one of VIA 1 or 2; VIA 3 exports COCO, which is read"
        raise InputError(path, reason)
    images = value.get("_via_img_metadata", value)
    where = "_via_img_metadata" if "_via_img_metadata" in value else ""
    if not isinstance(images, dict):
        raise InputError(path, f"is {shown(images)}, expected an object of images", where=where)
    if not any(isinstance(item, dict) and "filename" in item for item in images.values()) and images:
        raise InputError(path, f"has no image with a filename, expected {_EXPECTED}", where=where)
    return images


def _regions(item: Any) -> list[tuple[str, Any]]:
    """Returns (place, region) of an image; VIA 1 numbers them as keys of an object."""
    regions = item.get("regions") if isinstance(item, dict) else None
    if isinstance(regions, dict):
        return [(f"regions[{key}]", region) for key, region in regions.items()]
    if isinstance(regions, list):
        return [(f"regions[{number}]", region) for number, region in enumerate(regions)]
    return [] if regions is None else [("regions", regions)]


def _attributes(region: Any) -> Mapping[str, Any]:
    said = region.get("region_attributes") if isinstance(region, dict) else None
    return said if isinstance(said, dict) else {}


def _attribute(path: Path, images: Mapping[str, Any], named: str | None) -> str:
    """Returns the attribute that is the class; "" where there are no regions."""
    regions = [region for item in images.values() for _, region in _regions(item)]
    said = (pair for region in regions for pair in _attributes(region).items())
    names = {name for name, value in said if value not in ("", {}, None)}
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


def _options(value: Mapping[str, Any], attribute: str) -> list[str]:
    """Returns the classes that a project offers for choice."""
    found: Any = value
    for key in ("_via_attributes", "region", attribute, "options"):
        found = found.get(key) if isinstance(found, dict) else None
    return [text(name) for name in found if name.strip()] if isinstance(found, dict) else []


def _image(where: str, item: Any, attribute: str, masks: bool) -> DrawnImage | Unusable:
    if not isinstance(item, dict):
        return Unusable(Issue("image-unknown", where, None, f"is {shown(item)}, expected an image", True))
    regions = _regions(item)
    filename = of_address(text(item.get("filename")))
    message = f"{filename} has no regions, and nothing says that it was looked at"
    unannotated = Issue("image-unannotated", where, None, message, False)
    return DrawnImage(
        where,
        filename,
        tuple(drawn for place, region in regions for drawn in _drawn(place, region, attribute, masks)),
        issues=() if regions else (unannotated,),
    )


def _drawn(where: str, region: Any, attribute: str, masks: bool) -> Iterator[Drawn]:
    """Yields an object for each class of a region, one without name where it has none."""
    shape = region.get("shape_attributes") if isinstance(region, dict) else None
    if not isinstance(shape, dict):
        why = f"is {shown(region)}, expected shape_attributes"
        yield Drawn(where, "", None, code="annotation-unread", why=why)
        return
    kind = text(shape.get("name"))
    try:
        box, code, why = _box(kind, shape), "box-missing", f"a {kind} has no box"
    except ValueError as fault:
        box, code, why = None, "annotation-unread", str(fault)
    corners = zip(shape.get("all_points_x", ()), shape.get("all_points_y", ()), strict=False)
    mask = outline(corners) if masks and kind in _OUTLINES and box is not None else b""
    for name in _names(_attributes(region).get(attribute)):
        yield Drawn(where, name, box, "" if kind == "rect" else kind, code, why, mask=mask)


def _names(value: Any) -> list[str]:
    """Returns the classes of a region: a text or the option that was chosen, or all boxes that are ticked."""
    if isinstance(value, dict):
        return [text(name) for name, ticked in value.items() if flag(ticked)] or [""]
    return [text(value)]


def _box(kind: str, shape: Mapping[str, Any]) -> Corners | None:
    """Returns the box of a shape, None where it has none. Raises ValueError where it is not understood."""
    if kind in _WITHOUT_BOX:
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


def shows(file: Path) -> bool:
    """Returns whether a JSON file is VIA's."""
    return _MARKS.search(ends(file)) is not None

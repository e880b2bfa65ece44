"""VGG Image Annotator 1 and 2 (https://www.robots.ox.ac.uk/~vgg/software/via): a project, or its
annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.drawn import DrawnImage, Unusable, source, without_masks
from tfrec_tools.formats.json_documents import document
from tfrec_tools.formats.json_values import shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.sniffing import ends
from tfrec_tools.formats.via_regions import ClassSource, Region, class_source, drawn_image

_MARKS = re.compile(rb'"(?:_via_img_metadata|shape_attributes|file_attributes|vid_list)"\s*:')
_EXPECTED = "VIA's project or annotations"


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images in the file's order. Classes are in the order of the attribute's options, others by
    alphabet. An image without regions is image-unannotated, as VIA lists those that nobody has looked at.
    Raises InputError where the file is none of VIA's, or where it is not clear which attribute is the
    class."""
    value = document(path, _EXPECTED)
    images = _images(path, value)
    regions = {key: _regions(item) for key, item in images.items()}
    classes = class_source(path, list(chain(*regions.values())), options)
    name, masks = readable(path.name), options.masks
    listed = [_image(f"{name} [{key}]", item, regions[key], classes, masks) for key, item in images.items()]
    return source(
        listed, classes=_options(value, classes.attribute), issues=without_masks(listed) if masks else ()
    )


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


def _regions(item: Any) -> list[Region]:
    """Returns the regions of an image; VIA 1 numbers them as keys of an object."""
    regions = item.get("regions") if isinstance(item, dict) else None
    if isinstance(regions, dict):
        return [_region(f"regions[{key}]", region) for key, region in regions.items()]
    if isinstance(regions, list):
        return [_region(f"regions[{number}]", region) for number, region in enumerate(regions)]
    return [] if regions is None else [_region("regions", regions)]


def _region(where: str, region: Any) -> Region:
    said = region if isinstance(region, dict) else {"shape_attributes": region}
    return Region(where, said.get("shape_attributes"), said.get("region_attributes"))


def _options(value: Mapping[str, Any], attribute: str) -> list[str]:
    """Returns the classes that a project offers for choice."""
    found: Any = value
    for key in ("_via_attributes", "region", attribute, "options"):
        found = found.get(key) if isinstance(found, dict) else None
    return [text(name) for name in found if name.strip()] if isinstance(found, dict) else []


def _image(
    where: str, item: Any, regions: Sequence[Region], classes: ClassSource, masks: bool
) -> DrawnImage | Unusable:
    if not isinstance(item, dict):
        return Unusable(Issue("image-unknown", where, None, f"is {shown(item)}, expected an image", True))
    return drawn_image(where, text(item.get("filename")), regions, classes, masks)


def shows(file: Path) -> bool:
    """Returns whether a JSON file is VIA's."""
    return _MARKS.search(ends(file)) is not None

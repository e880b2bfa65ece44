"""Create ML: a list of images with their boxes, each a centre and a size in pixels
(https://developer.apple.com/documentation/createml/building-an-object-detector-data-source).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.box_units import with_units
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable, source
from tfrec_tools.formats.file_names import of_address
from tfrec_tools.formats.json_documents import document
from tfrec_tools.formats.json_values import numbers, shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import from_centre
from tfrec_tools.formats.sniffing import ends

_COORDINATES = re.compile(rb'"coordinates"\s*:\s*\{')
_LISTS = re.compile(rb'"annotations?"\s*:\s*\[')
_EXPECTED = "Create ML's list of images"
_NAMES = ("image", "imagefilename", "imageFilename", "imageURL", "filename")
_BOXES = ("annotations", "annotation")


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images in the file's order. Classes are those that occur, in alphabetical order. Raises
    InputError where the file is no list of images, or where its boxes lie between 0 and 1 and nobody says
    what their numbers are."""
    value = document(path, _EXPECTED)
    if not isinstance(value, list):
        raise InputError(path, f"is {shown(value)}, expected {_EXPECTED}")
    images = [_image(f"{readable(path.name)} [{number}]", item) for number, item in enumerate(value)]
    return with_units(path, source(images), options.coordinates)


def _image(where: str, item: Any) -> DrawnImage | Unusable:
    if not isinstance(item, dict):
        return Unusable(Issue("image-unknown", where, None, f"is {shown(item)}, expected an image", True))
    key = next((key for key in _BOXES if key in item), "")
    annotations = item.get(key)
    named = next((text(item[name]) for name in _NAMES if name in item), "")
    objects = annotations if isinstance(annotations, list) else []
    issues = []
    if not isinstance(annotations, list):
        message = f"its annotations are {shown(annotations)}, expected a list"
        issues.append(Issue("image-unannotated", where, None, message, False))
    drawn = tuple(_drawn(f"{key}[{number}]", one) for number, one in enumerate(objects))
    return DrawnImage(where, of_address(named), drawn, issues=tuple(issues))


def _drawn(where: str, item: Any) -> Drawn:
    if not isinstance(item, dict):
        return Drawn(where, "", None, code="annotation-unread", why=f"is {shown(item)}, expected an object")
    label, coordinates = text(item.get("label")), item.get("coordinates")
    listed = numbers(coordinates, ("x", "y", "width", "height"))
    if listed is None:
        code = "box-missing" if coordinates is None else "annotation-unread"
        return Drawn(where, label, None, code=code, why=f"its coordinates are {shown(coordinates)}")
    return Drawn(where, label, from_centre(listed[0], listed[1], listed[2], listed[3]))


def shows(file: Path) -> bool:
    """Returns whether a JSON file is Create ML's."""
    data = ends(file)
    return _COORDINATES.search(data) is not None and _LISTS.search(data) is not None

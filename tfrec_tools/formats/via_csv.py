"""VGG Image Annotator's CSV, versions 1 and 2 (https://www.robots.ox.ac.uk/~vgg/software/via): a row a
region, with its shape and its attributes as JSON in cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.csv_texts import header_of, json_of, named_rows
from tfrec_tools.formats.drawn import source, without_masks
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.via_regions import Region, class_source, drawn_image

_SHAPE, _ATTRIBUTES, _COUNT = "region_shape_attributes", "region_attributes", "region_count"
_FILENAMES = ("filename", "#filename")  # of version 2 and of version 1


@dataclass(slots=True)
class _Image:
    source: str
    filename: str
    regions: list[Region] = field(default_factory=list)


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images in the order in which they first appear. Classes are those that occur, in
    alphabetical order. Raises InputError where the file is none of VIA's, or where it is not clear which
    attribute is the class."""
    header = header_of(path)
    if lacking := [name for name in (_SHAPE, _ATTRIBUTES) if name not in header]:
        raise InputError(path, f"no column {', '.join(lacking)}, expected VIA's CSV", where="line 1")
    images = _images(path)
    regions = [region for image in images for region in image.regions]
    classes = class_source(path, regions, options)
    listed = [
        drawn_image(image.source, image.filename, image.regions, classes, options.masks) for image in images
    ]
    return source(listed, issues=without_masks(listed) if options.masks else ())


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


def _region(where: str, cells: Mapping[str, str]) -> Region | None:
    """Returns a row's region; None where the row is of an image without any."""
    shape, attributes = (_value(cells.get(name, "")) for name in (_SHAPE, _ATTRIBUTES))
    if shape == {} and not attributes and cells.get(_COUNT, "0") in ("", "0"):
        return None
    return Region(where, shape, attributes)


def _value(cell: str) -> Any:
    """Returns what the JSON in a cell stands for, an empty object where nothing stands; the text itself where
    it is no JSON, which is no object either and will be said."""
    try:
        return json_of(cell) if cell else {}
    except ValueError:
        return cell


def shows(file: Path) -> bool:
    """Returns whether a CSV file has VIA's columns."""
    return {_SHAPE, _ATTRIBUTES} <= set(header_of(file))

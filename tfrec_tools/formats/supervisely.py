"""Supervisely: DATASET/ann has a file for each image of DATASET/img, whose name it has, and meta.json above
them the classes (https://docs.supervisely.com/import-and-export/02_project_structure).

Numbers are pixels, taken as edges as they stand.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.drawn import Drawn, DrawnImage, source, without_masks
from tfrec_tools.formats.file_names import annotation_files
from tfrec_tools.formats.json_documents import ForeignError, document, images_of
from tfrec_tools.formats.json_values import pixels, points, row, shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import PNG_HEAD, Corners, Point, around_png, around_points, outline
from tfrec_tools.formats.sniffing import ends
from tfrec_tools.formats.split_names import split_of_folders
from tfrec_tools.system.remote_path import is_file

_MARKS = re.compile(rb'"(?:classTitle|geometryType|labelerLogin)"\s*:')
_OBJECTS = re.compile(rb'"objects"\s*:\s*\[')
_SIZE = re.compile(rb'"size"\s*:\s*\{')
_TAGS = re.compile(rb'"tags"\s*:\s*\[')
_EXPECTED = "Supervisely's annotation of an image"
_WITHOUT_BOX = ("point", "line")
_BITMAPS = ("bitmap", "alpha_mask")
_MOST_BYTES = 1 << 26  # of a bitmap's PNG


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of the files in folders "ann" anywhere below a folder by path, of all files where no
    folder is called so, or of a single one. Classes are in the order of meta.json, others by alphabet; splits
    are those that data sets are called by. A file that cannot be used is an issue; raises InputError where it
    is the only one, or where there is none."""
    files, litter = annotation_files(path, (".json",), "Supervisely")
    folder = path.parent if path.is_file() else path
    shapes = _shapes(folder)
    in_ann = [file for file in files if file.parent.name == "ann"]
    files = in_ann or [file for file in files if path.is_file() or file.name != "meta.json"]

    def images(file: Path, value: Any) -> Iterator[DrawnImage]:
        below = PurePosixPath(file.relative_to(folder).as_posix())
        yield _image(file, below, value, shapes, options.masks)

    listed = list(images_of(files, _EXPECTED, b'"classTitle"', images))
    issues = without_masks(listed) if options.masks else ()
    return source(listed, len(files), classes=list(shapes), litter=litter, issues=issues)


def _shapes(folder: Path) -> dict[str, str]:
    """Returns the classes of the meta.json in a folder or the two above it, as it lies beside data sets, and
    the shape of each, "" where it says none."""
    places = (folder, *folder.resolve().parents[:2])
    meta = next((place / "meta.json" for place in places if is_file(place / "meta.json")), None)
    value = document(meta, "Supervisely's meta.json") if meta is not None else None
    classes = value.get("classes") if isinstance(value, dict) else None
    listed = [item for item in classes or () if isinstance(item, dict)]
    shapes = {text(item.get("title")): text(item.get("shape")) for item in listed}
    return {name: shape for name, shape in shapes.items() if name == name.strip() != ""}


def _image(
    file: Path, below: PurePosixPath, value: Any, shapes: Mapping[str, str], masks: bool
) -> DrawnImage:
    if not isinstance(value, dict) or not {"objects", "size"} <= set(value):
        raise ForeignError(file, f"has no objects and size, expected {_EXPECTED}")
    objects, size = value["objects"], value["size"]
    if not isinstance(objects, list):
        raise InputError(file, f"is {shown(objects)}, expected a list", where="objects")
    said: Mapping[str, Any] = size if isinstance(size, dict) else {}
    folder = below.parent.parent / "img" if below.parent.name == "ann" else below.parent
    return DrawnImage(
        source=readable(str(below)),
        filename=str(folder / below.stem),
        objects=tuple(_drawn(number, item, shapes, masks) for number, item in enumerate(objects)),
        width=pixels(said.get("width")),
        height=pixels(said.get("height")),
        split=split_of_folders(below.parts[:-1]),
    )


def _drawn(number: int, item: Any, shapes: Mapping[str, str], masks: bool) -> Drawn:
    where = f"objects[{number}]"
    if not isinstance(item, dict):
        return Drawn(where, "", None, code="annotation-unread", why=f"is {shown(item)}, expected an object")
    label = text(item.get("classTitle"))
    kind = text(item.get("geometryType")) or _kind(item, shapes.get(label, ""))
    if kind in _WITHOUT_BOX:
        return Drawn(where, label, None, why=f"a {kind} has no box")
    try:
        box = _box(kind, item)
    except ValueError as fault:
        return Drawn(where, label, None, code="annotation-unread", why=str(fault))
    mask = _mask(item["points"]) if masks and kind == "polygon" and box is not None else b""
    return Drawn(
        where, label, box, "" if kind == "rectangle" else kind, why=f"its {kind} is empty", mask=mask
    )


def _mask(shape: Mapping[str, Any]) -> bytes:
    """Returns the outline of a polygon; nothing of one with holes, which COCO's polygons cannot have."""
    return b"" if shape.get("interior") else outline(points(shape["exterior"]) or ())


def _kind(item: Mapping[str, Any], shape: str) -> str:
    """Returns the kind of an object of earlier versions, which say it by the shape of its class and by what
    the object has alone; classes may have got another shape since."""
    if item.get("bitmap"):
        return "bitmap"
    corners = _exterior(item)
    if shape in _WITHOUT_BOX or (shape == "rectangle" and corners is not None and len(corners) == 2):
        return shape
    return "polygon"


def _exterior(item: Mapping[str, Any]) -> list[Point] | None:
    edge = item.get("points")
    return points(edge.get("exterior")) if isinstance(edge, dict) else None


def _box(kind: str, item: Mapping[str, Any]) -> Corners | None:
    """Returns the box of an object, None where it is empty. Raises ValueError where it is not understood."""
    if kind in _BITMAPS:
        return _of_bitmap(item.get(kind) or item.get("bitmap"))
    if kind not in ("rectangle", "polygon"):
        raise ValueError(f"its geometryType is {shown(kind)}, which is not known")
    corners = _exterior(item)
    if corners is None:
        raise ValueError(f"its points are {shown(item.get('points'))}, expected an exterior of [[x, y], ...]")
    if kind == "rectangle" and len(corners) != 2:
        raise ValueError(f"is a rectangle of {len(corners)} points, expected 2")
    return around_points(corners) if kind == "rectangle" or len(corners) > 2 else None


def _of_bitmap(bitmap: Any) -> Corners | None:
    """Returns the box around what a PNG marks, which is packed by zlib, at its origin, as Supervisely's
    own library crops it; None where that is nothing. A PNG that is too large is not unpacked."""
    from tfrec_tools.images import masks  # which loads Pillow

    origin = row(bitmap.get("origin"), 2) if isinstance(bitmap, dict) else None
    data = bitmap.get("data") if isinstance(bitmap, dict) else None
    if origin is None or not isinstance(data, str):
        raise ValueError(f"its bitmap is {shown(bitmap)}, expected data and origin")
    try:
        around = masks.box_around(_unpacked(base64.b64decode(data)))
    except (binascii.Error, ValueError, zlib.error) as fault:
        raise ValueError(f"its bitmap is none ({fault})") from fault
    if around is None:
        return None
    xmin, ymin, xmax, ymax = around
    return origin[0] + xmin, origin[1] + ymin, origin[0] + xmax, origin[1] + ymax


def _unpacked(packed: bytes) -> bytes:
    """Returns what zlib has packed. Raises ValueError where it begins as no PNG, or is longer than any."""
    stream = zlib.decompressobj()
    head = stream.decompress(packed, PNG_HEAD)
    if around_png(0, 0, head) is None:
        raise ValueError("it is no PNG")
    rest = stream.decompress(stream.unconsumed_tail, _MOST_BYTES)
    if stream.unconsumed_tail:
        raise ValueError(f"it has more than {_MOST_BYTES} bytes")
    return head + rest


def shows(file: Path) -> bool:
    """Returns whether a JSON file is Supervisely's annotation of an image."""
    data = ends(file)
    parts = (_OBJECTS, _SIZE, _TAGS)
    return _MARKS.search(data) is not None or all(part.search(data) is not None for part in parts)

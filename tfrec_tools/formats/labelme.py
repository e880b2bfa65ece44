"""LabelMe (https://github.com/wkentaro/labelme; AnyLabeling writes the same): a JSON file an image.

Points are [x, y] in pixels. Shapes of one label and one group_id are one object, as in LabelMe's own
conversion to COCO: its box is around all of them, and says so (box-derived).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.formats.drawn import Drawn, DrawnImage, source, without_masks
from tfrec_tools.formats.file_names import annotation_files, below, plain
from tfrec_tools.formats.json_documents import ForeignError, images_of
from tfrec_tools.formats.json_values import flag, pixels, points, shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import Corners, Point, around_png, around_points, from_centre, outline
from tfrec_tools.formats.sniffing import ends
from tfrec_tools.system.remote_path import is_file

_SHAPES = re.compile(rb'"shapes"\s*:\s*(?:\[|null)')
_PARTS = re.compile(rb'"(?:imagePath|imageData|imageHeight|shape_type|lineColor)"')
_EXPECTED = "LabelMe's JSON"
_FLAGS = ("crowd", "difficult", "truncated", "occluded", "group_of")
_FLAG_NAMES = frozenset(_FLAGS)
_WITHOUT_BOX = ("point", "points", "line", "linestrip")
_TURNED = ("rotation", "oriented_rectangle")  # AnyLabeling's and LabelMe's: four corners
_OUTLINES = ("polygon", "quadrilateral")


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of the files anywhere below a folder by path, or of a single one. Classes are those
    that occur, in alphabetical order. A file that cannot be used is an issue; raises InputError where it is
    the only one, or where there is none."""
    files, litter = annotation_files(path, (".json",), "LabelMe")
    folder = path.parent if path.is_file() else path
    embedded: list[str] = []

    def images_in(file: Path, value: Any) -> Iterator[DrawnImage]:
        image = _image(file, folder, value, options.masks)
        if isinstance(value.get("imageData"), str) and not is_file(folder / image.filename.lstrip("/")):
            embedded.append(image.source)
        yield image

    images = list(images_of(files, _EXPECTED, b'"points"', images_in))
    issues = [*_not_read(embedded), *(without_masks(images) if options.masks else ())]
    return source(images, len(files), litter=litter, issues=issues)


def _not_read(embedded: Sequence[str]) -> list[Issue]:
    """Returns an issue where images are embedded in their files, and do not lie where these say."""
    if not embedded:
        return []
    message = (
        f"imageData, the image inside of the file, is not read (in {counted(len(embedded), 'file')} whose "
        "imagePath is not there): image files are looked for by name"
    )
    return [Issue("annotation-unread", embedded[0], None, message, False)]


def _image(file: Path, folder: Path, value: Any, masks: bool) -> DrawnImage:
    if not isinstance(value, dict) or "shapes" not in value:
        raise ForeignError(file, f"has no shapes, expected {_EXPECTED}")
    shapes = value["shapes"]
    if not isinstance(shapes, list):
        raise InputError(file, f"is {shown(shapes)}, expected a list", where="shapes")
    place = below(folder, file)
    named = value.get("imagePath")
    objects = [_drawn(number, shape, masks) for number, shape in enumerate(shapes)]
    return DrawnImage(
        source=readable(place),
        filename=_filename(place, named if isinstance(named, str) else ""),
        objects=_joined(objects, [_group(shape) for shape in shapes]),
        width=pixels(value.get("imageWidth")),
        height=pixels(value.get("imageHeight")),
        stem=file.stem,
        upright=True,  # LabelFile.load_image_file
    )


def _filename(place: str, named: str) -> str:
    """Returns the path of an image below the folder of the files: imagePath starts from its own file, at
    `place`, whose name the image has where it is empty, or names a JSON file, as of embedded images. Of one
    that leads out of that folder ("../images/a.jpg") it is what comes after, to be looked for by name."""
    folder = place.rpartition("/")[0]
    slashed = named.replace("\\", "/")
    if not slashed.strip() or slashed.lower().endswith(".json"):
        return place.rpartition(".")[0] or place
    if slashed.startswith("/") or slashed[1:2] == ":":
        return slashed
    return re.sub(r"^(?:\.\./)+", "", plain(f"{folder}/{slashed}" if folder else slashed))


def _drawn(number: int, shape: Any, masks: bool) -> Drawn:
    where = f"shapes[{number}]"
    if not isinstance(shape, dict):
        why = f"is {shown(shape)}, expected an object"
        return Drawn(where, "", None, code="annotation-unread", why=why)
    label = text(shape.get("label"))
    kind = shape.get("shape_type", "polygon") or "polygon"  # versions before 3.3 have polygons alone
    corners = points(shape.get("points"))
    if corners is None:
        why = f"its points are {shown(shape.get('points'))}, expected [[x, y], ...]"
        return Drawn(where, label, None, code="annotation-unread", why=why)
    box, around, code, why = _box(str(kind), corners, shape)
    mask = outline(corners) if masks and around == "polygon" else b""
    return Drawn(where, label, box, around, code, why, mask=mask, **_flags(shape))


def _box(kind: str, corners: Sequence[Point], shape: dict[str, Any]) -> tuple[Corners | None, str, str, str]:
    """Returns the box of a shape, what it is around where that is no box, and the issue's code and reason
    where it has none."""
    if kind in _WITHOUT_BOX:
        return None, "", "box-missing", f"a {kind} has no box"
    if kind in _OUTLINES or kind in _TURNED:
        if len(corners) < 3:
            return None, "", "box-missing", f"a {kind} of {counted(len(corners), 'point')} has no box"
        return around_points(corners), "polygon" if kind in _OUTLINES else "rotated box", "", ""
    if kind not in ("rectangle", "circle", "mask"):
        return None, "", "annotation-unread", f"its shape_type is {shown(kind)}, which is not known"
    if len(corners) != 2 and not (kind == "rectangle" and len(corners) == 4):
        return None, "", "annotation-unread", f"a {kind} of {counted(len(corners), 'point')}, expected 2"
    if kind == "circle":
        radius = math.dist(*corners)
        return from_centre(*corners[0], 2 * radius, 2 * radius), "circle", "", ""
    if kind == "mask":
        return _of_mask(corners, shape.get("mask")), "mask", "", ""
    return around_points(corners), "", "", ""


def _of_mask(corners: Sequence[Point], mask: Any) -> Corners | None:
    """Returns the box of a PNG whose first pixel lies at the first point. LabelMe's second point is its last
    pixel; other tools' is just beyond it: so the size is that of the PNG, where there is one."""
    (x, y), _ = corners
    try:
        head = base64.b64decode(mask[:64]) if isinstance(mask, str) else b""
    except (binascii.Error, ValueError):
        head = b""
    return around_png(x, y, head) or around_points(corners)


def _flags(shape: dict[str, Any]) -> dict[str, Any]:
    """Returns those of our flags that a shape has by name, as its own (AnyLabeling's difficult) or of its
    user."""
    of_user = shape.get("flags")
    if not of_user and _FLAG_NAMES.isdisjoint(shape):
        return {}
    said = (
        shape | {key.lower(): value for key, value in of_user.items()} if isinstance(of_user, dict) else shape
    )
    return {name: True for name in _FLAGS if name in said and flag(said[name])}


def _group(shape: Any) -> Any:
    group = shape.get("group_id") if isinstance(shape, dict) else None
    return group if isinstance(group, int | str) and group != "" else None


def _joined(objects: Sequence[Drawn], groups: Sequence[Any]) -> tuple[Drawn, ...]:
    """Returns the objects, each group of several with a box, and of one label, as one."""
    members: dict[tuple[str, Any], list[Drawn]] = {}
    for item, group in zip(objects, groups, strict=True):
        if group is not None and item.box_xyxy is not None:
            members.setdefault((item.name, group), []).append(item)
    of_several = {parts[0].where: key for key, parts in members.items() if len(parts) > 1}
    if not of_several:
        return tuple(objects)
    left = {item.where for parts in members.values() for item in parts[1:]}
    return tuple(
        _whole(members[of_several[item.where]], of_several[item.where][1])
        if item.where in of_several
        else item
        for item in objects
        if item.where not in left
    )


def _whole(parts: Sequence[Drawn], group: Any) -> Drawn:
    corners = [point for part in parts if part.box_xyxy for point in (part.box_xyxy[:2], part.box_xyxy[2:])]
    said: dict[str, Any] = {name: any(getattr(part, name) for part in parts) for name in _FLAGS}
    return Drawn(
        ", ".join(part.where for part in parts),
        parts[0].name,
        around_points(corners),
        f"{len(parts)} shapes, which are one by their group_id {shown(group)}",
        mask=_joined_masks([part.mask for part in parts]),
        **said,
    )


def _joined_masks(masks: Sequence[bytes]) -> bytes:
    """Returns the polygons of all; nothing where one of them is none."""
    polygons = [polygon for mask in masks if mask for polygon in json.loads(mask)]
    return json.dumps(polygons).encode() if len(polygons) == len(masks) else b""


def shows(file: Path) -> bool:
    """Returns whether a JSON file is LabelMe's."""
    data = ends(file)
    return _SHAPES.search(data) is not None and _PARTS.search(data) is not None

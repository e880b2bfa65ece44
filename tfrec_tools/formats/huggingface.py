"""Image folders of Hugging Face (https://huggingface.co/docs/datasets/image_dataset): a line an image.

Boxes are [x, y, width, height] in pixels, as its object detection has them. Numbers of classes count from 0,
and are named by the data set's card (README.md), or by the user.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats.box_units import with_units
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable, source
from tfrec_tools.formats.file_names import annotation_files
from tfrec_tools.formats.huggingface_card import class_names
from tfrec_tools.formats.huggingface_rows import Row, rows_of, shows_paligemma
from tfrec_tools.formats.json_values import flag, number, pixels, row, shown, text
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import from_size
from tfrec_tools.formats.sniffing import ends
from tfrec_tools.formats.split_names import split_of_folders

_OBJECTS = re.compile(rb'"objects"\s*:\s*[\[{]')
_NAMED = re.compile(rb'"file_name"\s*:')
_HEADER = re.compile(rb"^(?:\xef\xbb\xbf)?(?=[^\n]*\bfile_name\b)(?=[^\n]*\bobjects\b)")
_BOXES = ("bbox", "bboxes")
_CLASSES = (
    *(
        "category",
        "categories",
        "category_id",
        "category_ids",
        "category_name",
        "label",
        "labels",
        "label_name",
    ),
    *("class", "classes", "class_id", "class_name", "name", "names"),
)


@dataclass(frozen=True, slots=True)
class _Lists:
    """The objects of an image, as lists of one length."""

    boxes: list[Any]
    classes: list[Any]
    crowds: list[Any]
    areas: list[Any]
    fault: str = ""


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of the files of metadata anywhere below a folder by path, or of a single one, each
    in its order. Splits are those that folders are called by. An image without "objects" is
    image-unannotated. Raises InputError where a file cannot be read, where it is not clear which list is that
    of the classes, where these are numbers and nothing names them, or where boxes lie between 0 and 1 and
    nobody says what their numbers are."""
    files, litter = annotation_files(path, (".jsonl", ".csv"), "Hugging Face")
    folder = path.parent if path.is_file() else path
    files = [file for file in files if path.is_file() or shows(file)]
    rows = [(file.relative_to(folder), row_) for file in files for row_ in rows_of(file)]
    if not rows:
        raise InputError(path, "has no line with a file_name, expected metadata of an image folder")
    key = _class_key(path, [item for _, item in rows], options.class_attribute)
    lists = [_lists(item, key) for _, item in rows]
    names = list(options.class_names or ()) or _names(path, _card_folders(folder, files), lists, key)
    images = (_image(below, item, of, names) for (below, item), of in zip(rows, lists, strict=True))
    read_ = source(images, len(files), classes=names or (), litter=litter)
    return with_units(path, read_, options.coordinates)


def _objects(item: Row) -> Any:
    """Returns what stands of an image's objects: a struct of lists, or a list of structs."""
    value = item.value or {}
    is_flat = "objects" not in value and any(key in value for key in _BOXES)
    return dict(value) if is_flat else value.get("objects")


def _class_key(path: Path, rows: Sequence[Row], named: str | None) -> str:
    """Returns the name of the list of classes."""
    keys = dict[str, None]()
    for item in rows:
        objects = _objects(item)
        structs = objects if isinstance(objects, list) else [objects]
        keys |= {key: None for struct in structs if isinstance(struct, dict) for key in struct}
    if named is not None:
        if named not in keys and keys:
            reason = f"is {named!r}, and the objects of {path} have {', '.join(keys)}"
            raise InputError("--class-attribute", reason)
        return named
    likely = [key for key in keys if key in _CLASSES]
    if len(likely) > 1:
        listed = ", ".join(map(repr, likely))
        raise InputError(path, f"its objects have {listed}; say by --class-attribute which one is the class")
    return likely[0] if likely else "category"


def _lists(item: Row, key: str) -> _Lists:
    objects = _objects(item)
    if isinstance(objects, list):
        wholes = [struct if isinstance(struct, dict) else {"bbox": struct, key: ""} for struct in objects]
        boxes = [next((struct[name] for name in _BOXES if name in struct), None) for struct in wholes]
        labels, crowds, areas = ([whole.get(name) for whole in wholes] for name in (key, "iscrowd", "area"))
        return _Lists(boxes, labels, crowds, areas)
    if not isinstance(objects, dict):
        return _Lists([], [], [], [], "" if objects is None else f"its objects are {shown(objects)}")
    boxes = next((objects[name] for name in _BOXES if name in objects), [])
    classes = objects.get(key, [])
    if not isinstance(boxes, list) or not isinstance(classes, list) or len(boxes) != len(classes):
        count = max(len(listed) if isinstance(listed, list) else 1 for listed in (boxes, classes))
        why = f"its boxes are {shown(boxes)} and its classes {shown(classes)}, expected lists of one length"
        return _Lists([None] * count, [None] * count, [], [], why)
    more = [objects.get(name) for name in ("iscrowd", "area")]
    crowds, areas = (
        listed if isinstance(listed, list) and len(listed) == len(boxes) else [] for listed in more
    )
    return _Lists(boxes, classes, crowds, areas)


def _card_folders(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Returns where a card of all these files below a folder may be: the deepest folder that they share,
    those above it, the folder, and the one above."""
    first, *others = [file.relative_to(folder) for file in files]
    shared = [place for place in first.parents if all(other.is_relative_to(place) for other in others)]
    return [*(folder.joinpath(*place.parts) for place in shared), folder.parent]


def _names(path: Path, folders: Sequence[Path], lists: Sequence[_Lists], key: str) -> list[str] | None:
    """Returns the names of numbered classes, None where classes are texts."""
    if not any(
        isinstance(label, int) and not isinstance(label, bool) for of in lists for label in of.classes
    ):
        return None
    names = class_names(folders, key)
    if names is None:
        reason = (
            "its classes are numbers, which no README.md names; say --class-names A,B,C, from number 0 on"
        )
        raise InputError(path, reason)
    return names


def _image(below: Path, item: Row, lists: _Lists, names: Sequence[str] | None) -> DrawnImage | Unusable:
    where = f"{readable(str(below))} line {item.line}"
    if not isinstance(item.value, Mapping):
        return Unusable(Issue("annotation-damaged", where, None, item.fault, False))
    filename = text(item.value.get("file_name"))
    placed = (PurePosixPath(below.parent.as_posix()) / filename).as_posix() if filename else ""
    issues = []
    if lists.fault and not lists.boxes:
        issues.append(Issue("annotation-unread", where, None, lists.fault, False))
    elif _objects(item) is None:
        message = "has no objects, not even an empty list of them"
        issues.append(Issue("image-unannotated", where, None, message, False))
    return DrawnImage(
        where,
        placed,
        tuple(_drawn(number_, lists, names) for number_ in range(len(lists.boxes))),
        pixels(item.value.get("width")),
        pixels(item.value.get("height")),
        split=split_of_folders(PurePosixPath(placed).parts[:-1]),
        issues=tuple(issues),
    )


def _drawn(place: int, lists: _Lists, names: Sequence[str] | None) -> Drawn:
    where = f"objects[{place}]"
    if lists.fault:
        return Drawn(where, "", None, code="annotation-unread", why=lists.fault)
    label = lists.classes[place]
    name = _named(label, names)
    if isinstance(label, int) and not name:
        known = f"none of the {len(names)} names" if names else "no name"
        return Drawn(where, "", None, code="class-unknown", why=f"its class {shown(label)} is {known}")
    box = row(lists.boxes[place], 4)
    if box is None:
        code = "box-missing" if lists.boxes[place] is None else "annotation-unread"
        return Drawn(where, name, None, code=code, why=f"its bbox is {shown(lists.boxes[place])}")
    area = number(lists.areas[place]) if lists.areas else None
    crowd = bool(lists.crowds) and flag(lists.crowds[place])
    return Drawn(
        where,
        name,
        from_size(box[0], box[1], box[2], box[3]),
        crowd=crowd,
        area=math.nan if area is None else area,
    )


def _named(label: Any, names: Sequence[str] | None) -> str:
    """Returns the name of a class, which is a number where there are names; "" where it has none."""
    if isinstance(label, int) and not isinstance(label, bool):
        return names[label] if names is not None and 0 <= label < len(names) else ""
    return text(label) if isinstance(label, str) else ""


def shows(file: Path) -> bool:
    """Returns whether a file is metadata of an image folder with objects, or of PaliGemma's like."""
    data = ends(file)
    if file.suffix.lower() == ".csv":
        return _HEADER.search(data) is not None
    return (_OBJECTS.search(data) is not None and _NAMED.search(data) is not None) or shows_paligemma(data)

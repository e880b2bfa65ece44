"""What is read of COCO instances JSON, and its ids: numbers, or numbers as text, or any text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.polygons import is_number
from tfrec_tools.formats.coco_attributes import NO_ATTRIBUTES, are_any_turned, around_turned, degrees
from tfrec_tools.formats.coco_shapes import Box, around_keypoints, box_around
from tfrec_tools.formats.json_arrays import MENDED, NONNUMBERS
from tfrec_tools.formats.json_keys import of_struct

EXPECTED = "COCO instances"
NO_ID = 2**62
NO_KEYPOINTS = msgspec.Raw(b"")  # this very object is what an annotation without any has
_NO_KEY = "\0"  # of ids that are null or absent
_MOST_DIGITS = 100  # of an id that is compared as a number; Python reads no more than some thousand
_NO_BOX = (float("nan"),) * 4
_TRUE = (1, "1", "true", "True")
_NUMBER = re.compile(r"\s*[-+]?(\d{1,300}(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?\s*", re.ASCII)

Id = int | float | str  # as people's exporters write them


class Image(msgspec.Struct, gc=False):
    id: Id | None
    file_name: str
    width: float | str | None = None
    height: float | str | None = None
    labeled: list[str] | None = None  # ours: the names of the categories that it was annotated for
    neg_category_ids: list[Id] | None = None  # LVIS: of which it was found to have none
    not_exhaustive_category_ids: list[Id] | None = None  # LVIS: of which not all are annotated


class Category(msgspec.Struct, gc=False):
    id: Id | None
    name: Id
    supercategory: Any = None
    keypoints: Any = None


class Annotation(msgspec.Struct, gc=False):
    image_id: Id | None
    category_id: Id | None
    bbox: tuple[float, float, float, float]
    iscrowd: float | bool | None = None
    area: float | None = None
    id: Id | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"")
    keypoints: msgspec.Raw = NO_KEYPOINTS
    training_weight: float | None = None  # ours: `weight` may be that of the object
    ignore: float | bool | None = None  # what pycocotools and VOC's converters call VOC's difficult
    attributes: msgspec.Raw = NO_ATTRIBUTES


class Mended(Annotation, gc=False):
    """An annotation of a file that writes NaN or Infinity, which come as texts."""

    bbox: tuple[float | str, float | str, float | str, float | str]  # type: ignore[assignment]
    area: float | str | None = None  # type: ignore[assignment]


class Odd(Annotation, gc=False):
    """An annotation that lacks something, or is none.

    code    "box-missing", "box-derived", "annotation-unread", or "" where its ids alone are odd
    count   how many annotated things it stands for
    """

    code: str = ""
    why: str = ""
    count: int = 1


IMAGE_KEYS, CATEGORY_KEYS, ANNOTATION_KEYS = of_struct(Image), of_struct(Category), of_struct(Annotation)
_STRICT = msgspec.json.Decoder(list[Annotation])
_STRICT_MENDED = msgspec.json.Decoder(list[Mended])
_STRICT_IMAGES = msgspec.json.Decoder(list[Image])
_CATEGORIES = msgspec.json.Decoder(list[Category])


def images_of(json: bytes) -> list[Image]:
    """Returns the images of a JSON array; an id that is none comes as None, a file name as ""."""
    if MENDED not in json:
        with suppress(msgspec.ValidationError):
            images = _STRICT_IMAGES.decode(json)
            if all(image.file_name for image in images):
                return images
    return [_image(item) for item in msgspec.json.decode(json)]


def annotations_of(json: bytes, keypoints: bool = False) -> list[Annotation]:
    """Returns the annotations of a JSON array; those that lack something come as Odd. With `keypoints`, those
    that have nothing else get the box around them."""
    with suppress(msgspec.ValidationError):
        items = _STRICT.decode(json)
        if not are_any_turned(item.attributes for item in items):
            return items
    return [_annotation(item, keypoints) for item in msgspec.json.decode(json)]


def mended_of(json: bytes, keypoints: bool = False) -> list[Annotation]:
    """Returns as `annotations_of` does, of a file that writes NaN or Infinity."""
    with suppress(msgspec.ValidationError):
        items: list[Any] = _STRICT_MENDED.decode(json)
        texts = (value for item in items for value in item.bbox if isinstance(value, str))
        if all(value in NONNUMBERS for value in texts) and not are_any_turned(i.attributes for i in items):
            return items
    return [_annotation(item, keypoints) for item in msgspec.json.decode(json)]


def odd_items(part: Sequence[Annotation]) -> Sequence[Odd]:
    """Returns a part whose annotations are Odd, and nothing of another: a part is read one way or the
    other."""
    return cast("Sequence[Odd]", part) if part and type(part[0]) is Odd else ()


def categories_of(json: bytes) -> list[Category]:
    """Returns the categories of a JSON array; without an id where it is null, NaN or absent, and with an
    empty name where that is NaN."""
    items = msgspec.json.decode(json)
    if isinstance(items, list):
        items = [_category(item) if isinstance(item, dict) else item for item in items]
    return _CATEGORIES.decode(msgspec.json.encode(items))


def _category(item: dict[str, Any]) -> dict[str, Any]:
    plain = {key: _plain(value) for key, value in item.items()}
    empty = {"name": ""} if "name" in item and plain["name"] is None and item["name"] is not None else {}
    return {"id": None} | plain | empty


def _plain(value: Any) -> Any:
    """Returns None for a text that stands for NaN or Infinity; anything else as it is."""
    return None if isinstance(value, str) and value in NONNUMBERS else value


def _image(item: Any) -> Image:
    fields = {key: _plain(value) for key, value in item.items()} if isinstance(item, dict) else {}
    name = fields.get("file_name")
    width, height = (
        value if isinstance(value := fields.get(side), int | float | str) else None
        for side in ("width", "height")
    )
    filename = str(name) if isinstance(name, str | int) else ""
    if not filename and isinstance(url := fields.get("coco_url"), str):
        filename = url  # LVIS has no other
    negative, partial = (_ids(fields.get(f"{key}_category_ids")) for key in ("neg", "not_exhaustive"))
    return Image(
        _id(fields.get("id")), filename, width, height, _names(fields.get("labeled")), negative, partial
    )


def _ids(listed: Any) -> list[Id] | None:
    return [item for item in listed if _id(_plain(item)) is not None] if isinstance(listed, list) else None


def _names(labeled: Any) -> list[str] | None:
    """Returns None where they are none, so that the image counts as annotated for all categories."""
    is_listed = isinstance(labeled, list) and all(isinstance(name, str) for name in labeled)
    return labeled if is_listed else None


def _annotation(item: Any, keypoints: bool) -> Annotation:
    if not isinstance(item, dict):
        return Odd(None, None, _NO_BOX, code="annotation-unread", why=f"is {str(item)[:40]!r}, no object")
    area = _valued(item.get("area"))
    code, why, bbox, count = _box(item, keypoints)
    fields: dict[str, Any] = {
        "image_id": _id(item.get("image_id")),
        "category_id": _id(item.get("category_id")),
        "bbox": bbox,
        "iscrowd": _is_true(item.get("iscrowd")),
        "area": area if is_number(area) else None,
        "id": _id(item.get("id")),
        "segmentation": msgspec.Raw(msgspec.json.encode(item.get("segmentation"))),
        "keypoints": msgspec.Raw(msgspec.json.encode(item.get("keypoints"))),
        "training_weight": weight if is_number(weight := item.get("training_weight")) else None,
        "ignore": _is_true(item.get("ignore")),
    }
    if "attributes" in item:
        fields["attributes"] = msgspec.Raw(msgspec.json.encode(item["attributes"]))
    return Odd(**fields, code=code, why=why, count=count)


def _box(item: dict[str, Any], keypoints: bool) -> tuple[str, str, Box, int]:
    """Returns the code of what is odd about an annotation's box, why, the box, and how many things it stands
    for."""
    box = item.get("bbox")
    if isinstance(box, list) and len(box) == 4 and all(is_number(_valued(value)) for value in box):
        x, y, width, height = map(_valued, box)
        said = attributes.get("rotation") if isinstance(attributes := item.get("attributes"), dict) else None
        if (rotation := degrees(said)) and not item.get("segmentation"):
            why = f"is turned by {said} degrees: taken is the box around it"
            return "box-derived", why, around_turned((x, y, width, height), rotation), 1
        return "", "", (x, y, width, height), 1
    segments = item.get("segments_info")
    if isinstance(segments, list):
        why = f"has segments_info of {len(segments)} segments, which is panoptic"
        return "annotation-unread", why, _NO_BOX, max(1, len(segments))
    if "caption" in item and "category_id" not in item:
        return "annotation-unread", "is a caption", _NO_BOX, 1
    said = f"bbox is {msgspec.json.encode(box).decode()[:60]}" if "bbox" in item else "has no bbox"
    around = box_around(item.get("segmentation"))
    if around is not None:
        return "box-derived", f"{said}: taken is the box around its segmentation", around, 1
    around = around_keypoints(item.get("keypoints"))
    if around is not None and keypoints:
        return "box-derived", f"{said}: taken is the box around its keypoints", around, 1
    advice = "" if around is None else "; --boxes-from keypoints takes the one around its keypoints"
    return "box-missing", f"{said}, and its segmentation has no box{advice}", _NO_BOX, 1


def _is_true(value: Any) -> bool:
    return isinstance(value, int | float | str) and value in _TRUE


def _valued(value: Any) -> Any:
    """Returns the number that a text stands for; anything else as it is."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else NONNUMBERS.get(value, value)
    return value


def _id(value: Any) -> Id | None:
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else None


def superfluous(categories: Sequence[Category], used: Collection[int]) -> int:
    """Returns the number in the list of Roboflow's category 0, which only names the data set: it is the
    supercategory of all others, and not among the numbers `used` by annotations; -1 where there is none."""
    root = next((i for i, category in enumerate(categories) if key_of(category.id) == "0"), -1)
    others = [category for i, category in enumerate(categories) if i != root]
    if root < 0 or root in used or not others:
        return -1
    return root if all(other.supercategory == categories[root].name for other in others) else -1


def id_numbers(keys: Sequence[str]) -> dict[Id | None, int]:
    """Returns {id: its number in the list}, by text and, where it is one, by whole number."""
    numbers: dict[Id | None, int] = {}
    for number, key in enumerate(keys):
        numbers.setdefault(key, number)
        if key.isdecimal() and len(key) <= _MOST_DIGITS and str(int(key)) == key:
            numbers.setdefault(int(key), number)
    return numbers


def looked_up(numbers: Mapping[Id | None, int], ids: Sequence[Id | None]) -> NDArray[np.int32]:
    """Returns (ids,) -1 where there is none of that id. 17.0 is found as 17 is."""
    result = np.array([numbers.get(listed_id, -1) for listed_id in ids], np.int32)
    for row in np.flatnonzero(result < 0).tolist():
        result[row] = numbers.get(key_of(ids[row]), -1)
    return result


def own_keys(ids: Sequence[Id | None]) -> list[str]:
    """Returns their keys, with one that nothing else has for each that is None."""
    return [
        f"{_NO_KEY}{number}" if listed_id is None else key_of(listed_id)
        for number, listed_id in enumerate(ids)
    ]


def int64(listed_id: Id | None) -> int:
    return listed_id if isinstance(listed_id, int) and abs(listed_id) < NO_ID else NO_ID


def key_of(listed_id: Id | None) -> str:
    """Returns one text for 17, 17.0 and "17"; of None one that is no id."""
    if listed_id is None:
        return _NO_KEY
    if isinstance(listed_id, float) and listed_id.is_integer():
        return str(int(listed_id))
    return str(listed_id).strip()


def order_of(listed_id: Id | None) -> tuple[bool, float, str]:
    """Returns numbers by value, then the rest by text."""
    key = key_of(listed_id)
    try:
        return False, float(key), key
    except ValueError:
        return True, 0.0, key

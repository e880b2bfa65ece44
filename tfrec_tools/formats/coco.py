"""COCO instances JSON (https://cocodataset.org/#format-data): boxes are [x y width height] in pixels."""

from __future__ import annotations

import json
import math
import mmap
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from tfrec_tools.boxes import from_xywh
from tfrec_tools.errors import InputError
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord, Source, image_record

Id = int | float | str  # as people's exporters write them


class _Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    width: float | None = None
    height: float | None = None


class _Category(msgspec.Struct, gc=False):
    id: Id
    name: Id
    supercategory: str | None = None


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    iscrowd: float | bool | None = None
    area: float | None = None


class _Instances(msgspec.Struct):
    """The only parts that are read; segmentations are skipped over."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


Images = dict[str, tuple[int, _Image]]  # key of id: (index in the file, image)


def read(path: Path) -> Source:
    """The images in the file's order, and its categories by id. InputError names the place in the file
    that cannot be read; annotations that belong nowhere come as issues."""
    instances = _decode(path)
    categories, issues = _categories(path, instances)
    names = _names_by_key(path, categories)
    images, more = _images_by_key(path, instances.images)
    placed, unplaced = _place(path, instances.annotations, images, names)
    classes = tuple(dict.fromkeys(names.values()))
    labeled = frozenset(classes)
    records = [
        _record(f"{path.name} images[{index}]", key, image, placed[key], names, labeled)
        for key, (index, image) in images.items()
    ]
    return Source(classes, records, (*issues, *_same_names(path, names), *more, *unplaced))


def _decode(path: Path) -> _Instances:
    if path.stat().st_size == 0:
        raise InputError(path, "", "is empty, expected COCO instances JSON")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return msgspec.json.decode(data, type=_Instances)
        except msgspec.ValidationError as fault:
            raise _schema_error(path, fault) from fault
        except msgspec.DecodeError:
            return _decode_leniently(path, bytes(data))


def _decode_leniently(path: Path, data: bytes) -> _Instances:
    """The slow way: Python's parser takes NaN, Infinity and byte order marks, and names the line of what
    is broken."""
    try:
        return msgspec.convert(json.loads(data), type=_Instances)
    except msgspec.ValidationError as fault:
        raise _schema_error(path, fault) from fault
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno} (character {fault.pos})"
        raise InputError(path, where, f"broken JSON: {fault.msg}") from fault
    except (UnicodeDecodeError, RecursionError) as fault:
        raise InputError(path, "", f"broken JSON: {fault}") from fault


def _schema_error(path: Path, fault: msgspec.ValidationError) -> InputError:
    """msgspec says "<reason> - at `$.annotations[3].bbox`"."""
    reason, _, place = str(fault).partition(" - at ")
    reason = re.sub(r"`([^`]*)`", r"\1", reason)
    return InputError(path, place.strip("`").removeprefix("$").lstrip("."), f"not COCO instances: {reason}")


def _categories(path: Path, instances: _Instances) -> tuple[list[_Category], list[Issue]]:
    """The categories by id, without Roboflow's root."""
    categories = sorted(instances.categories, key=lambda category: _order(category.id))
    root = _superfluous(instances, categories)
    if root is None:
        return categories, []
    message = f"category {_key(root.id)} {root.name!r} has no boxes and is the parent of all others"
    issue = Issue("class-superfluous", path.name, None, message, True)
    return [category for category in categories if category is not root], [issue]


def _superfluous(instances: _Instances, categories: list[_Category]) -> _Category | None:
    """Roboflow's category 0, which only names the data set: the supercategory of all others, unused."""
    root = next((category for category in categories if _key(category.id) == "0"), None)
    others = [category for category in categories if category is not root]
    if root is None or not others or any(other.supercategory != root.name for other in others):
        return None
    used = any(_key(annotation.category_id) == "0" for annotation in instances.annotations)
    return None if used else root


def _names_by_key(path: Path, categories: Iterable[_Category]) -> dict[str, str]:
    names: dict[str, str] = {}
    for category in categories:
        key, name = _key(category.id), str(category.name).strip()
        if not name:
            raise InputError(path, "categories", f"the name of category id {key} is empty")
        if names.setdefault(key, name) != name:
            raise InputError(path, "categories", f"category id {key} stands for {names[key]!r} and {name!r}")
    return names


def _same_names(path: Path, names: dict[str, str]) -> list[Issue]:
    issues = []
    for name, count in Counter(names.values()).items():
        if count > 1:
            message = f"{name!r} is the name of ids {', '.join(key for key in names if names[key] == name)}"
            issues.append(Issue("class-duplicate", path.name, None, message, True))
    return issues


def _images_by_key(path: Path, images: Iterable[_Image]) -> tuple[Images, list[Issue]]:
    """The first image of each id."""
    found: Images = {}
    issues = []
    for index, image in enumerate(images):
        first, _ = found.setdefault(_key(image.id), (index, image))
        if first != index:
            message = f"image id {_key(image.id)} is that of images[{first}] too: left out"
            issues.append(Issue("image-duplicate", f"{path.name} images[{index}]", None, message, True))
    return found, issues


def _place(
    path: Path, annotations: Iterable[_Annotation], images: Images, names: dict[str, str]
) -> tuple[dict[str, list[_Annotation]], list[Issue]]:
    """The annotations of each image, and an issue for each of unknown image or category."""
    placed: dict[str, list[_Annotation]] = {key: [] for key in images}
    issues = []
    for index, annotation in enumerate(annotations):
        source = f"{path.name} annotations[{index}]"
        if _key(annotation.image_id) not in placed:
            message = f"image_id {annotation.image_id!r} is not in images"
            issues.append(Issue("image-unknown", source, None, message, True))
        elif _key(annotation.category_id) not in names:
            message = f"category_id {annotation.category_id!r} is not in categories"
            issues.append(Issue("class-unknown", source, None, message, True))
        else:
            placed[_key(annotation.image_id)].append(annotation)
    return placed, issues


def _record(
    source: str,
    key: str,
    image: _Image,
    annotations: list[_Annotation],
    names: dict[str, str],
    labeled: frozenset[str],
) -> ImageRecord:
    boxes_xywh = np.array([annotation.bbox for annotation in annotations], np.float64).reshape(-1, 4)
    areas = [math.nan if annotation.area is None else annotation.area for annotation in annotations]
    return image_record(
        image_id=key,
        filename=image.file_name,
        source=source,
        width=_pixels(image.width),
        height=_pixels(image.height),
        boxes_xyxy=from_xywh(boxes_xywh),
        names=tuple(names[_key(annotation.category_id)] for annotation in annotations),
        crowd=[bool(annotation.iscrowd) for annotation in annotations],
        area=areas,
        labeled=labeled,
    )


def _key(given: Id) -> str:
    """One text for 17, 17.0 and "17"."""
    if isinstance(given, float) and given.is_integer():
        return str(int(given))
    return str(given).strip()


def _order(given: Id) -> tuple[bool, float, str]:
    """Numbers by value, then the rest by text."""
    key = _key(given)
    try:
        return False, float(key), key
    except ValueError:
        return True, 0.0, key


def _pixels(given: float | None) -> int:
    return int(given) if given is not None and math.isfinite(given) else 0

"""COCO instances JSON (https://cocodataset.org/#format-data): boxes are [x y width height] in pixels.

Of each annotation only its numbers are kept, in columns: at the peak about 150 bytes, besides the mask where
it is asked for; an image takes about 1.2 KB. So memory is bounded by their numbers, whatever the polygons
take in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.boxes import from_xywh
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import json_arrays
from tfrec_tools.formats.coco_schema import (
    NO_ID,
    Annotation,
    Category,
    Id,
    Image,
    Instances,
    Mended,
    id_numbers,
    int64,
    key_of,
    looked_up,
    order_of,
    pixels,
)
from tfrec_tools.formats.grouping import Column, by_image, joined
from tfrec_tools.formats.json_arrays import NONNUMBERS
from tfrec_tools.formats.options import DEFAULT, ReadOptions

_EXPECTED = "COCO instances"


@dataclass(frozen=True, slots=True)
class _Images:
    """The images of distinct ids: their ids, their numbers in the file, and what the file says of them."""

    keys: list[str]
    indices: list[int]
    items: list[Image]


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """The images in the file's order, and its categories by id. InputError names the place in the file
    that cannot be read; annotations that belong nowhere come as issues."""
    data = json_arrays.mapped(path, f"{_EXPECTED} JSON")
    found, mended = json_arrays.spans(path, data, _EXPECTED, Instances)
    categories = [
        item
        for part in json_arrays.slices(path, "categories", found.categories, _EXPECTED, Category)
        for item in part
    ]
    categories.sort(key=lambda category: order_of(category.id))
    names = names_of(path, categories)
    images, repeated = _images(path, found.images)
    schema = Mended if mended else Annotation
    annotations = json_arrays.slices(path, "annotations", found.annotations, _EXPECTED, schema)
    columns, unplaced = _columns(path, annotations, images, categories, options.masks)
    root = superfluous(categories, columns["class_of"])
    classes = classes_of(names, root)
    records = _records(path, images, columns, names, frozenset(classes))
    issues = (*category_issues(path, categories, root), *repeated, *unplaced)
    return Source(classes, records, issues)


def names_of(path: Path, categories: Sequence[Category]) -> tuple[str, ...]:
    """Their names; InputError where one is empty or an id stands for two."""
    by_key: dict[str, str] = {}
    for category in categories:
        key, name = key_of(category.id), str(category.name).strip()
        if not name:
            raise InputError(path, f"the name of category id {key} is empty", where="categories")
        if by_key.setdefault(key, name) != name:
            raise InputError(
                path, f"category id {key} stands for {by_key[key]!r} and {name!r}", where="categories"
            )
    return tuple(str(category.name).strip() for category in categories)


def classes_of(names: Sequence[str], root: int) -> tuple[str, ...]:
    """Each name once, without that of category number `root`."""
    return tuple(dict.fromkeys(name for i, name in enumerate(names) if i != root))


def superfluous(categories: Sequence[Category], class_of: NDArray[np.int32]) -> int:
    """Roboflow's category 0, which only names the data set: the supercategory of all others, unused. Its
    number in the list; -1 where there is none."""
    root = next((i for i, category in enumerate(categories) if key_of(category.id) == "0"), -1)
    others = [category for i, category in enumerate(categories) if i != root]
    if root < 0 or not others or any(other.supercategory != categories[root].name for other in others):
        return -1
    return -1 if (class_of == root).any() else root


def category_issues(path: Path, categories: Sequence[Category], root: int) -> list[Issue]:
    """That number `root` is superfluous; names with white space around them, and names of several ids."""
    issues = []
    if root >= 0:
        message = f"category 0 {categories[root].name!r} has no boxes and is the parent of all others"
        issues.append(Issue("class-superfluous", path.name, None, message, True))
    ids: dict[str, set[str]] = {}
    for category in categories:
        given, key = str(category.name), key_of(category.id)
        ids.setdefault(given.strip(), set()).add(key)
        if given != given.strip():
            message = f"the name of category id {key} is {given!r}"
            issues.append(Issue("class-untrimmed", path.name, None, message, True))
    for name, keys in ids.items():
        if len(keys) > 1:
            message = f"{name!r} is the name of ids {', '.join(sorted(keys))}"
            issues.append(Issue("class-duplicate", path.name, None, message, True))
    return issues


def _images(path: Path, raw: msgspec.Raw) -> tuple[_Images, list[Issue]]:
    """The first image of each id."""
    images, first = _Images([], [], []), dict[str, int]()
    issues = []
    base = 0
    for part in json_arrays.slices(path, "images", raw, _EXPECTED, Image):
        for index, image in enumerate(part, start=base):
            key = key_of(image.id)
            if first.setdefault(key, index) == index:
                images.keys.append(key)
                images.indices.append(index)
                images.items.append(image)
            else:
                issues.append(repeated_image(path, key, index, first[key]))
        base += len(part)
    return images, issues


def repeated_image(path: Path, key: str, index: int, first: int) -> Issue:
    message = f"image id {key} is that of images[{first}] too: left out"
    return Issue("image-duplicate", f"{path.name} images[{index}]", None, message, True)


def _columns(
    path: Path,
    annotations: Iterable[list[Annotation]],
    images: _Images,
    categories: Sequence[Category],
    masks: bool,
) -> tuple[dict[str, Column], list[Issue]]:
    """The annotations' numbers, (rows,) or (rows, 4) each, with images and categories by their numbers in
    the lists; and an issue for each of unknown image or category, whose image_of is -1."""
    image_numbers = id_numbers(images.keys)
    class_numbers = id_numbers([key_of(category.id) for category in categories])
    pieces = [piece_of([], image_numbers, class_numbers, masks)]
    issues: list[Issue] = []
    first = 0
    for part in annotations:
        piece = piece_of(part, image_numbers, class_numbers, masks)
        for row in np.flatnonzero((piece["image_of"] < 0) | (piece["class_of"] < 0)):
            image_id = part[row].image_id if piece["image_of"][row] < 0 else None
            issues.append(unplaced(path, first + int(row), image_id, part[row].category_id))
            piece["image_of"][row] = -1
        pieces.append(piece)
        first += len(part)
    columns = joined(pieces)
    ids = columns.pop("id")
    values, counts = np.unique(ids[ids != NO_ID], return_counts=True)
    return columns, issues + repeated_ids(path, values[counts > 1].tolist())


def piece_of(
    part: Sequence[Annotation], images: Mapping[Id, int], categories: Mapping[Id, int], masks: bool
) -> dict[str, Column]:
    """Annotations as columns; images and categories are given by {id: number}."""
    numbers: Iterable[Any] = chain.from_iterable(item.bbox for item in part)
    areas: list[Any] = [math.nan if item.area is None else item.area for item in part]
    if part and isinstance(part[0], Mended):
        numbers = (NONNUMBERS.get(value, value) for value in numbers)
        areas = [NONNUMBERS.get(area, area) for area in areas]
    piece: dict[str, Column] = {
        "image_of": looked_up(images, [item.image_id for item in part]),
        "class_of": looked_up(categories, [item.category_id for item in part]),
        "boxes_xyxy": from_xywh(np.fromiter(numbers, np.float64).reshape(-1, 4)),
        "area": np.array(areas, np.float64),
        "crowd": np.array([bool(item.iscrowd) for item in part], bool),
        "id": np.array([int64(item.id) for item in part], np.int64),
    }
    if masks:
        piece["mask"] = np.array([bytes(item.segmentation) for item in part], object)
    return piece


def unplaced(path: Path, row: int, image_id: Id | None, category_id: Id) -> Issue:
    """Of an annotation whose image is not there, or None and its category is not."""
    source = f"{path.name} annotations[{row}]"
    if image_id is not None:
        return Issue("image-unknown", source, None, f"image_id {image_id!r} is not in images", True)
    return Issue("class-unknown", source, None, f"category_id {category_id!r} is not in categories", True)


def repeated_ids(path: Path, repeated: Sequence[int]) -> list[Issue]:
    """One issue for all annotation ids, in order, that stand more than once; nothing needs them."""
    if not repeated:
        return []
    message = f"{len(repeated)} annotation ids stand more than once, such as {repeated[0]}"
    return [Issue("annotation-id-duplicate", path.name, None, message, False)]


def _records(
    path: Path, images: _Images, columns: Mapping[str, Column], names: Sequence[str], labeled: frozenset[str]
) -> list[ImageRecord]:
    """One a image; their arrays are views of the columns."""
    sorted_columns, bounds = by_image(columns, len(images.keys))
    labels = [names[i] for i in sorted_columns["class_of"]]
    masks = sorted_columns["mask"].tolist() if "mask" in columns else []
    no = np.zeros(len(labels), bool)
    return [
        record_of(
            path,
            images.indices[number],
            images.items[number],
            {name: column[start:end] for name, column in sorted_columns.items()},
            tuple(labels[start:end]),
            no[start:end],
            labeled,
            tuple(masks[start:end]),
        )
        for number, (start, end) in enumerate(pairwise(bounds))
    ]


def record_of(
    path: Path,
    index: int,
    image: Image,
    columns: Mapping[str, Column],
    names: tuple[str, ...],
    unset: NDArray[np.bool_],
    labeled: frozenset[str] | None,
    masks: tuple[bytes, ...],
) -> ImageRecord:
    """The image at `index` of the file; columns, names and masks are of its boxes, `unset` is (N,) False."""
    return ImageRecord(
        image_id=key_of(image.id),
        filename=image.file_name,
        width=pixels(image.width),
        height=pixels(image.height),
        boxes_xyxy=columns["boxes_xyxy"],
        names=names,
        crowd=columns["crowd"],
        difficult=unset,
        truncated=unset,
        occluded=unset,
        group_of=unset,
        area=columns["area"],
        source=f"{path.name} images[{index}]",
        labeled=labeled,
        masks=masks,
    )

"""COCO instances JSON (https://cocodataset.org/#format-data): boxes are [x y width height] in pixels.

Of each annotation only its numbers are kept, in columns: at the peak about 150 bytes, besides the mask where
it is asked for; an image takes about 1.2 KB. So memory is bounded by their numbers, whatever the polygons
take in the file.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.boxes import from_xywh
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Source
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.formats import box_units, coco_attributes, coco_federated, coco_keypoints, json_arrays
from tfrec_tools.formats.box_units import BoxUnits
from tfrec_tools.formats.coco_categories import (
    category_issues,
    category_numbers,
    classes_of,
    ids_by_name,
    listed_categories,
    names_of,
)
from tfrec_tools.formats.coco_schema import (
    ANNOTATION_KEYS,
    EXPECTED,
    IMAGE_KEYS,
    NO_ID,
    Annotation,
    Category,
    Id,
    Image,
    Mended,
    Odd,
    annotations_of,
    id_numbers,
    images_of,
    int64,
    key_of,
    looked_up,
    mended_of,
    odd_items,
    superfluous,
)
from tfrec_tools.formats.file_names import names_a_file, of_address
from tfrec_tools.formats.foreign import is_partly_coco
from tfrec_tools.formats.grouping import Boxes, Column, by_image, joined
from tfrec_tools.formats.json_arrays import NONNUMBERS
from tfrec_tools.formats.json_values import pixels
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.sniffing import ends

_LISTS = re.compile(rb'"(?:annotations|images)"\s*:\s*\[')
_PARTS = re.compile(rb'"(?:bbox|file_name|image_id|segmentation)"')
_RESULTS = re.compile(rb'\s*\[\s*\{[^{}]*"image_id"\s*:')
_HEAD_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"
# Columns that records are made of.
_OF_BOXES = ("boxes_xyxy", "crowd", *coco_attributes.FLAGS, "area", "weight")
NEEDED = ("images", "annotations", "categories")
_REPEATED = "image-duplicate"
# What an annotation has, whatever its kind.
_MARKS = frozenset(("bbox", "segmentation", "segments_info", "keypoints", "image_id", "category_id"))


@dataclass(frozen=True, slots=True)
class _Images:
    """The images of distinct ids: their ids, their numbers in the file, and what the file says of them; and
    {place in these lists: (number in the file, image)} of another image that has the id, too."""

    keys: list[str]
    indices: list[int]
    items: list[Image]
    others: dict[int, tuple[int, Image]]


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images in the file's order, and its categories by id. InputError names the place in the
    file that cannot be read, or says that its boxes may be fractions; annotations that belong nowhere, or
    have no box, come as issues."""
    data = json_arrays.mapped(path, f"{EXPECTED} JSON")
    _require_no_results(path, data[:_HEAD_BYTES])
    arrays, mended = json_arrays.spans(path, data, EXPECTED, NEEDED)
    categories = listed_categories(path, arrays["categories"])
    names = names_of(path, categories)
    images, odd_images, listed = _images(path, arrays["images"], names)
    decode = partial(mended_of if mended else annotations_of, keypoints=options.boxes_from == "keypoints")
    annotations = json_arrays.slices(
        path, "annotations", arrays["annotations"], EXPECTED, decode, ANNOTATION_KEYS
    )
    read_ = _columns(path, annotations, images, categories, options.masks)
    keypoints = coco_keypoints.taken(path, categories, names, read_.columns, options.keypoints)
    root = superfluous(categories, frozenset(read_.columns["class_of"].tolist()))
    classes = classes_of(names, root)
    records, derived = _records(path, images, read_, names, frozenset(classes), keypoints.by_class)
    if box_units.are_fractions(path, read_.units, options.coordinates):
        records = [box_units.in_fractions(record) for record in records]
    records, unsaid = coco_federated.labeled(records, images.items, categories, names)
    of_rows = [issue for _, issue in sorted([*read_.issues, *derived], key=lambda pair: pair[0])]
    other_issues, unread = others(path, arrays)
    of_file = (*category_issues(path, categories, root), *keypoints.issues)
    issues = (*of_file, *odd_images, *unsaid, *of_rows, *read_.repeated, *other_issues)
    account = Account(
        files=1,
        found=read_.found + unread,
        dropped=read_.dropped + Counter({"annotation-unread": unread}),
        images=listed,
        images_dropped=Counter(issue.code for issue in odd_images if issue.code == _REPEATED),
    )
    ids = ids_by_name(categories, classes)
    return Source(classes, records, issues, account, ids, keypoints.of_classes(classes))


def _require_no_results(path: Path, head: bytes) -> None:
    """Raises InputError where a file begins as a list of results does, which are no annotations."""
    if _RESULTS.match(head.removeprefix(_BOM)) and b'"score"' in head:
        reason = (
            "is a list of COCO results, which are predictions; expected COCO instances, with their images"
        )
        raise InputError(path, reason)


def others(path: Path, arrays: Mapping[str, msgspec.Raw]) -> tuple[list[Issue], int]:
    """Returns an issue for each other array of the file that holds annotations, and how many it has."""
    issues, total = [], 0
    for key, raw in arrays.items():
        if key in (*NEEDED, "info", "licenses") or bytes(memoryview(raw)[:1]) != b"[":
            continue
        parts = json_arrays.slices(path, key, raw, EXPECTED, msgspec.json.decode)
        count = sum(isinstance(item, dict) and not _MARKS.isdisjoint(item) for part in parts for item in part)
        if count:
            message = f"{counted(count, 'annotation')} in {key!r}, expected in 'annotations'"
            issues.append(Issue("annotation-unread", readable(path.name), None, message, True))
            total += count
    return issues, total


def _images(path: Path, raw: msgspec.Raw, names: Sequence[str]) -> tuple[_Images, list[Issue], int]:
    """Returns the first image of each id, what is odd, and how many images the file lists. Raises InputError
    where there are images, and none has an id, or where one was annotated for none of the categories.

    names   of the categories
    """
    images, first = _Images([], [], [], {}), dict[str, int]()
    issues = []
    base = 0
    for part in json_arrays.slices(path, "images", raw, EXPECTED, images_of, IMAGE_KEYS):
        for index, image in enumerate(part, start=base):
            key = image_key(index, image)
            if first.setdefault(key, index) == index:
                images.keys.append(key)
                images.indices.append(index)
                images.items.append(image)
                if image.id is None:
                    issues.append(without_id(path, index))
                issues += unlisted(path, index, image, names)
            else:
                issues.append(repeated_image(path, key, index, first[key]))
                place = bisect_left(images.indices, first[key])
                if file_name(image) != file_name(images.items[place]):
                    images.others.setdefault(place, (index, image))
        base += len(part)
    if images.items and all(image.id is None for image in images.items):
        raise InputError(path, "no image has an id, which annotations would name it by", where="images[0]")
    return images, issues, base


def image_key(index: int, image: Image) -> str:
    """Returns the key of an image's id; one that no annotation has where it has none."""
    return key_of(image.id) if image.id is not None else f"{key_of(None)}{index}"


def without_id(path: Path, index: int) -> Issue:
    message = "has no id, so that no annotation can be of it"
    return Issue("image-unannotated", source_of(path, index), None, message, False)


def unlisted(path: Path, index: int, image: Image, names: Sequence[str]) -> list[Issue]:
    """Returns an issue where an image was annotated for a class that is none of the categories' names. Raises
    InputError where it was for none that is."""
    labeled = image.labeled
    if not labeled or not (unknown := sorted(set(labeled).difference(names))):
        return []
    listed = ", ".join(map(repr, unknown))
    if set(unknown) == set(labeled):
        reason = f"labeled is {listed}, of which none is in categories"
        raise InputError(path, reason, where=f"images[{index}]")
    message = f"labeled names {listed}, not in categories"
    return [Issue("class-unknown", source_of(path, index), None, message, True)]


def repeated_image(path: Path, key: str, index: int, first: int) -> Issue:
    message = f"image id {key} is that of images[{first}] too: left out"
    return Issue(_REPEATED, source_of(path, index), None, message, True)


def require_one_image(path: Path, row: int, first: tuple[int, Image], other: tuple[int, Image]) -> None:
    """Raises InputError where two images of one id, each with its number in the file, are not of one file:
    nobody can know which of them the annotation at `row` is of."""
    names = file_name(first[1]), file_name(other[1])
    if names[0] == names[1]:
        return
    found = f"image_id {key_of(first[1].id)} is {names[0]!r} in images[{first[0]}]"
    also = f"and {names[1]!r} in images[{other[0]}], expected one image of each id"
    hint = "give files that were joined as sources of their own"
    raise InputError(path, f"{found} {also}; {hint}", where=f"annotations[{row}]")


def source_of(path: Path, index: int, key: str = "images") -> str:
    return f"{_named(path)} {key}[{index}]"


@cache
def _named(path: Path) -> str:
    return readable(path.name)


@dataclass(frozen=True, slots=True)
class _Annotations:
    """All annotations: their numbers, (rows,) or (rows, 4) each, with images and categories by their numbers
    in the lists (image_of is -1 of those that are dropped); {row: why} of derived boxes, issues by row, those
    of repeated ids, how many things there are and were dropped; and what the pieces' boxes can be."""

    columns: dict[str, Column]
    derived: dict[int, str]
    issues: list[tuple[int, Issue]]
    repeated: list[Issue]
    found: int
    dropped: Counter[str]
    units: list[BoxUnits]


def _columns(
    path: Path,
    annotations: Iterable[list[Annotation]],
    images: _Images,
    categories: Sequence[Category],
    masks: bool,
) -> _Annotations:
    image_numbers = id_numbers(images.keys)
    class_numbers = category_numbers(categories)
    pieces = [piece_of([], image_numbers, class_numbers, masks)]
    issues: list[tuple[int, Issue]] = []
    derived: dict[int, str] = {}
    dropped = Counter[str]()
    units: list[BoxUnits] = []
    found = 0
    first = 0
    for part in annotations:
        found += things(part)
        piece = piece_of(part, image_numbers, class_numbers, masks)
        _require_known_images(path, first, piece["image_of"], images)
        unplaced = (piece["image_of"] < 0) | (piece["class_of"] < 0)
        odd = {row for row, item in enumerate(odd_items(part)) if item.code}
        for row in sorted(odd.union(np.flatnonzero(unplaced).tolist())):
            item, image = part[row], int(piece["image_of"][row])
            place = source_of(path, images.indices[image]) if image >= 0 else ""
            fault = fault_of(path, first + row, item, place, bool(piece["class_of"][row] >= 0))
            if fault is None:
                derived[first + row] = why_of(first + row, item)
                continue
            issues.append((first + row, fault))
            dropped[fault.code] += things([item])
            piece["image_of"][row] = -1
        pieces.append(piece)
        units.append(box_units.units_of(piece["boxes_xyxy"]))
        first += len(part)
    columns = joined(pieces)
    ids = columns.pop("id")
    values, counts = np.unique(ids[ids != NO_ID], return_counts=True)
    return _Annotations(
        columns, derived, issues, repeated_ids(path, values[counts > 1].tolist()), found, dropped, units
    )


def _require_known_images(path: Path, first: int, image_of: Column, images: _Images) -> None:
    """Raises InputError where an annotation, of those from `first` on, may be of two images."""
    for row in np.flatnonzero(np.isin(image_of, list(images.others))).tolist() if images.others else ():
        place = int(image_of[row])
        one = (images.indices[place], images.items[place])
        require_one_image(path, first + row, one, images.others[place])


def things(part: Sequence[Annotation]) -> int:
    """Returns how many annotated things some annotations stand for."""
    return len(part) + sum(item.count - 1 for item in odd_items(part))


def why_of(row: int, item: Annotation) -> str:
    return f"annotations[{row}]: {item.why if isinstance(item, Odd) else ''}"


def piece_of(
    part: Sequence[Annotation],
    images: Mapping[Id | None, int],
    categories: Mapping[Id | None, int],
    masks: bool,
) -> dict[str, Column]:
    """Annotations as columns; images and categories are given by {id: number}."""
    numbers: Iterable[Any] = chain.from_iterable(item.bbox for item in part)
    areas: list[Any] = [math.nan if item.area is None else item.area for item in part]
    if part and isinstance(part[0], Mended | Odd):
        numbers = (NONNUMBERS.get(value, value) for value in numbers)
        areas = [NONNUMBERS.get(area, area) for area in areas]
    said = coco_attributes.flags([item.attributes for item in part])
    piece: dict[str, Column] = {
        "image_of": looked_up(images, [item.image_id for item in part]),
        "class_of": looked_up(categories, [item.category_id for item in part]),
        "boxes_xyxy": from_xywh(np.fromiter(numbers, np.float64).reshape(-1, 4)),
        "area": np.array(areas, np.float64),
        "crowd": np.array([bool(item.iscrowd) for item in part], bool),
        "difficult": np.array([bool(item.ignore) for item in part], bool) | said["difficult"],
        "truncated": said["truncated"],
        "occluded": said["occluded"],
        "id": np.array([int64(item.id) for item in part], np.int64),
        "weight": np.array(
            [math.nan if item.training_weight is None else item.training_weight for item in part], np.float64
        ),
    }
    piece["keypoints"] = coco_keypoints.column([item.keypoints for item in part])
    if masks:
        piece["mask"] = np.array([bytes(item.segmentation) for item in part], object)
    return piece


def fault_of(path: Path, row: int, item: Annotation, place: str, of_class: bool) -> Issue | None:
    """Returns why an annotation has no box in a record; None where it has.

    place      where its image stands; "" where it is of none
    of_class   whether its category is known
    """
    source = source_of(path, row, "annotations")
    code = item.code if isinstance(item, Odd) else ""
    if code == "annotation-unread":
        return Issue(code, place or source, None, why_of(row, item), True)
    if not place:
        message = f"image_id {_said(item.image_id)} is not in images"
        return Issue("image-unknown", source, None, message, True)
    if not of_class:
        message = f"category_id {_said(item.category_id)} is not in categories"
        return Issue("class-unknown", source, None, message, True)
    return Issue(code, place, None, why_of(row, item), True) if code == "box-missing" else None


def _said(listed_id: Id | None) -> str:
    return repr(NONNUMBERS.get(listed_id, listed_id) if isinstance(listed_id, str) else listed_id)


def derived_box(source: str, box: int, why: str) -> Issue:
    return Issue("box-derived", source, box, why, False)


def repeated_ids(path: Path, repeated: Sequence[int]) -> list[Issue]:
    """Returns one issue for all annotation ids, in order, that stand more than once; nothing needs them."""
    if not repeated:
        return []
    message = f"{len(repeated)} annotation ids stand more than once, such as {repeated[0]}"
    return [Issue("annotation-id-duplicate", path.name, None, message, False)]


def _records(
    path: Path,
    images: _Images,
    annotations: _Annotations,
    names: Sequence[str],
    labeled: frozenset[str],
    keypoints: Mapping[str, tuple[str, ...]],
) -> tuple[list[ImageRecord], list[tuple[int, Issue]]]:
    """Returns one a image, whose arrays are views of the columns; and issues of derived boxes by row."""
    columns, derived = annotations.columns, annotations.derived
    if derived:
        columns["row"] = np.arange(len(columns["image_of"]))
    if np.isnan(columns["weight"]).all():  # as nearly always
        del columns["weight"]
    for flag in coco_attributes.FLAGS:
        if not columns[flag].any():
            del columns[flag]
    sorted_columns, bounds = by_image(columns, len(images.keys))
    rows = sorted_columns.pop("row").tolist() if derived else []
    labels = [names[i] for i in sorted_columns["class_of"].tolist()]
    masks = sorted_columns["mask"].tolist() if "mask" in columns else []
    raws = sorted_columns.pop("keypoints") if "keypoints" in columns else None
    of_boxes = {name: sorted_columns[name] for name in _OF_BOXES if name in sorted_columns}
    no = np.zeros(len(labels), bool)
    records, issues = [], []
    for number, (start, end) in enumerate(pairwise(bounds)):
        record = record_of(
            path,
            images.indices[number],
            images.items[number],
            Boxes(
                tuple(labels[start:end]),
                {name: column[start:end] for name, column in of_boxes.items()},
                no[start:end],
                tuple(masks[start:end]),
                None
                if raws is None
                else coco_keypoints.of_boxes(raws[start:end], labels[start:end], keypoints),
            ),
            labeled,
            labeled,
        )
        records.append(record)
        if derived:
            issues += [
                (row, derived_box(record.source, box, derived[row]))
                for box, row in enumerate(rows[start:end])
                if row in derived
            ]
    return records, issues


def record_of(
    path: Path,
    index: int,
    image: Image,
    boxes: Boxes,
    classes: frozenset[str],
    labeled: frozenset[str] | None,
) -> ImageRecord:
    """Returns the image at `index` of the file with its boxes.

    classes   of the file; `labeled`: what an image is annotated for that does not say so
    """
    columns, unset = boxes.columns, boxes.unset
    source, filename = source_of(path, index), file_name(image)
    return ImageRecord(
        image_id=(filename or source) if image.id is None else key_of(image.id),
        filename=filename,
        width=pixels(image.width),
        height=pixels(image.height),
        boxes_xyxy=columns["boxes_xyxy"],
        names=boxes.names,
        crowd=columns["crowd"],
        difficult=columns.get("difficult", unset),
        truncated=columns.get("truncated", unset),
        occluded=columns.get("occluded", unset),
        group_of=unset,
        area=columns["area"],
        source=source,
        labeled=classes.intersection(image.labeled) if image.labeled else labeled,
        masks=boxes.masks,
        keypoints=boxes.keypoints,
        weights=_weights(columns["weight"]) if "weight" in columns else (),
    )


def file_name(image: Image) -> str:
    """Returns the path of an image's file, "" where what the source says is none."""
    filename = of_address(image.file_name) if "://" in image.file_name else image.file_name
    return filename if names_a_file(filename) else ""


def shows(file: Path) -> bool:
    """Returns whether a JSON file is of COCO's. One whose ends have no images, as Datumaro's annotations have
    none, is looked at whole."""
    data = ends(file)
    is_object = data.removeprefix(_BOM).lstrip()[:1] == b"{"
    if not is_object or _LISTS.search(data) is None or _PARTS.search(data) is None:
        return False
    return b'"images"' in data or is_partly_coco(file)


def _weights(column: Column) -> tuple[float, ...]:
    """Returns (N,) weights, 1 where an annotation says none; () where none does."""
    return () if np.isnan(column).all() else tuple(np.nan_to_num(column, nan=1.0).tolist())

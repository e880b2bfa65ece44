"""COCO instances JSON that nobody holds whole: pieces of the file, the parts of each image that are in a
piece, and parts joined to records, the same as coco.read gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco, coco_federated, coco_keypoints, json_arrays
from tfrec_tools.formats.box_units import BoxUnits, in_fractions, units_of
from tfrec_tools.formats.coco_categories import category_numbers, listed_categories
from tfrec_tools.formats.coco_schema import (
    ANNOTATION_KEYS,
    EXPECTED,
    IMAGE_KEYS,
    NO_ID,
    Annotation,
    Category,
    Id,
    Image,
    Odd,
    annotations_of,
    id_numbers,
    images_of,
    key_of,
    mended_of,
)
from tfrec_tools.formats.grouping import Boxes, Column, by_image
from tfrec_tools.formats.json_keys import Keys
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.labels.keypoints import LEFT_OUT_BY

_NO_ROWS = coco.piece_of([], {}, {}, False)
_RANGE_BITS = 16  # of annotation ids, which mostly are numbered through


@dataclass(frozen=True, slots=True)
class JsonChunk:
    """Elements of an array of the file, some MB of JSON: which array, the number of the first, and whether
    NaN and Infinity are texts in them."""

    key: str
    first: int
    data: bytes
    mended: bool


@dataclass(frozen=True, slots=True)
class ImageAnnotations:
    """Annotations of one image in the order of the file: their numbers in it, the image's id as each gives
    it, {row: annotation} of those that are odd or whose category is unknown (class_of is -1), and their
    columns."""

    numbers: tuple[int, ...]
    image_ids: tuple[Id | None, ...]
    odd: dict[int, Annotation]
    columns: dict[str, Column]


def index(path: Path) -> tuple[list[Category], list[Issue], Iterator[JsonChunk]]:
    """Returns the categories by id; issues of what else the file has; the images and the annotations.
    InputError names the place in the file that cannot be read."""
    data = json_arrays.mapped(path, f"{EXPECTED} JSON")
    arrays, mended = json_arrays.spans(path, data, EXPECTED, coco.NEEDED)
    listed = listed_categories(path, arrays["categories"])
    return listed, coco.others(path, arrays)[0], _pieces(path, arrays, mended)


def _pieces(path: Path, arrays: Mapping[str, msgspec.Raw], mended: bool) -> Iterator[JsonChunk]:
    decoders: dict[str, tuple[json_arrays.Decode[Any], Keys]] = {
        "images": (images_of, IMAGE_KEYS),
        "annotations": (mended_of if mended else annotations_of, ANNOTATION_KEYS),
    }
    for key, (decode, keys) in decoders.items():
        first = 0
        for json, items in json_arrays.cut(path, key, arrays[key], EXPECTED, decode, keys):
            yield JsonChunk(key, first, json, mended)
            first += len(items)


def images(piece: JsonChunk) -> Iterator[tuple[str, tuple[int, Image]]]:
    """Yields (id, (number in the file, image)) of a piece of the images."""
    for number, image in enumerate(images_of(piece.data), start=piece.first):
        yield coco.image_key(number, image), (number, image)


@dataclass(frozen=True, slots=True)
class AnnotationChunk:
    """A piece of the annotations: (image id, part) each, the annotations' ids, the classes' numbers in it,
    how many of them have keypoints, which are left out, and of what units their boxes can be."""

    parts: list[tuple[str, ImageAnnotations]]
    ids: NDArray[np.int64]
    used: frozenset[int]
    keypoints: int
    units: BoxUnits


def read(path: Path, piece: JsonChunk, listed: Sequence[Category], options: ReadOptions) -> AnnotationChunk:
    """InputError where there are keypoints that are not to be left out."""
    decode = mended_of if piece.mended else annotations_of
    annotations = decode(piece.data, options.boxes_from == "keypoints")
    keys = list(dict.fromkeys(key_of(item.image_id) for item in annotations))
    columns = coco.piece_of(annotations, id_numbers(keys), category_numbers(listed), options.masks)
    texts = columns.pop("keypoints")
    if options.keypoints and coco_keypoints.are_any(listed, texts):
        reason = "has keypoints, which are not read in pieces"
        raise InputError(path, f"{reason}; {LEFT_OUT_BY}, or use `tfrec convert --runner`")
    columns["row"] = np.arange(len(annotations))
    ordered, bounds = by_image(columns, len(keys))
    rows = ordered.pop("row")
    ordered.pop("image_of")
    annotation_ids = ordered.pop("id")
    of_images = []
    for key, (start, end) in zip(keys, pairwise(bounds), strict=True):
        here = {name: column[start:end] for name, column in ordered.items()}
        own = rows[start:end].tolist()
        ids = tuple(annotations[row].image_id for row in own)
        odd = {
            at: annotations[row]
            for at, row in enumerate(own)
            if isinstance(annotations[row], Odd) or here["class_of"][at] < 0
        }
        of_images.append((key, ImageAnnotations(tuple(piece.first + row for row in own), ids, odd, here)))
    return AnnotationChunk(
        of_images,
        annotation_ids[annotation_ids != NO_ID],
        frozenset(ordered["class_of"].tolist()),
        coco_keypoints.count(texts),
        units_of(columns["boxes_xyxy"]),
    )


def by_range(ids: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yields the ids by ranges of them, so that those that are equal come together."""
    ordered = np.sort(ids)
    ranges, starts = np.unique(ordered >> _RANGE_BITS, return_index=True)
    yield from zip(ranges.tolist(), np.split(ordered, starts[1:]), strict=False)


def repeated(of_chunks: Iterable[NDArray[np.int64]]) -> list[int]:
    """Returns the ids that stand more than once, of one range."""
    values, counts = np.unique(np.concatenate(list(of_chunks)), return_counts=True)
    return values[counts > 1].tolist()  # type: ignore[no-any-return]


def joined(
    path: Path,
    numbered: Iterable[tuple[int, Image]],
    parts: Iterable[ImageAnnotations],
    names: Sequence[str],
    relative: bool,
) -> tuple[int, ImageRecord | None, list[tuple[tuple[int, int], Issue]]]:
    """Returns all that the file has under one image id: the image's number in it, its record (None where it
    lists no such image), whose `labeled` is None unless the image says that itself; and issues, each with its
    place among coco.read's.

    names      of the categories
    relative   whether the file's boxes are fractions of their images
    """
    items = sorted(numbered, key=lambda item: item[0])
    ordered = sorted(parts, key=lambda part: part.numbers[0])
    if not items:
        return -1, None, [_lost(path, part, row) for part in ordered for row in range(len(part.numbers))]
    (index, image), *others = items
    for other in others if ordered else ():
        coco.require_one_image(path, ordered[0].numbers[0], (index, image), other)
    source = coco.source_of(path, index)
    issues = [
        ((0, number), coco.repeated_image(path, key_of(image.id), number, index)) for number, _ in others
    ]
    if coco_federated.says(image):
        reason = "neg_category_ids and not_exhaustive_category_ids are not read in pieces"
        raise InputError(path, f"{reason}; use `tfrec convert --runner`", where=f"images[{index}]")
    if image.id is None:
        issues.append(((0, index), coco.without_id(path, index)))
    issues += [((0, index), issue) for issue in coco.unlisted(path, index, image, names)]
    columns, odd = _columns(path, ordered, source)
    issues += odd
    labels = tuple(names[i] for i in columns["class_of"])
    masks = tuple(columns["mask"].tolist()) if "mask" in columns else ()
    boxes = Boxes(labels, columns, np.zeros(len(labels), bool), masks)
    record = coco.record_of(path, index, image, boxes, frozenset(names), None)
    return index, in_fractions(record) if relative else record, issues


def _lost(path: Path, part: ImageAnnotations, row: int) -> tuple[tuple[int, int], Issue]:
    """Returns an annotation whose image is not there."""
    number = part.numbers[row]
    item = part.odd.get(row) or Annotation(part.image_ids[row], None, (0, 0, 0, 0))
    issue = coco.fault_of(path, number, item, "", True)
    assert issue is not None
    return (1, number), issue


def _columns(
    path: Path, ordered: Sequence[ImageAnnotations], source: str
) -> tuple[Mapping[str, Column], list[tuple[tuple[int, int], Issue]]]:
    """Returns the columns of an image's annotations that have a box and a known category; and issues of the
    others, and of derived boxes."""
    issues: list[tuple[tuple[int, int], Issue]] = []
    boxes = 0
    kept = []
    for part in ordered:
        keep = np.ones(len(part.numbers), bool)
        for row, number in enumerate(part.numbers):
            item = part.odd.get(row)
            if item is not None:
                known = bool(part.columns["class_of"][row] >= 0)
                fault = coco.fault_of(path, number, item, source, known)
                keep[row] = fault is None
                if fault is None and isinstance(item, Odd) and item.code:
                    fault = coco.derived_box(source, boxes, coco.why_of(number, item))
                issues += [((1, number), fault)] if fault is not None else []
            boxes += int(keep[row])
        kept.append({name: column[keep] for name, column in part.columns.items()})
    listed = kept or [{name: column for name, column in _NO_ROWS.items() if name != "keypoints"}]
    return {name: np.concatenate([of_part[name] for of_part in listed]) for name in listed[0]}, issues

"""COCO instances JSON that nobody holds whole: pieces of the file, the parts of each image that are in a
piece, and parts joined to records, the same as coco.read gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.formats import coco, json_arrays
from tfrec_tools.formats.coco_schema import (
    NO_ID,
    Annotation,
    Category,
    Id,
    Image,
    Instances,
    Mended,
    id_numbers,
    key_of,
    order_of,
)
from tfrec_tools.formats.grouping import Column, by_image

_EXPECTED = "COCO instances"
_RANGE_BITS = 16  # of annotation ids, which mostly are numbered through


@dataclass(frozen=True, slots=True)
class Piece:
    """Elements of an array of the file, some MB of JSON: which array, the number of the first, and whether
    NaN and Infinity are texts in them."""

    key: str
    first: int
    data: bytes
    mended: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Annotations of one image in the order of the file: their numbers in it, the image's id as each gives
    it, {row: category id} of those whose category is unknown (class_of is -1), and their columns."""

    numbers: tuple[int, ...]
    image_ids: tuple[Id, ...]
    unknown: dict[int, Id]
    columns: dict[str, Column]


def index(path: Path) -> tuple[list[Category], Iterator[Piece]]:
    """The categories by id; the images and the annotations. InputError names the place in the file that
    cannot be read."""
    data = json_arrays.mapped(path, f"{_EXPECTED} JSON")
    found, mended = json_arrays.spans(path, data, _EXPECTED, Instances)
    slices = json_arrays.slices(path, "categories", found.categories, _EXPECTED, Category)
    listed = sorted((item for part in slices for item in part), key=lambda one: order_of(one.id))
    return listed, _pieces(path, found, mended)


def _pieces(path: Path, found: Instances, mended: bool) -> Iterator[Piece]:
    annotation = Mended if mended else Annotation
    for key, raw, schema in (("images", found.images, Image), ("annotations", found.annotations, annotation)):
        first = 0
        for json, items in json_arrays.cut(path, key, raw, _EXPECTED, schema):
            yield Piece(key, first, json, mended)
            first += len(items)


def images(piece: Piece) -> Iterator[tuple[str, tuple[int, Image]]]:
    """(id, (number in the file, image)) of a piece of the images."""
    for number, image in enumerate(msgspec.json.decode(piece.data, type=list[Image]), start=piece.first):
        yield key_of(image.id), (number, image)


@dataclass(frozen=True, slots=True)
class Read:
    """A piece of the annotations: (image id, part) each, the annotations' ids, the classes' numbers in it."""

    parts: list[tuple[str, Part]]
    ids: NDArray[np.int64]
    used: frozenset[int]


def read(piece: Piece, listed: Sequence[Category], masks: bool) -> Read:
    schema = Mended if piece.mended else Annotation
    annotations: list[Annotation] = msgspec.json.decode(piece.data, type=list[schema])  # type: ignore[valid-type]
    keys = list(dict.fromkeys(key_of(item.image_id) for item in annotations))
    columns = coco.piece_of(
        annotations, id_numbers(keys), id_numbers([key_of(one.id) for one in listed]), masks
    )
    columns["row"] = np.arange(len(annotations))
    ordered, bounds = by_image(columns, len(keys))
    rows = ordered.pop("row")
    ordered.pop("image_of")
    given = ordered.pop("id")
    found = []
    for key, (start, end) in zip(keys, pairwise(bounds), strict=True):
        here = {name: column[start:end] for name, column in ordered.items()}
        own = rows[start:end].tolist()
        ids = tuple(annotations[row].image_id for row in own)
        lost = np.flatnonzero(here["class_of"] < 0).tolist()
        unknown = {at: annotations[own[at]].category_id for at in lost}
        found.append((key, Part(tuple(piece.first + row for row in own), ids, unknown, here)))
    return Read(found, given[given != NO_ID], frozenset(ordered["class_of"].tolist()))


def by_range(ids: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The ids by ranges of them, so that those that are equal come together."""
    given = np.sort(ids)
    ranges, starts = np.unique(given >> _RANGE_BITS, return_index=True)
    yield from zip(ranges.tolist(), np.split(given, starts[1:]), strict=False)


def repeated(given: Iterable[NDArray[np.int64]]) -> list[int]:
    """The ids that stand more than once, of one range."""
    values, counts = np.unique(np.concatenate(list(given)), return_counts=True)
    return values[counts > 1].tolist()  # type: ignore[no-any-return]


def joined(
    path: Path, found: Iterable[tuple[int, Image]], given: Iterable[Part], names: Sequence[str]
) -> tuple[int, ImageRecord | None, list[tuple[tuple[int, int], Issue]]]:
    """All that the file has under one image id: the image's number in it, its record (None where it lists no
    such image) without classes that it was annotated for; and issues, each with its place among coco.read's.

    names   of the categories
    """
    items = sorted(found, key=lambda item: item[0])
    ordered = sorted(given, key=lambda part: part.numbers[0])
    if not items:
        return -1, None, [_lost(path, part, row) for part in ordered for row in range(len(part.numbers))]
    (index, image), *others = items
    issues = [
        ((0, number), coco.repeated_image(path, key_of(image.id), number, index)) for number, _ in others
    ]
    issues += [_lost(path, part, row, False) for part in ordered for row in part.unknown]
    columns = _columns(ordered)
    labels = tuple(names[i] for i in columns["class_of"])
    masks = tuple(columns["mask"].tolist()) if "mask" in columns else ()
    record = coco.record_of(path, index, image, columns, labels, np.zeros(len(labels), bool), None, masks)
    return index, record, issues


def _lost(path: Path, part: Part, row: int, image: bool = True) -> tuple[tuple[int, int], Issue]:
    """An annotation whose image is not there, or else whose category is not."""
    number = part.numbers[row]
    image_id = part.image_ids[row] if image else None
    return (1, number), coco.unplaced(path, number, image_id, part.unknown.get(row, ""))


def _columns(ordered: Sequence[Part]) -> Mapping[str, Column]:
    """Of the annotations whose category is known."""
    listed = [part.columns for part in ordered] or [coco.piece_of([], {}, {}, False)]
    all_ = {name: np.concatenate([one[name] for one in listed]) for name in listed[0]}
    known = all_["class_of"] >= 0
    return {name: column[known] for name, column in all_.items()}

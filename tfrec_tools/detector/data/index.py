"""Records as the trainer and the evaluation see them: an index in memory, images read when needed.

The index lets every later step be a function of an example's place: shuffling, mixing in old records and
resuming need no buffers. One image costs one read at a known offset.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations import boxes
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.remote_path import RemotePath
from tfrec_tools.tfrecords import framing, spans
from tfrec_tools.tfrecords.example import parse_example
from tfrec_tools.tfrecords.features import IMAGE_ENCODED


def silent(_done: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexedExample:
    """An image in a TFRecord file with what is known of it, under a given label map.

    example  where the serialized Example is; the Example itself where the file is compressed, as there
             are no offsets into such a file
    boxes    (N, 4) float32 [ymin xmin ymax xmax], normalised
    ids      (N,) int32, ids of the label map
    crowd    (N,) bool
    weights  (N,) float32, how much each box counts in training; 0 where it is in doubt whether it is one
    labeled  the ids that the image was exhaustively annotated for
    difficult  (N,) bool
    areas    (N,) float64, square pixels: the record's own, which for COCO is the mask's, else the box's
    image    where the encoded image is, if it can be read by itself, which spares parsing the Example
    source   the file, the record's number in it and the image's name, for messages
    """

    example: ByteRange | bytes
    width: int
    height: int
    boxes: NDArray[np.float32]
    ids: NDArray[np.int32]
    crowd: NDArray[np.bool_]
    weights: NDArray[np.float32]
    labeled: frozenset[int]
    difficult: NDArray[np.bool_]
    areas: NDArray[np.float64]
    image: ByteRange | None = None
    source: str = ""


def index_records(
    patterns: Sequence[str],
    labels: LabelMap,
    progress: Callable[[int], None] = silent,
    left_out: Counter[str] | None = None,
) -> list[IndexedExample]:
    """Returns all examples of the record files that the patterns match, in order.

    A class is taken by its name where the record gives one, else by its id, as TFOD's decoder does; so
    records written under an older label map are read under a merged one. Raises InputError where a class is
    in neither, unless there is `left_out`, where such boxes are counted by their class. An image that does
    not say for which classes it was annotated was annotated for those of its set's own label map (in the
    manifest), or without a manifest for all.
    """
    indexed = []
    for file in shards.record_files(patterns):
        default = _labeled_by_set(file, labels)
        for number, example in enumerate(_examples(file)):
            place = _Place(file, number, labels, default, left_out)
            indexed.append(_annotated(place, example))
            progress(len(indexed))
    if not indexed:
        raise InputError(" ".join(patterns), "the record files hold no examples")
    return indexed


def read_image(annotated: IndexedExample) -> bytes:
    """Returns the encoded image."""
    if annotated.image is not None:
        return annotated.image.read()
    return parse_example(read_example(annotated), "image").image.data


def digest(annotated: IndexedExample) -> bytes:
    """Returns the SHA-256 of the encoded image."""
    return hashlib.sha256(read_image(annotated)).digest()


def read_example(annotated: IndexedExample) -> bytes:
    """Returns the serialized Example."""
    example = annotated.example
    return example if isinstance(example, bytes) else example.read()


def _examples(file: Path) -> Iterator[tuple[bytes, ByteRange | bytes]]:
    """Yields each Example, and how to come by it again."""
    is_far = isinstance(file, RemotePath)  # and its images are to be read again and again
    place = framing.unpacked(file) if is_far else file
    is_packed = framing.is_gzip(place)
    offset = framing.HEADER_BYTES
    for data in framing.read(place, file):
        yield data, data if is_packed else ByteRange(place, offset, len(data))
        offset += len(data) + framing.FOOTER_BYTES + framing.HEADER_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where an Example stands, and how its classes are read: `default` are those that images of its set were
    annotated for, `left_out` counts boxes of other classes than the map's, if they may be left out."""

    file: Path
    number: int
    labels: LabelMap
    default: frozenset[int]
    left_out: Counter[str] | None


def _annotated(place: _Place, example: tuple[bytes, ByteRange | bytes]) -> IndexedExample:
    data, again = example
    parsed = parse_example(data, f"{place.file} record {place.number}")
    record = parsed.record
    where = f"record {place.number} ({record.filename})"
    label_ids = parsed.label_ids or (0,) * len(record.names)
    ids = np.array(
        [_class_id(place, where, *named) for named in zip(record.names, label_ids, strict=True)], np.int32
    )
    kept = ids > 0  # 0: left out
    xmin, ymin, xmax, ymax = boxes.normalise(record.boxes_xyxy, record.width, record.height).T
    labeled = _labeled(place, where, record.labeled, parsed.labeled_ids)
    return IndexedExample(
        example=again,
        width=record.width,
        height=record.height,
        boxes=np.stack([ymin, xmin, ymax, xmax], axis=1)[kept],  # (N, 4)
        ids=ids[kept],
        crowd=record.crowd[kept],
        weights=np.array(parsed.weights or np.ones(len(ids)), np.float32)[kept],
        labeled=place.default if labeled is None else labeled,
        difficult=record.difficult[kept],
        areas=np.where(np.isnan(record.area), boxes.areas(record.boxes_xyxy), record.area)[kept],
        image=_image_in(data, again),
        source=f"{place.file}: {where}",
    )


def _image_in(data: bytes, again: ByteRange | bytes) -> ByteRange | None:
    """Returns where the image of an Example is; None where the Example is not in a plain file, or not laid
    out as writers do."""
    if isinstance(again, bytes):
        return None
    try:
        start, end = spans.only_value(data, spans.find(data, 0, len(data))[IMAGE_ENCODED.encode()])
    except spans.OddLayoutError:
        return None
    return ByteRange(again.path, again.offset + start, end - start)


def _class_id(place: _Place, where: str, name: str, label_id: int) -> int:
    """The id in the map; 0 of a class that is not in it and may be left out."""
    labels = place.labels
    known = labels.id_by_name.get(name) if name else label_id if label_id in labels.name_by_id else None
    if known is not None:
        return known
    if place.left_out is None:
        named = f"class {name!r}" if name else f"class id {label_id}"
        reason = f"{named} is not in {labels.subject}, which has {_listed(labels)}"
        raise InputError(place.file, reason, where=where)
    place.left_out[name or f"id {label_id}"] += 1
    return 0


def _labeled(
    place: _Place, where: str, names: frozenset[str] | None, ids: Sequence[int]
) -> frozenset[int] | None:
    """Returns the labeled classes by name, else by id, of those in the map; None where the record says
    nothing."""
    labels = place.labels
    if names:
        return frozenset(labels.id_by_name[name] for name in names if name in labels.id_by_name)
    if not ids:
        return None
    if place.left_out is not None:
        return frozenset(label_id for label_id in ids if label_id in labels.name_by_id)
    return frozenset(_class_id(place, where, "", label_id) for label_id in ids)


def _labeled_by_set(file: Path, labels: LabelMap) -> frozenset[int]:
    manifest = shards.manifest_of(file)
    names = labels.names if manifest is None else manifest.names
    return frozenset(labels.id_by_name[name] for name in names if name in labels.id_by_name)


def _listed(labels: LabelMap) -> str:
    shown = ", ".join(f"{label.id} {label.name}" for label in labels.labels[:10])
    return shown + (", ..." if len(labels) > 10 else "")

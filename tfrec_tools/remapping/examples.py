"""One tf.train.Example under a new label map: its class features are written anew, all other bytes stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from google.protobuf.message import DecodeError

from tfrec_tools._pb2 import example_pb2
from tfrec_tools.errors import counted
from tfrec_tools.remapping import keypoints
from tfrec_tools.remapping.classes import Class, Classes, KeypointMoves
from tfrec_tools.tfrecords import wire
from tfrec_tools.tfrecords.features import (
    BOX_LABEL,
    BOX_TEXT,
    FEATURES,
    IMAGE_CLASS_LABEL,
    IMAGE_CLASS_TEXT,
    IMAGE_ENCODED,
    IMAGE_SHA256,
    IMAGE_SOURCE_ID,
    KEYPOINT_NUM,
    KEYPOINT_TEXT,
    KEYPOINT_VISIBILITY,
    KEYPOINT_X,
    KEYPOINT_Y,
)
from tfrec_tools.tfrecords.spans import (
    OddLayoutError,
    Pieces,
    Spans,
    changed,
    find,
    find_around,
    only_value,
    usual,
)

_OF_BOXES = b"image/object/"
_IMAGE, _SHA256, _SOURCE_ID = IMAGE_ENCODED.encode(), IMAGE_SHA256.encode(), IMAGE_SOURCE_ID.encode()
_LABEL, _TEXT = BOX_LABEL.encode(), BOX_TEXT.encode()
_LABELED = _LABELED_IDS, _LABELED_TEXTS = IMAGE_CLASS_LABEL.encode(), IMAGE_CLASS_TEXT.encode()
_KEYPOINTS = tuple(
    key.encode() for key in (KEYPOINT_X, KEYPOINT_Y, KEYPOINT_VISIBILITY, KEYPOINT_NUM, KEYPOINT_TEXT)
)
_KINDS = {key.encode(): feature.kind for key, feature in FEATURES.items()}
Changes = dict[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Remapped:
    """An Example under the new map, in pieces; whether it holds its image's SHA-256; the names of its
    boxes' classes; what disagreed, (box, message) each; and how many boxes were of classes that are left
    out."""

    pieces: Pieces
    has_sha256: bool
    names: tuple[str, ...]
    faults: tuple[tuple[int, str], ...]
    left_out: int = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def hashed(self) -> bytes:
        """What the manifest's SHA-256 is over, as example.without_image."""
        before, _, after = self.pieces
        return before + after if self.has_sha256 else self.data


class UnknownClassError(ValueError):
    """A class that the new map lacks, or that has no name."""


def in_layout(data: bytes) -> tuple[bytes, Spans]:
    """Returns an Example with its entries, in the usual layout. Raises ValueError where the bytes are no
    Example."""
    try:
        return data, find(data, 0, len(data))
    except OddLayoutError:
        data = usual(data)
        return data, find(data, 0, len(data))


def remap(
    data: bytes, classes: Classes, source_id: bytes | None = None, image: tuple[int, bytes] = (0, b"")
) -> Remapped:
    """Returns the Example with the ids and names of its boxes' classes, and of the classes that it was
    annotated for, under the new map.

    source_id   to be written in place of its own
    image       (place, bytes) of its image where the data, in the usual layout, is without them
    UnknownClassError where a class is none of the map, another ValueError where the Example is damaged.
    """
    place, taken = image
    data, spans = (data, find_around(data, place, len(taken))) if taken else in_layout(data)
    ids, texts = values(data, spans, _LABEL), values(data, spans, _TEXT)
    boxes = _boxes(ids, texts, classes)
    kept = [box for box in boxes if box is not None]
    changes = _without(data, spans, [box is not None for box in boxes]) if len(kept) < len(boxes) else {}
    if kept and _LABEL in spans and (new := [box.id for box in kept]) != ids:
        changes[_LABEL] = wire.entry(BOX_LABEL, "int64", new)
    if kept and _TEXT in spans and (named := [box.text for box in kept]) != texts:
        changes[_TEXT] = wire.entry(BOX_TEXT, "bytes", named)
    if classes.keypoints is not None:
        changes |= _keypoints(data, spans, boxes, classes.keypoints)
    names = tuple([box.name for box in kept])
    changes |= _labeled(data, spans, classes, names)
    if source_id is not None and values(data, spans, _SOURCE_ID):
        changes[_SOURCE_ID] = wire.entry(IMAGE_SOURCE_ID, "bytes", [source_id])
    start, stop = (place, place) if taken else _image(data, spans)
    if changes:
        before, inside, after = changed(data, spans, changes, (start, stop), len(taken))
    else:
        before, inside, after = data[:start], data[start:stop], data[stop:]
    pieces = before, taken or inside, after
    faults = tuple([(index, box.fault) for index, box in enumerate(kept) if box.fault])
    return Remapped(pieces, _SHA256 in spans, names, faults, len(boxes) - len(kept))


def _boxes(ids: list[int], texts: list[bytes], classes: Classes) -> list[Class | None]:
    if ids and texts and len(ids) != len(texts):
        raise ValueError(f"{BOX_TEXT} has {counted(len(texts), 'value')} for {counted(len(ids), 'box')}")
    try:
        return [classes.of_box(*pair) for pair in zip_longest(ids, texts)]
    except ValueError as fault:
        raise UnknownClassError(str(fault)) from fault


def _labeled(data: bytes, spans: Spans, classes: Classes, names: Iterable[str]) -> Changes:
    """Returns the classes that the image was annotated for, by id; no feature where those are all of the
    map."""
    always = classes.always
    labeled = _said(data, spans, classes) if always is None else always.union(names)
    if not labeled:
        raise UnknownClassError(f"was annotated for none of the classes of {classes.subject}")
    new: tuple[list[Any], list[Any]] = ([], [])
    if len(labeled) < len(classes.ids):
        new = classes.lists(labeled)
    return {
        key: wire.entry(key.decode(), _KINDS[key], of_key) if of_key else None
        for key, of_key in zip(_LABELED, new, strict=True)
        if of_key != values(data, spans, key)
    }


def _said(data: bytes, spans: Spans, classes: Classes) -> frozenset[str]:
    """Returns the labeled classes that the record itself says, else those of its set."""
    texts = values(data, spans, _LABELED_TEXTS)
    ids = [] if texts else values(data, spans, _LABELED_IDS)
    if not (texts or ids):
        return classes.labeled
    if lacking := [label_id for label_id in ids if label_id not in classes.own]:
        reason = f"{IMAGE_CLASS_LABEL} {lacking[0]} has no name in the record and none in a label map"
        raise UnknownClassError(f"{reason}; give its label map with --record-labels")
    names = [text.decode(errors="backslashreplace").strip() for text in texts]
    return classes.of_labeled(names or [classes.own[label_id] for label_id in ids])


def _keypoints(data: bytes, spans: Spans, boxes: Sequence[Class | None], moves: KeypointMoves) -> Changes:
    """Returns the features of keypoints, each at the place that the new map gives it."""
    if not moves.layout.names:
        return {key: None for key in _KEYPOINTS if key in spans}
    x, y, visibility, *_ = (values(data, spans, key) for key in _KEYPOINTS)
    if any(visibility) and not moves.known:
        reason = "has keypoints, and no label map says of which class; give it with --record-labels"
        raise UnknownClassError(reason)
    new: tuple[Sequence[Any], ...] = keypoints.moved(x, y, visibility, boxes, moves.layout)
    return {
        key: wire.entry(key.decode(), _KINDS[key], of_key)
        for key, of_key in zip(_KEYPOINTS, new, strict=True)
    }


def _without(data: bytes, spans: Spans, kept: Sequence[bool]) -> Changes:
    """Returns all features of boxes with the values of the kept ones only: one value a box, or as many for
    each, as keypoints have."""
    changes: Changes = {}
    for key in (key for key in spans if key.startswith(_OF_BOXES)):
        kind, column = _feature(data, spans, key)
        each, odd = divmod(len(column), len(kept))
        if odd:
            name, count = key.decode(errors="replace"), len(kept)
            raise ValueError(
                f"{name} has {counted(len(column), 'value')} for {counted(count, 'box')}, "
                "so that none can be left out"
            )
        if each:
            left = [value for i, value in enumerate(column) if kept[i // each]]
            changes[key] = wire.entry(key.decode(), kind, left)
    return changes


def names_of(data: bytes, spans: Spans) -> list[str]:
    """Returns the names of the Example's boxes' classes."""
    return [
        text.decode(errors="backslashreplace").strip() for text in values(data, spans, _TEXT) if text.strip()
    ]


def values(data: bytes, spans: Spans, key: bytes) -> list[Any]:
    """Returns the values of a feature of ours; none where it is missing. Raises ValueError where it is of
    another kind."""
    if key not in spans:
        return []
    kind, column = _feature(data, spans, key)
    if column and kind != _KINDS[key]:
        raise ValueError(f"{key.decode()} is a {kind}_list, expected a {_KINDS[key]}_list")
    return column


def _feature(data: bytes, spans: Spans, key: bytes) -> tuple[str, list[Any]]:
    """Returns its kind and values."""
    _, start, end = spans[key]
    part = data[start:end]
    if (short := wire.short_feature(part)) is not None:
        return short
    return _parsed(part, key)


def _parsed(part: bytes, key: bytes) -> tuple[str, list[Any]]:
    try:
        feature = example_pb2.Feature.FromString(part)
    except DecodeError as fault:
        raise ValueError(f"{key.decode(errors='replace')} is no feature") from fault
    kind = feature.WhichOneof("kind")
    return (kind.removesuffix("_list"), list(getattr(feature, kind).value)) if kind else ("bytes", [])


def _image(data: bytes, spans: Spans) -> tuple[int, int]:
    """Returns where it begins and ends; the end of the data where there is none that a reader would take for
    one."""
    try:
        return only_value(data, spans[_IMAGE])
    except (KeyError, OddLayoutError):
        return len(data), len(data)

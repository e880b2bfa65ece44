"""ImageRecord <-> tf.train.Example."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from tfrec_tools._pb2 import example_pb2
from tfrec_tools.annotations import boxes
from tfrec_tools.annotations.records import ImageRecord, image_record
from tfrec_tools.errors import InputError, counted
from tfrec_tools.images.headers import read_header
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.keypoints import KeypointLayout
from tfrec_tools.tfrecords import keypoint_features, wire
from tfrec_tools.tfrecords.features import (
    BOX_AREA,
    BOX_DIFFICULT,
    BOX_GROUP_OF,
    BOX_IS_CROWD,
    BOX_LABEL,
    BOX_MASK,
    BOX_OCCLUDED,
    BOX_TEXT,
    BOX_TRUNCATED,
    BOX_VIEW,
    BOX_WEIGHT,
    BOX_XMAX,
    BOX_XMIN,
    BOX_YMAX,
    BOX_YMIN,
    FEATURES,
    IMAGE_CLASS_LABEL,
    IMAGE_CLASS_TEXT,
    IMAGE_ENCODED,
    IMAGE_FILENAME,
    IMAGE_FORMAT,
    IMAGE_HEIGHT,
    IMAGE_SHA256,
    IMAGE_SOURCE_ID,
    IMAGE_WIDTH,
    KEYPOINT_NUM,
    source_id,
)

# Written only where a box of the image has something to say by them.
OPTIONAL = (BOX_OCCLUDED, BOX_GROUP_OF, BOX_VIEW, BOX_MASK)
_KINDS = {key: feature.kind for key, feature in FEATURES.items()}
_SHA256_KEY = IMAGE_SHA256.encode()
_BEGINNING = 64  # bytes of an image that stand nowhere before it in an Example

Values = Sequence[Any]  # bytes, floats or ints, as FEATURES says; ints that are 0 or 1 also as bytes


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an Example holds. The record's names are "" where the Example gives none; ids and names of
    boxes and of labeled classes stand in the Example's order; without weights, each box counts as 1. The
    record's keypoints are those at each id of the set's; their names are those of all boxes, if given."""

    record: ImageRecord
    image: EncodedImage
    label_ids: tuple[int, ...]  # (N,), or () where the Example gives names alone
    labeled_ids: tuple[int, ...]  # (C,)
    weights: tuple[float, ...] = ()  # (N,) or ()
    keypoint_names: tuple[str, ...] = ()  # (N * K,) or ()

    @property
    def names_of_keypoints(self) -> tuple[str, ...]:
        """The (K,) names of the first box; () where there are none."""
        keypoints = self.record.keypoints
        return () if keypoints is None else self.keypoint_names[: keypoints.shape[1]]


def encode_example(
    record: ImageRecord,
    image: EncodedImage,
    ids: Mapping[str, int],
    keypoints: KeypointLayout = keypoint_features.NONE,
) -> bytes:
    """Returns a serialized Example, the same bytes for the same input.

    record   boxes in pixels of `image`, checked
    ids      label map {name: id}; KeyError where it lacks one of the record's names
    keypoints   how those of the set lie
    """
    features = _features(record, image, ids) | keypoint_features.features_of(record, image, keypoints)
    return wire.serialize({key: (_KINDS[key], values) for key, values in features.items()})


def without_image(data: bytes, image: bytes | memoryview) -> bytes:
    """Returns an Example's bytes without those of its image, where the image's SHA-256 in it stands for them:
    what is left to hash of a record when its image has been hashed. Whole where it has no such feature."""
    start = data.index(image[:_BEGINNING])
    rest = data[:start] + data[start + len(image) :]
    return rest if _SHA256_KEY in rest else data


def parse_example(data: bytes, source: str) -> Parsed:
    """The inverse of `encode_example`; also reads Examples of others that lack what is not needed. Raises
    InputError, naming `source`, where the bytes are no Example of an image with boxes."""
    features = _read_features(data, source)
    width, height = _size(features, source)
    fractions = [features.get(key, []) for key in (BOX_XMIN, BOX_YMIN, BOX_XMAX, BOX_YMAX)]
    count = len(fractions[0])
    _require_counts(features, count, source)
    fractions_xyxy = np.array(fractions, np.float32).reshape(4, count).T  # (N, 4)
    labeled = _texts(features.get(IMAGE_CLASS_TEXT, ()))
    keypoints, keypoint_texts = keypoint_features.parsed(features, count, (width, height), source)
    ids, labeled_ids, weights = (
        tuple(features.get(key, ())) for key in (BOX_LABEL, IMAGE_CLASS_LABEL, BOX_WEIGHT)
    )
    record = image_record(
        image_id=_text(features, IMAGE_SOURCE_ID),
        filename=_text(features, IMAGE_FILENAME),
        source=source,
        width=width,
        height=height,
        boxes_xyxy=boxes.denormalise(fractions_xyxy, width or 1, height or 1),
        names=_texts(features.get(BOX_TEXT) or [b""] * count),
        crowd=features.get(BOX_IS_CROWD) or None,
        difficult=features.get(BOX_DIFFICULT) or None,
        truncated=features.get(BOX_TRUNCATED) or None,
        occluded=features.get(BOX_OCCLUDED) or None,
        group_of=features.get(BOX_GROUP_OF) or None,
        area=features.get(BOX_AREA) or None,
        poses=_texts(features.get(BOX_VIEW, ())),
        masks=tuple(features.get(BOX_MASK, ())),
        labeled=frozenset(labeled) if labeled else None,
        keypoints=keypoints,
        weights=weights,
    )
    image = EncodedImage(
        _single(features, IMAGE_ENCODED, source), _text(features, IMAGE_FORMAT), width, height
    )
    return Parsed(record, image, ids, labeled_ids, weights, _texts(keypoint_texts))


def unknown_features(data: bytes) -> list[str]:
    """Returns the keys of an Example, which can be parsed, that have a value which no ImageRecord holds."""
    features = example_pb2.Example.FromString(data).features.feature
    return sorted(
        key
        for key, feature in features.items()
        if key not in FEATURES and (kind := feature.WhichOneof("kind")) and getattr(feature, kind).value
    )


def _features(record: ImageRecord, image: EncodedImage, ids: Mapping[str, int]) -> dict[str, Values]:
    fractions = boxes.normalise(record.boxes_xyxy, image.width, image.height)  # (N, 4)
    xmin, ymin, xmax, ymax = fractions.T.tolist()
    features: dict[str, Values] = {
        IMAGE_ENCODED: [image.data],
        IMAGE_FORMAT: [image.format.encode()],
        IMAGE_HEIGHT: [image.height],
        IMAGE_WIDTH: [image.width],
        IMAGE_FILENAME: [record.filename.encode()],
        IMAGE_SOURCE_ID: [source_id(record.image_id).encode()],
        IMAGE_SHA256: [hashlib.sha256(image.data).hexdigest().encode()],
        BOX_XMIN: xmin,
        BOX_YMIN: ymin,
        BOX_XMAX: xmax,
        BOX_YMAX: ymax,
        BOX_LABEL: [ids[name] for name in record.names],
        BOX_TEXT: [name.encode() for name in record.names],
        BOX_DIFFICULT: record.difficult.tobytes(),
        BOX_TRUNCATED: record.truncated.tobytes(),
        BOX_IS_CROWD: record.crowd.tobytes(),
        BOX_AREA: _areas(record),
    }
    return features | _optional_features(record) | _labeled_features(record, ids)


def _areas(record: ImageRecord) -> list[float]:
    """Returns the area of each box: what the source says, else the box's own."""
    area: list[float] = record.area.tolist()
    if math.isnan(sum(area)):
        area = np.where(np.isnan(record.area), boxes.areas(record.boxes_xyxy), record.area).tolist()
    return area


def _optional_features(record: ImageRecord) -> dict[str, Values]:
    """Returns those of OPTIONAL that say something of this record, and its weights, where it has some."""
    values: dict[str, Values] = {
        BOX_OCCLUDED: record.occluded.tobytes(),
        BOX_GROUP_OF: record.group_of.tobytes(),
        BOX_VIEW: [pose.encode() for pose in record.poses],
        BOX_MASK: record.masks,
    }
    said = {key: values[key] for key in OPTIONAL if any(values[key])}
    return said | {BOX_WEIGHT: record.weights} if record.weights else said


def _labeled_features(record: ImageRecord, ids: Mapping[str, int]) -> dict[str, Values]:
    """Returns the classes that the image was annotated for, by id; nothing where those are all of the map."""
    if record.labeled is None or record.labeled.issuperset(ids):
        return {}
    labeled = sorted(record.labeled, key=ids.__getitem__)
    return {
        IMAGE_CLASS_LABEL: [ids[name] for name in labeled],
        IMAGE_CLASS_TEXT: [name.encode() for name in labeled],
    }


def _read_features(data: bytes, source: str) -> dict[str, Values]:
    """Returns the values of the features of FEATURES that an Example has, in their kinds."""
    try:
        example = example_pb2.Example.FromString(data)
    except DecodeError as fault:
        raise InputError(source, "is no tf.train.Example") from fault
    features: dict[str, Values] = {}
    for key, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        if key in FEATURES and kind is not None:
            if kind != f"{FEATURES[key].kind}_list":
                raise InputError(source, f"is a {kind}, expected a {FEATURES[key].kind}_list", where=key)
            features[key] = list(getattr(feature, kind).value)
    return features


def _size(features: Mapping[str, Values], source: str) -> tuple[int, int]:
    """Returns width and height in pixels as the Example has them; where it says none, or 0, which TFOD's
    decoder takes as well, those of its image. (0, 0) where neither can be known of an image that is stated to
    have no size."""
    stated = [features.get(key, ()) for key in (IMAGE_WIDTH, IMAGE_HEIGHT)]
    if all(len(values) == 1 and values[0] > 0 for values in stated):
        return stated[0][0], stated[1][0]
    try:
        header = read_header(_single(features, IMAGE_ENCODED, source), Path(source))
    except InputError:
        return _single(features, IMAGE_WIDTH, source), _single(features, IMAGE_HEIGHT, source)
    return header.width, header.height


def _require_counts(values_by_key: Mapping[str, Values], count: int, source: str) -> None:
    """Each feature of boxes has a value a box, or none at all where it is not needed: ids are not where there
    are names, by which TFOD's decoder goes where it has a label map."""
    needed = {BOX_XMIN, BOX_YMIN, BOX_XMAX, BOX_YMAX}
    if not values_by_key.get(BOX_TEXT):
        needed.add(BOX_LABEL)
    for key, feature in FEATURES.items():
        number = len(values_by_key.get(key, ()))
        if key == KEYPOINT_NUM:  # which is counted anew; others write one for the whole image
            continue
        if feature.shape == "(N,)" and number != count and (number or key in needed):
            raise InputError(source, f"has {counted(number, 'value')} for {counted(count, 'box')}", where=key)


def _single(features: Mapping[str, Values], key: str, source: str) -> Any:
    values = features.get(key, ())
    if len(values) != 1:
        raise InputError(source, f"has {counted(len(values), 'value')}, expected one", where=key)
    return values[0]


def _text(features: Mapping[str, Values], key: str) -> str:
    """Returns the feature's text; empty where it is missing."""
    return "".join(_texts(features.get(key, ())))


def _texts(values: Values) -> tuple[str, ...]:
    """Returns them decoded; bytes that are no UTF-8 as \\xNN, so that different names stay different."""
    return tuple(value.decode(errors="backslashreplace") for value in values)

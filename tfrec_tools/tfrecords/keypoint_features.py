"""The keypoints of a record as features of its Example, written beside read: what TFOD's
dataset_tools/create_coco_tf_record.py writes and its TfExampleDecoder reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.records import Floats, ImageRecord
from tfrec_tools.errors import InputError, counted
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.keypoints import NONE as NONE
from tfrec_tools.labels.keypoints import KeypointLayout
from tfrec_tools.tfrecords.features import (
    KEYPOINT_NUM,
    KEYPOINT_TEXT,
    KEYPOINT_VISIBILITY,
    KEYPOINT_X,
    KEYPOINT_Y,
)

_VISIBLE = 2
Values = Sequence[Any]


def features_of(record: ImageRecord, image: EncodedImage, layout: KeypointLayout) -> dict[str, Values]:
    """Returns the features; none where the set has no keypoints. Where it has, each box has a value at each
    of the set's ids, as TFOD's decoder asks for it: 0, and not labeled, where it is none of its class's."""
    if not layout.names:
        return {}
    values = placed(record, layout)  # (N, K, 3)
    size_wh = np.array([image.width, image.height], np.float64)
    x_y = (values[..., :2] / size_wh).astype(np.float32)
    labeled = values[..., 2] > 0
    texts = {name: layout.texts(name) for name in set(record.names)}
    return {
        KEYPOINT_X: x_y[..., 0].ravel().tolist(),
        KEYPOINT_Y: x_y[..., 1].ravel().tolist(),
        KEYPOINT_VISIBILITY: values[..., 2].astype(np.int64).ravel().tolist(),
        KEYPOINT_NUM: labeled.sum(axis=1).tolist(),
        KEYPOINT_TEXT: [text for name in record.names for text in texts[name]],
    }


def placed(record: ImageRecord, layout: KeypointLayout) -> Floats:
    """Returns (N, K, 3), those of each box at the ids of its class; zeros for those that it lacks."""
    values = np.zeros((len(record.names), len(layout.names), 3))
    if record.keypoints is not None:
        for box, name in enumerate(record.names):
            ids = layout.ids.get(name, ())[: record.keypoints.shape[1]]
            values[box, list(ids)] = record.keypoints[box, : len(ids)]
    return values


def parsed(
    features: Mapping[str, Values], boxes: int, size_wh: tuple[int, int], source: str
) -> tuple[Floats | None, Values]:
    """Returns (N, K, 3) in pixels, at each id of the set, and the name of each, if given. Where no visibility
    is given, those are visible that have a place, as for TFOD. InputError where there are not as many values
    for each box."""
    x, y = (features.get(key, ()) for key in (KEYPOINT_X, KEYPOINT_Y))
    visibility, texts = features.get(KEYPOINT_VISIBILITY, ()), features.get(KEYPOINT_TEXT, ())
    if not (x or y):
        return None, ()
    if not boxes or len(x) % boxes:
        raise InputError(
            source,
            f"has {counted(len(x), 'value')} for {counted(boxes, 'box')}, expected as many each",
            where=KEYPOINT_X,
        )
    for key, values in ((KEYPOINT_Y, y), (KEYPOINT_VISIBILITY, visibility or x)):
        if len(values) != len(x):
            reason = f"has {counted(len(values), 'value')}, but {KEYPOINT_X} has {len(x)}"
            raise InputError(source, reason, where=key)
    x_y = np.array([x, y], np.float32).astype(np.float64).T * np.array(size_wh, np.float64)
    places: NDArray[np.bool_] = np.all(np.isfinite(x_y), axis=1)
    given = np.array(visibility, np.float64) if visibility else np.where(places, _VISIBLE, 0)
    x_y = np.where(places[:, None] | (given > 0)[:, None], x_y, 0.0)
    keypoints = np.hstack([x_y, given[:, None]]).reshape(boxes, -1, 3)
    return keypoints, texts if len(texts) == len(x) else ()

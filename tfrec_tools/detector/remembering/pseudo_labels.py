"""Old classes on new pictures, labelled by the base before training.

What the base is sure of becomes a box. What it half believes becomes a box of weight 0: there nothing is
known of its class. The rest of the picture is then background for the old classes as well. Weights are
TFOD's own feature, `image/object/weight`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools import tfrecord
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.atomic import published
from tfrec_tools.detector.examples.dataset import Annotated, read_example, silent
from tfrec_tools.detector.measuring.evaluate import Found
from tfrec_tools.detector.measuring.voc07 import ious
from tfrec_tools.features import (
    BOX_LABEL,
    BOX_TEXT,
    BOX_WEIGHT,
    BOX_XMAX,
    BOX_XMIN,
    BOX_YMAX,
    BOX_YMIN,
    FEATURES,
    IMAGE_CLASS_LABEL,
    IMAGE_CLASS_TEXT,
)
from tfrec_tools.labels import LabelMap

THRESHOLD = 0.5  # where there is nothing to choose one by
_DOUBT = 0.1  # below this score, the base says that there is nothing
_SAME_OBJECT_IOU = 0.7  # with an annotated box: then the annotation is right and the base is wrong
_FOUND_IOU = 0.5
_LOWEST, _HIGHEST = 0.2, 0.9  # of a chosen threshold


def choose_thresholds(
    examples: Sequence[Annotated], found: Sequence[Found], ids: Sequence[int]
) -> dict[int, float]:
    """{id: the score from which on the base's detections have the best F1 on these pictures}, THRESHOLD for
    a class that they have no box of."""
    return {label_id: _threshold(*_hits(examples, found, label_id)) for label_id in ids}


def write_records(
    path: Path,
    examples: Sequence[Annotated],
    found: Sequence[Found],
    thresholds: Mapping[int, float],
    labels: LabelMap,
    progress: Callable[[int], None] = silent,
) -> int:
    """A TFRecord file of the examples with what the base found added; how many boxes it is sure of. `found`
    is in ids of `labels`, as are the thresholds, of the classes that the base knows."""
    added = 0
    with published(path) as (part,):

        def examples_with_more() -> Iterator[bytes]:
            nonlocal added
            for number, (example, detections) in enumerate(zip(examples, found, strict=True), start=1):
                more = _more(example, detections, thresholds)
                added += int((more[2] > 0).sum())
                yield _example(read_example(example), more, example.labeled | thresholds.keys(), labels)
                progress(number)

        tfrecord.write(part, examples_with_more())
    return added


def _more(
    example: Annotated, found: Found, thresholds: Mapping[int, float]
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Boxes (M, 4), ids (M,) and weights (M,) that the base adds."""
    needed = np.array([thresholds.get(int(label_id), np.inf) for label_id in found.ids])
    unlabeled = np.array([int(label_id) not in example.labeled for label_id in found.ids], bool)
    is_new = ious(found.boxes, example.boxes).max(axis=1, initial=0.0) <= _SAME_OBJECT_IOU
    kept = np.isfinite(needed) & unlabeled & is_new & (found.scores >= _DOUBT)
    weights = (found.scores >= needed).astype(np.float32)
    return found.boxes[kept], found.ids[kept], weights[kept]


def _example(
    data: bytes,
    more: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]],
    labeled: frozenset[int],
    labels: LabelMap,
) -> bytes:
    example = example_pb2.Example.FromString(data)
    features = example.features.feature
    boxes, ids, weights = more
    count = len(features[BOX_LABEL].int64_list.value) or len(features[BOX_XMIN].float_list.value)
    features[BOX_WEIGHT].float_list.value[:] = [1.0] * count
    added = {key: column.tolist() for key, column in zip(_CORNERS, boxes.T, strict=True)}
    added |= {BOX_LABEL: ids.tolist(), BOX_WEIGHT: weights.tolist()}
    added[BOX_TEXT] = [labels.name_by_id[label_id].encode() for label_id in ids.tolist()]
    for key, feature in FEATURES.items():
        if feature.shape == "(N,)" and (key in added or key in features):
            values = getattr(features[key], f"{feature.kind}_list").value
            values.extend(added.get(key, [_NOTHING[feature.kind]] * len(ids)))
    names = [labels.name_by_id[label_id].encode() for label_id in sorted(labeled)]
    features[IMAGE_CLASS_LABEL].int64_list.value[:] = sorted(labeled)
    features[IMAGE_CLASS_TEXT].bytes_list.value[:] = names
    return example.SerializeToString(deterministic=True)


_CORNERS = (BOX_YMIN, BOX_XMIN, BOX_YMAX, BOX_XMAX)
_NOTHING = {"float": 0.0, "int64": 0, "bytes": b""}


def _hits(
    examples: Sequence[Annotated], found: Sequence[Found], label_id: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Of a class, on the pictures annotated for it: scores (M,), which of them hit a box that no better one
    hit (M,), and how many boxes there are."""
    scores, hits, boxes = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0
    for example, one in zip(examples, found, strict=True):
        if label_id in example.labeled:
            truth = example.boxes[(example.ids == label_id) & ~example.crowd]
            mine = one.ids == label_id
            scores.append(one.scores[mine])
            hits.append(_hit(ious(one.boxes[mine], truth)))
            boxes += len(truth)
    return np.concatenate(scores), np.concatenate(hits), boxes


def _hit(overlaps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M, N) to (M,): each detection, best first, takes the box that it overlaps most, if that is free."""
    free = np.ones(overlaps.shape[1], bool)
    hits = np.zeros(len(overlaps), bool)
    for row, overlap in enumerate(overlaps if free.any() else ()):
        best = int(np.argmax(overlap))
        if overlap[best] >= _FOUND_IOU and free[best]:
            free[best], hits[row] = False, True
    return hits


def _threshold(scores: NDArray[np.float32], hits: NDArray[np.bool_], boxes: int) -> float:
    if not boxes or not hits.any():
        return THRESHOLD
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(hits[order])
    f1 = 2.0 * true / (np.arange(1, len(order) + 1) + boxes)
    return float(np.clip(scores[order][int(np.argmax(f1))], _LOWEST, _HIGHEST))

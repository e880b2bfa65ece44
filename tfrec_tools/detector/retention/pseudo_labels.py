"""Old classes on new images, labelled by the base before training.

What the base is sure of becomes a box. What it half believes becomes a box of weight 0: there nothing is
known of its class. The rest of the image is then background for the old classes as well. Weights are
TFOD's own feature, `image/object/weight`.

A base takes what it cannot know for what it knows, and its box is then about the annotated one. Where it
likely is, what the base is sure of is in doubt, and what it half believes is nothing: else its mistakes would
be taught against the new classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tfrec_tools._pb2 import example_pb2
from tfrec_tools.detector.data.index import IndexedExample, read_example, silent
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.operating_points import USUAL, operating_point
from tfrec_tools.detector.evaluation.overlaps import ious
from tfrec_tools.detector.losses.matching import LIKELY_SAME_IOU
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.features import (
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

DOUBT = 0.1  # below this score, the base says that there is nothing
_SAME_IOU = 0.7  # with an annotated box: then the annotation is right and the base is wrong
_LOWEST, _HIGHEST = 0.2, 0.9  # of a chosen threshold


def choose_thresholds(
    examples: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    ids: Sequence[int],
    usual: Mapping[int, float] = MappingProxyType({}),
) -> dict[int, float]:
    """Returns {id: the highest score from which on the base's detections have the best F1 on these images},
    for a class that they say nothing of what is `usual`, within limits, else USUAL."""
    points = {label_id: operating_point(examples, detections, label_id) for label_id in ids}
    return {
        label_id: min(max(point.highest if point else usual.get(label_id, USUAL), _LOWEST), _HIGHEST)
        for label_id, point in points.items()
    }


def write_records(
    path: Path,
    examples: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    thresholds: Mapping[int, float],
    labels: LabelMap,
    progress: Callable[[int], None] = silent,
) -> int:
    """Returns a TFRecord file of the examples with what the base found added; how many boxes it is sure of.
    `found` is in ids of `labels`, as are the thresholds, of the classes that the base knows."""
    added = 0
    with published(path) as (part,):

        def examples_with_more() -> Iterator[bytes]:
            nonlocal added
            for number, (example, of_image) in enumerate(zip(examples, detections, strict=True), start=1):
                more = _more(example, of_image, thresholds)
                added += int((more[2] > 0).sum())
                yield _example(read_example(example), more, example.labeled | thresholds.keys(), labels)
                progress(number)

        framing.write(part, examples_with_more())
    return added


def _more(
    example: IndexedExample, detections: ImageDetections, thresholds: Mapping[int, float]
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Returns boxes (M, 4), ids (M,) and weights (M,) that the base adds."""
    needed = np.array([thresholds.get(int(label_id), np.inf) for label_id in detections.ids])
    unlabeled = np.array([int(label_id) not in example.labeled for label_id in detections.ids], bool)
    has_area = (detections.boxes[:, 2:] > detections.boxes[:, :2]).all(axis=1)  # CenterNet's may have none
    overlaps = ious(detections.boxes, example.boxes).max(axis=1, initial=0.0)
    is_sure = detections.scores >= needed
    is_other = overlaps <= np.where(is_sure, _SAME_IOU, LIKELY_SAME_IOU)
    kept = np.isfinite(needed) & unlabeled & is_other & has_area & (detections.scores >= DOUBT)
    weights = (is_sure & (overlaps <= LIKELY_SAME_IOU)).astype(np.float32)
    return detections.boxes[kept], detections.ids[kept], weights[kept]


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
        if feature.shape in ("(N,)", "(N, K)") and (key in added or key in features):
            values = getattr(features[key], f"{feature.kind}_list").value
            each = 1 if feature.shape == "(N,)" else len(values) // max(count, 1)
            values.extend(added.get(key, [_NOTHING[feature.kind]] * (each * len(ids))))
    names = [labels.name_by_id[label_id].encode() for label_id in sorted(labeled)]
    features[IMAGE_CLASS_LABEL].int64_list.value[:] = sorted(labeled)
    features[IMAGE_CLASS_TEXT].bytes_list.value[:] = names
    return example.SerializeToString(deterministic=True)


_CORNERS = (BOX_YMIN, BOX_XMIN, BOX_YMAX, BOX_XMAX)
_NOTHING = {"float": 0.0, "int64": 0, "bytes": b""}

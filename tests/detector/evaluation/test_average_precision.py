"""Average precision by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import (
    AveragePrecision,
    ImageDetections,
    average_precision,
    mean,
)
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])
BOXES = np.array([[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]], np.float32)


def _example(
    boxes: np.ndarray,
    ids: list[int],
    *,
    crowd: list[bool] | None = None,
    difficult: list[bool] | None = None,
    labeled: tuple[int, ...] = (1, 2, 3),
) -> IndexedExample:
    crowds, hard = (np.array(flags or [False] * len(ids)) for flags in (crowd, difficult))
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * 100.0 * 100.0
    return IndexedExample(
        example=b"",
        width=100,
        height=100,
        boxes=boxes,
        ids=np.array(ids, np.int32),
        crowd=crowds,
        weights=np.ones(len(ids), np.float32),
        labeled=frozenset(labeled),
        difficult=hard,
        areas=areas,
    )


def _found(boxes: np.ndarray, scores: list[float], ids: list[int]) -> ImageDetections:
    return ImageDetections(boxes, np.array(scores, np.float32), np.array(ids, np.int32))


def _about(ap: float, ap50: float, boxes: int) -> AveragePrecision:
    return AveragePrecision(pytest.approx(ap), pytest.approx(ap50), boxes)  # type: ignore[arg-type]


def test_finding_everything_is_a_precision_of_one() -> None:
    found = average_precision([_example(BOXES, [1, 2])], [_found(BOXES, [0.9, 0.8], [1, 2])], LABELS)
    perfect = _about(1.0, 1.0, 1)
    assert found == {1: perfect, 2: perfect}


def test_finding_nothing_is_a_precision_of_zero() -> None:
    nothing = _found(np.zeros((0, 4), np.float32), [], [])
    assert average_precision([_example(BOXES, [1, 2])], [nothing], LABELS)[1] == AveragePrecision(0.0, 0.0, 1)


def test_a_loose_box_counts_for_ap50_only() -> None:
    loose = BOXES[:1] + np.array([[0, 0, 0.1, 0.1]], np.float32)  # IoU 0.5625
    found = average_precision([_example(BOXES[:1], [1])], [_found(loose, [0.9], [1])], LABELS)[1]
    assert found.ap50 == pytest.approx(1.0)
    assert found.ap == pytest.approx(0.2)  # the thresholds 0.5 and 0.55 of ten


def test_a_false_alarm_with_a_higher_score_halves_the_precision() -> None:
    found = average_precision([_example(BOXES[:1], [1])], [_found(BOXES[::-1], [0.9, 0.8], [1, 1])], LABELS)
    assert found[1].ap50 == pytest.approx(0.5)


def test_a_picture_says_nothing_of_a_class_that_it_was_not_annotated_for() -> None:
    examples = [_example(BOXES[:1], [1]), _example(BOXES[1:], [2], labeled=(2,))]
    detections = [_found(BOXES[:1], [0.8], [1]), _found(BOXES, [0.9, 0.9], [1, 2])]
    assert average_precision(examples, detections, LABELS)[1].ap50 == pytest.approx(1.0)


def test_a_crowd_is_neither_to_be_found_nor_a_mistake() -> None:
    example = _example(BOXES, [1, 1], crowd=[False, True])
    found = average_precision([example], [_found(BOXES, [0.8, 0.9], [1, 1])], LABELS)
    assert found == {1: _about(1.0, 1.0, 1)}


def test_a_difficult_object_is_neither_to_be_found_nor_a_mistake() -> None:
    example = _example(BOXES, [1, 1], difficult=[False, True])
    perfect = {1: _about(1.0, 1.0, 1)}
    for detections in (_found(BOXES, [0.8, 0.9], [1, 1]), _found(BOXES[:1], [0.8], [1])):
        assert average_precision([example], [detections], LABELS) == perfect


def test_means_leave_out_classes_without_boxes() -> None:
    precisions = {1: AveragePrecision(0.2, 0.4, 3), 2: AveragePrecision(0.4, 0.8, 5)}
    assert mean(precisions, [1, 2, 3]) == _about(0.3, 0.6, 8)
    assert mean(precisions, [3]) is None

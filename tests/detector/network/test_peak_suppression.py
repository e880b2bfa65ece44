"""The suppression of a CenterNet's peaks: numbers made by hand, and TFOD's rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tfrec_tools.detector.config.blocks import NmsConfig
from tfrec_tools.detector.network.detections import Detections
from tfrec_tools.detector.network.peak_suppression import suppressed

NMS = NmsConfig(score_threshold=0.2, iou_threshold=0.5, max_per_class=3, max_total=4)
LEFT, SHIFTED, RIGHT = (
    [0.0, 0.0, 0.5, 0.5],
    [0.0, 0.1, 0.5, 0.6],
    [0.5, 0.5, 1.0, 1.0],
)  # IoU of the first two: 2/3
FLAT = [0.2, 1.0, 0.4, 1.0]  # what a peak in the padding becomes


def _said(
    config: NmsConfig, boxes: list[list[float]], scores: list[list[float]], count: int | None = None
) -> Detections:
    """Of one image; the first `count` peaks are there."""
    there = tf.range(len(boxes)) < (len(boxes) if count is None else count)
    return suppressed(config, tf.constant([boxes]), tf.constant([scores]), there[None])


def _listed(said: Detections) -> list[tuple[float, int, list[float]]]:
    rows = zip(*(part[0].numpy().tolist() for part in said), strict=True)
    return [
        (round(score, 3), label_id, np.round(box, 3).tolist()) for box, score, label_id in rows if label_id
    ]


def test_overlapping_boxes_of_a_class_are_suppressed() -> None:
    said = _said(NMS, [LEFT, SHIFTED, RIGHT], [[0.9, 0.1], [0.8, 0.1], [0.7, 0.1]])
    assert _listed(said) == [(0.9, 1, LEFT), (0.7, 1, RIGHT)]
    assert said.boxes.shape == (1, 4, 4)
    assert said.scores.numpy().tolist()[0][2:] == [0.0, 0.0]


def test_of_two_classes_they_are_not() -> None:
    said = _said(NMS, [LEFT, SHIFTED], [[0.9, 0.1], [0.1, 0.8]])
    assert _listed(said) == [(0.9, 1, LEFT), (0.8, 2, SHIFTED)]


def test_a_box_stands_for_each_class_that_its_cell_has_scores_of() -> None:
    """As TFOD suppresses by all classes' scores at a peak, not by that of the peak alone."""
    said = _said(NMS, [LEFT, SHIFTED], [[0.9, 0.3], [0.1, 0.8]])
    assert _listed(said) == [(0.9, 1, LEFT), (0.8, 2, SHIFTED)]  # LEFT's 0.3 is suppressed by 0.8
    said = _said(NMS, [LEFT, RIGHT], [[0.9, 0.3], [0.1, 0.8]])
    assert _listed(said) == [(0.9, 1, LEFT), (0.8, 2, RIGHT), (0.3, 2, LEFT)]


def test_of_whatever_class_each_box_is_its_likeliest() -> None:
    agnostic = replace(NMS, class_agnostic=True)
    said = _said(agnostic, [LEFT, SHIFTED, RIGHT], [[0.9, 0.3], [0.1, 0.8], [0.6, 0.7]])
    assert _listed(said) == [(0.9, 1, LEFT), (0.7, 2, RIGHT)]


@pytest.mark.parametrize("agnostic", [False, True])
def test_thresholds_and_numbers_are_kept(agnostic: bool) -> None:
    config = replace(NMS, class_agnostic=agnostic)
    assert _listed(_said(config, [LEFT, RIGHT], [[0.9, 0.0], [0.2, 0.0]])) == [(0.9, 1, LEFT)]  # not above it
    touching = replace(config, iou_threshold=2 / 3 + 1e-3)
    assert len(_listed(_said(touching, [LEFT, SHIFTED], [[0.9, 0.0], [0.8, 0.0]]))) == 2
    fewer = replace(config, max_total=1, max_per_class=1)
    assert _listed(_said(fewer, [RIGHT, LEFT], [[0.3, 0.0], [0.9, 0.0]])) == [(0.9, 1, LEFT)]


def test_a_number_a_class_is_of_each_class() -> None:
    boxes = [[0.0, edge, 0.1, edge + 0.1] for edge in (0.0, 0.2, 0.4, 0.6)]
    said = _said(replace(NMS, max_per_class=1), boxes, [[0.9, 0.3], [0.8, 0.4], [0.7, 0.5], [0.6, 0.55]])
    assert [row[:2] for row in _listed(said)] == [(0.9, 1), (0.55, 2)]


@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_what_is_no_peak_or_has_no_area_is_no_detection(threshold: float) -> None:
    config = replace(NMS, score_threshold=threshold)
    said = _said(config, [FLAT, LEFT, RIGHT], [[0.9, 0.8], [0.5, 0.4], [0.7, 0.7]], count=2)
    assert _listed(said) == [(0.5, 1, LEFT), (0.4, 2, LEFT)]


def test_each_image_of_a_batch_has_its_own() -> None:
    boxes, scores = [[LEFT, SHIFTED], [SHIFTED, RIGHT]], [[[0.9], [0.8]], [[0.7], [0.6]]]
    batch = tf.function(lambda *inputs: suppressed(NMS, *inputs))(
        tf.constant(boxes), tf.constant(scores), tf.constant([[True, True], [True, False]])
    )
    alone = [_said(NMS, boxes[0], scores[0]), _said(NMS, boxes[1], scores[1], count=1)]
    for ours, theirs in zip(batch, zip(*alone, strict=True), strict=True):
        assert np.array_equal(ours, tf.concat(theirs, axis=0))

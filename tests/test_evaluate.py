"""Average precision, and the table before and after."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tfrec_tools.detector.data.index import Annotated
from tfrec_tools.detector.evaluation.average_precision import Found, Precision, average_precision, mean
from tfrec_tools.detector.model.growth import ClassRow
from tfrec_tools.detector.reports import comparison
from tfrec_tools.detector.training import history
from tfrec_tools.detector.training.train_step import StepLosses
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
) -> Annotated:
    crowds, hard = (np.array(flags or [False] * len(ids)) for flags in (crowd, difficult))
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * 100.0 * 100.0
    return Annotated(
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


def _found(boxes: np.ndarray, scores: list[float], ids: list[int]) -> Found:
    return Found(boxes, np.array(scores, np.float32), np.array(ids, np.int32))


def test_finding_everything_is_a_precision_of_one() -> None:
    found = average_precision([_example(BOXES, [1, 2])], [_found(BOXES, [0.9, 0.8], [1, 2])], LABELS)
    perfect = Precision(pytest.approx(1.0), pytest.approx(1.0), 1)
    assert found == {1: perfect, 2: perfect}


def test_finding_nothing_is_a_precision_of_zero() -> None:
    nothing = _found(np.zeros((0, 4), np.float32), [], [])
    assert average_precision([_example(BOXES, [1, 2])], [nothing], LABELS)[1] == Precision(0.0, 0.0, 1)


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
    assert found == {1: Precision(pytest.approx(1.0), pytest.approx(1.0), 1)}


def test_a_difficult_object_is_neither_to_be_found_nor_a_mistake() -> None:
    example = _example(BOXES, [1, 1], difficult=[False, True])
    perfect = {1: Precision(pytest.approx(1.0), pytest.approx(1.0), 1)}
    for detections in (_found(BOXES, [0.8, 0.9], [1, 1]), _found(BOXES[:1], [0.8], [1])):
        assert average_precision([example], [detections], LABELS) == perfect


def test_means_leave_out_classes_without_boxes() -> None:
    precisions = {1: Precision(0.2, 0.4, 3), 2: Precision(0.4, 0.8, 5)}
    assert mean(precisions, [1, 2, 3]) == Precision(pytest.approx(0.3), pytest.approx(0.6), 8)
    assert mean(precisions, [3]) is None


def test_the_comparison_counts_an_unknown_class_as_zero_in_the_mean_of_all() -> None:
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", None)]
    after = {1: Precision(0.5, 0.7, 4), 2: Precision(0.3, 0.5, 2)}
    lines = {line.name: line for line in comparison.comparison(rows, {1: Precision(0.6, 0.8, 4)}, after)}
    assert lines["green"].before is None
    assert lines["mean of old"].before == Precision(0.6, 0.8, 4)
    assert lines["mean of new"].before is None
    assert lines["mean of all"].before == Precision(0.3, 0.4, 6)
    assert lines["mean of all"].after == Precision(0.4, 0.6, 6)


FACTS = comparison.Facts("base", None, 3, "all steps done", 3, {}, {}, {}, ["flip"], 1.0, {})


def test_the_files_say_what_the_lines_say(tmp_path: Path) -> None:
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", None)]
    lines = comparison.comparison(rows, {1: Precision(0.5, 0.75, 4)}, {2: Precision(0.25, 0.5, 2)})
    comparison.write_metrics_csv(tmp_path / "metrics.csv", lines)
    comparison.write_report_json(tmp_path / "report.json", lines, FACTS)
    with (tmp_path / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert (table[0]["ap50_before"], table[0]["ap50_after"], table[1]["ap_after"]) == ("0.75", "", "0.25")
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["steps"], written["harmonic_mean"]) == (3, None)
    assert written["classes"][1]["after"] == {"ap": 0.25, "ap50": 0.5, "boxes": 2}


def test_losses_are_read_back(tmp_path: Path) -> None:
    curve = [StepLosses(1, 0.1, 1 / 3, 2.5, 0.0), StepLosses(2, 0.05, 1e-9, 2.4, 0.7)]
    history.write_losses(tmp_path / "losses.csv", curve)
    assert history.read_losses(tmp_path / "losses.csv") == curve

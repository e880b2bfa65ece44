"""New classes brought to the level of the old ones: what is chosen, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import measured, tiny, tiny_rcnn
from tests.helpers.places import DATA, SAMPLE
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation import calibration
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, average_precision, find
from tfrec_tools.detector.evaluation.operating_points import USUAL, operating_point
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.model.detector import load_detector, new_detector, values
from tfrec_tools.detector.options.finetune import RetentionOptions
from tfrec_tools.detector.retention import retention
from tfrec_tools.labels.label_map import from_names

ROWS = [ClassRow(1, "red", 1), ClassRow(2, "green", 2), ClassRow(3, "blue", None)]


def _quieter(found: ImageDetections, label_id: int, added: float) -> ImageDetections:
    scores = found.scores.astype(np.float64).clip(1e-3, 1 - 1e-3)
    moved = 1.0 / (1.0 + np.exp(-(np.log(scores / (1.0 - scores)) + added)))
    return ImageDetections(found.boxes, np.where(found.ids == label_id, moved, scores), found.ids)


def _case() -> tuple[list[IndexedExample], list[ImageDetections]]:
    examples, detections = measured.case(40)
    return examples, [_quieter(found, 3, -1.5) for found in detections]


def _level(examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], label_id: int) -> float:
    point = operating_point(examples, detections, label_id)
    assert point is not None
    return point.score


def test_a_new_class_is_brought_to_the_middle_of_the_old_ones() -> None:
    examples, detections = _case()
    chosen = calibration.fitted(examples, detections, ROWS)
    (shift,) = chosen.shifts
    assert (shift.name, shift.score) == ("blue", _level(examples, detections, 3))
    assert shift.added is not None
    assert shift.added > 0.5
    old = [np.log(score / (1 - score)) for score in (_level(examples, detections, each) for each in (1, 2))]
    assert chosen.level == pytest.approx(1 / (1 + np.exp(-np.mean(old))))
    since = [_quieter(found, 3, shift.added) for found in detections]
    assert _level(examples, since, 3) == pytest.approx(chosen.level, abs=0.02)
    assert f"{chosen.level:.2f} on: blue +{shift.added:.2f}." in chosen.note


def test_without_old_classes_the_level_is_the_usual_score() -> None:
    chosen = calibration.fitted(*_case(), [ClassRow(3, "blue", None)])
    assert chosen.level == USUAL


@pytest.mark.parametrize("finds", [True, False])
def test_too_little_to_choose_by_changes_nothing_and_is_said(finds: bool) -> None:
    """Images without blue boxes, or with many of which none is found."""
    examples, detections = _case()
    if finds:
        without = [place for place, example in enumerate(examples) if 3 not in example.ids][:5]
        examples, detections = (
            [examples[place] for place in without],
            [detections[place] for place in without],
        )
    else:
        detections = [
            ImageDetections(*(part[found.ids != 3] for part in (found.boxes, found.scores, found.ids)))
            for found in detections
        ]
    chosen = calibration.fitted(examples, detections, ROWS)
    assert (chosen.level, chosen.shifts[0].score, chosen.shifts[0].added) == (None, None, None)
    assert (
        chosen.note == f"Not calibrated, with too little to choose by: blue ({chosen.shifts[0].boxes} boxes)."
    )


def test_only_the_new_classes_logits_change_and_by_that_number() -> None:
    grown = growth.grow(tiny.detector("red", "green"), from_names(["red", "blue", "green"]), seed=1)
    pictures = tf.random.stateless_uniform((2, 64, 64, 3), (3, 4), -1.0, 1.0)
    before = grown.network(pictures)
    growth.add_to_biases(grown, {2: 1.25})
    after = grown.network(pictures)
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1].numpy()[..., [0, 1, 3]], after[1].numpy()[..., [0, 1, 3]])
    np.testing.assert_allclose(after[1][..., 2] - before[1][..., 2], 1.25, atol=1e-5)


@pytest.mark.parametrize(("pipeline", "heads"), [("ssd_mobilenet_v2", 6), ("center_net_mobilenet", 1)])
def test_each_head_of_a_family_moves_by_its_columns_alone(pipeline: str, heads: int) -> None:
    text = (DATA / f"{pipeline}.pipeline.config").read_text(encoding="utf-8")
    made = new_detector(text, from_names(["red", "green", "blue"]), seed=1)
    before = values(made.network)
    growth.add_to_biases(made, {3: 0.5})
    after = values(made.network)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert len(moved) == heads
    for path in moved:
        added = np.asarray(after[path], np.float64) - np.asarray(before[path], np.float64)
        classes = 4 if pipeline == "ssd_mobilenet_v2" else 3  # a background before them
        np.testing.assert_allclose(added.reshape(-1, classes)[:, -1], 0.5, atol=1e-6)
        assert not added.reshape(-1, classes)[:, :-1].any()


def test_it_can_be_left_out_and_a_softmax_is() -> None:
    made = tiny_rcnn.detector("red", "green", "blue")
    before = values(made.network)
    softmax = retention.calibrate(RetentionOptions(), made, ROWS, [], lambda _: None)
    assert softmax.note.startswith("Not calibrated: the classes share a softmax")
    off = retention.calibrate(RetentionOptions(calibrate="off"), made, ROWS, [], lambda _: None)
    known = retention.calibrate(RetentionOptions(), made, ROWS[:2], [], lambda _: None)
    assert (off, known) == (calibration.NONE, calibration.NONE)
    after = values(made.network)
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_the_samples_pear_speaks_up_and_no_average_precision_changes(tmp_path: Path) -> None:
    """The base, of which the pear is taken for a new class that speaks low. Of the other classes, pears that
    speak up leave room for fewer of the weakest detections, as an image has 100 at most."""
    convert(ConvertOptions(SAMPLE / "old/annotations.coco.json", out=tmp_path / "old"))
    made = load_detector(SAMPLE / "base_model")
    pear = made.labels.id_by_name["pear"]
    known = made.labels.name_by_id.items()
    rows = [ClassRow(label_id, name, None if label_id == pear else label_id) for label_id, name in known]
    examples = index_records((str(tmp_path / "old-*"),), made.labels)[:30]
    growth.add_to_biases(made, {pear: -2.0})
    before = find(made, examples, made.labels)
    chosen = retention.calibrate(RetentionOptions(), made, rows, examples, lambda _: None)
    after = find(made, examples, made.labels)
    (shift,) = chosen.shifts
    assert shift.added is not None
    assert shift.added > 0.5
    assert chosen.level == pytest.approx(_level(examples, after, pear), abs=0.02)
    for label_id, old in average_precision(examples, before, made.labels).items():
        new = average_precision(examples, after, made.labels)[label_id]
        assert (new.ap, new.ap50) == (pytest.approx(old.ap), pytest.approx(old.ap50))
        for first, second in zip(before, after, strict=True):
            scores = [found.scores[found.ids == label_id] for found in (first, second)]
            kept = min(map(len, scores))
            assert np.array_equal(scores[0][:kept], scores[1][:kept]) == (label_id != pear or not kept)

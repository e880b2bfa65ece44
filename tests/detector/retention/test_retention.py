"""What keeps old classes known, each means by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import poses, tiny
from tests.helpers.finetuning import CONFIG
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.shards import record_files
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.operating_points import USUAL
from tfrec_tools.detector.losses import distillation
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import Losses
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.class_rows import class_rows
from tfrec_tools.detector.model.detector import Detector, assign, class_logits
from tfrec_tools.detector.retention import pseudo_labels, replay, retention, weight_blending
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import TfrecError
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import parse_example

LABELS = from_names(["red", "green", "blue"])


def example(
    ids: list[int], labeled: list[int] | None = None, boxes: list[list[float]] | None = None
) -> IndexedExample:
    return IndexedExample(
        example=b"",
        width=10,
        height=10,
        boxes=np.array(boxes or [[0.0, 0.0, 0.5, 0.5]] * len(ids), np.float32).reshape(-1, 4),
        ids=np.array(ids, np.int32),
        crowd=np.zeros(len(ids), bool),
        weights=np.ones(len(ids), np.float32),
        labeled=frozenset(labeled or ids),
        difficult=np.zeros(len(ids), bool),
        areas=np.full(len(ids), 25.0),
    )


def found(*rows: tuple[list[float], float, int]) -> ImageDetections:
    boxes, scores, ids = zip(*rows, strict=True) if rows else ((), (), ())
    return ImageDetections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(ids, np.int32)
    )


def test_a_small_replay_has_every_class() -> None:
    old = [example([1])] * 300 + [example([2])] * 30 + [example([3])] * 5
    chosen = replay.choose(old, 60, seed=0)
    counts = {label_id: sum(label_id in one.ids for one in chosen) for label_id in (1, 2, 3)}
    assert counts[3] == 5
    assert min(counts[1], counts[2]) >= replay.MIN_PER_CLASS
    assert 60 <= len(chosen) <= 65
    assert [one.ids for one in replay.choose(old, 60, seed=0)] == [one.ids for one in chosen]


def test_a_budget_that_is_no_number_is_refused() -> None:
    asked = replace(retention.NOTHING, replay_budget="many")
    with pytest.raises(TfrecError, match="--replay-budget: found 'many'"):
        retention.replayed(asked, [example([1])], seed=0)
    assert len(retention.replayed(replace(asked, replay_budget="50%"), [example([1])] * 100, seed=0)) == 50


BOX, ELSEWHERE = [0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]


def test_a_threshold_is_where_f1_is_best() -> None:
    val = [example([1]), example([1]), example([2], labeled=[2])]
    detections = [found((BOX, 0.8, 1), (ELSEWHERE, 0.3, 1)), found((BOX, 0.6, 1)), found((BOX, 0.99, 1))]
    chosen = pseudo_labels.choose_thresholds(val, detections, [1, 2, 3])
    assert chosen[1] == pytest.approx(0.6)
    assert (chosen[2], chosen[3]) == (USUAL, USUAL)


def test_pseudo_labels_are_boxes_doubts_or_background(tmp_path: Path) -> None:
    file = tiny.write_records(
        tmp_path / "new.tfrecord", ["blue"], 1, labels=LABELS, labeled=frozenset({"blue"})
    )
    (one,) = index_records([str(file)], LABELS)
    detections = found(
        (ELSEWHERE, 0.9, 1),
        (ELSEWHERE, 0.3, 2),
        (BOX, 0.05, 2),
        (one.boxes[0].tolist(), 0.9, 1),
        (BOX, 0.9, 3),
    )
    added = pseudo_labels.write_records(
        tmp_path / "pseudo.tfrecord", [one], [detections], {1: 0.5, 2: 0.5}, LABELS
    )
    (after,) = index_records([str(tmp_path / "pseudo.tfrecord")], LABELS)
    assert added == 1
    assert after.ids.tolist() == [3, 1, 2]
    assert after.weights.tolist() == [1.0, 1.0, 0.0]
    assert after.labeled == {1, 2, 3}
    np.testing.assert_allclose(after.boxes[1:], [ELSEWHERE, ELSEWHERE])
    np.testing.assert_allclose(after.boxes[0], one.boxes[0])


@pytest.mark.parametrize(
    ("overlap", "score", "weights"),
    [
        (0.35, 0.9, [1.0]),
        (0.35, 0.3, [0.0]),
        (0.45, 0.9, [0.0]),
        (0.45, 0.3, []),
        (0.65, 0.9, [0.0]),
        (0.75, 0.9, []),
        (0.75, 0.3, []),
    ],
)
def test_the_more_a_box_overlaps_an_annotated_one_the_surer_the_base_must_be(
    tmp_path: Path, overlap: float, score: float, weights: list[float]
) -> None:
    file = tiny.write_records(
        tmp_path / "new.tfrecord", ["blue"], 1, labels=LABELS, labeled=frozenset({"blue"})
    )
    (one,) = index_records([str(file)], LABELS)
    ymin, xmin, ymax, xmax = one.boxes[0].tolist()
    within = [ymin, xmin, ymin + overlap * (ymax - ymin), xmax]  # its share of the whole is their IoU
    path = tmp_path / "pseudo.tfrecord"
    added = pseudo_labels.write_records(path, [one], [found((within, score, 1))], {1: 0.5}, LABELS)
    (after,) = index_records([str(path)], LABELS)
    assert after.weights.tolist() == [1.0, *weights]
    assert added == sum(weights)


def test_boxes_that_are_added_have_no_keypoints(tmp_path: Path) -> None:
    convert(ConvertOptions(poses.coco(tmp_path), tmp_path / "out/new", labeled="person,car,dog"))
    labels = read_label_map(tmp_path / "out/new.label_map.pbtxt")
    records = index_records([str(tmp_path / "out/new")], labels)
    new = [replace(each, labeled=frozenset((1, 2))) for each in records]
    detections = [found((ELSEWHERE, 0.9, 3)) if len(each.ids) else found() for each in new]
    path = tmp_path / "more.tfrecord"
    assert pseudo_labels.write_records(path, new, detections, {3: 0.5}, labels) == 1
    before, after = (
        max((parse_example(data, "").record for file in files for data in framing.read(file)), key=_boxes)
        for files in (record_files([str(tmp_path / "out/new")]), [path])
    )
    assert before.keypoints is not None
    assert after.keypoints is not None
    assert after.keypoints.tolist() == [*before.keypoints.tolist(), [[0, 0, 0]] * 5]


def _boxes(record: ImageRecord) -> int:
    return len(record.names)


def test_distillation_holds_only_where_the_teacher_is_sure() -> None:
    logits = tf.constant([[[-5.0, -5.0]] * 20 + [[4.0, -5.0]]])  # one sure anchor
    codes, boxes = tf.zeros((1, 21, 4)), tf.random.stateless_uniform((1, 21, 4), (0, 1))
    teacher = distillation.Answers(codes, logits)

    def total(student: distillation.Answers) -> tf.Tensor:
        parts = distillation.loss(teacher, student, boxes, distillation.is_sure(teacher))
        return Losses((), (), parts).alone[2]

    assert float(total(teacher)) == 0.0
    student_logits, student_codes = tf.Variable(logits + 1.0), tf.Variable(codes + 1.0)
    with tf.GradientTape() as tape:
        found = total(distillation.Answers(student_codes, student_logits))
    scores, moved = (1.0 / (1.0 + np.exp(-(np.array([4.0, -5.0]) + by))) for by in (0.0, 1.0))
    divergence = scores * np.log(scores / moved) + (1.0 - scores) * np.log((1.0 - scores) / (1.0 - moved))
    assert float(found) == pytest.approx(divergence.sum() + 1.0, rel=1e-5)
    for gradient in tape.gradient(found, [student_logits, student_codes]):
        assert gradient.numpy()[0, -1].all()
        assert not gradient.numpy()[0, :-1].any()


def test_a_teacher_may_know_what_is_not_likely_the_same_as_a_new_object() -> None:
    """Boxes that overlap an annotated one by 0.3, 0.5 and 1, which is of a new class or not, or in doubt."""
    boxes = tf.constant([[[0.0, 0.0, 0.3, 1.0], [0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]]])
    known = {(0, 1.0): [True] * 3, (1, 1.0): [True, False, False], (1, 0.0): [True] * 3}
    for (column, weight), expected in known.items():
        truth = GroundTruth(
            windows=tf.ones((1, 2)),
            boxes=tf.ones((1, 1, 4)) * [0.0, 0.0, 1.0, 1.0],
            classes=tf.one_hot([[column]], 2),
            weights=tf.constant([[weight]]),
            labeled=tf.ones((1, 2)),
            taught=tf.ones(2),
            apart=tf.constant([0.0, 1.0]),
        )
        assert distillation.may_know(boxes, truth).numpy().tolist() == [expected]


def test_a_class_that_scores_next_to_nothing_may_move() -> None:
    codes, boxes, certain = tf.zeros((1, 1, 4)), tf.ones((1, 1, 4)), tf.ones((1, 1), tf.bool)

    def answers(logit: float) -> distillation.Answers:
        return distillation.Answers(codes, tf.constant([[[logit]]]))

    def loss(teacher: float, student: float) -> float:
        return float(distillation.loss(answers(teacher), answers(student), boxes, certain)[0].numerator)

    assert loss(0.0, 1.0) > 0.1
    assert loss(-5.0, -6.0) < 0.003  # scores of 0.007 and 0.002
    assert loss(-5.0, 1.0) > 1.0  # but not as far as an object


def grown() -> tuple[Detector, Detector]:
    base = tiny.detector("red", "green")
    return base, growth.grow(base, LABELS, seed=0)


def test_the_base_teaches_what_it_shares() -> None:
    base, _ = grown()
    rows = class_rows(base.labels, from_names(["blue", "green"]), drop_classes=True)
    teacher = retention.teacher(replace(retention.NOTHING, distill="on"), base, rows)
    assert teacher is not None
    assert (teacher.base_columns.numpy().tolist(), teacher.grown_columns.numpy().tolist()) == ([1], [1])
    assert retention.teacher(retention.NOTHING, base, rows) is None


def test_half_way_between_base_and_training() -> None:
    base, detector = grown()
    start = tiny.floats(detector.network)
    moved = {path: value + 0.5 for path, value in start.items()}
    new = frozenset({LABELS.id_by_name["blue"]})
    assert all(
        np.array_equal(weight_blending.blended(detector, start, moved, 1.0, new)[path], moved[path])
        for path in moved
    )
    assign(detector.network, weight_blending.blended(detector, start, moved, 0.0, new))
    image, window = tf.random.stateless_uniform((1, 64, 64, 3), (0, 1), -1, 1), tf.ones((1, 2))
    old_logits, logits = (class_logits(one, image, window) for one in (base, detector))
    np.testing.assert_array_equal(old_logits, logits[..., :2])
    assert not np.array_equal(logits[..., 2], _new_logits(base, LABELS, image))


def _new_logits(base: Detector, labels: LabelMap, image: tf.Tensor) -> tf.Tensor:
    return class_logits(growth.grow(base, labels, seed=0), image, tf.ones((1, 2)))[..., 2]


def test_the_best_blend_is_left() -> None:
    _, detector = grown()
    start = tiny.floats(detector.network)
    moved = {path: value + 1.0 for path, value in start.items()}
    assign(detector.network, moved)
    trainer = Trainer(detector, CONFIG)
    ranked = weight_blending.choose(trainer, start, frozenset({3}), lambda alpha: -abs(alpha - 0.55))
    assert next(iter(ranked)) == 0.6
    bias = "model/_box_predictor/_box_prediction_head/_box_encoder_layers/0/bias"
    np.testing.assert_allclose(tiny.floats(detector.network)[bias], start[bias] + 0.6, atol=1e-6)

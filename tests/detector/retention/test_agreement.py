"""Old classes watched without old labels: what counts as agreement, and what is chosen by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import tiny, tiny_rcnn
from tests.helpers.finetuning import CONFIG
from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.blocks import NmsConfig
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.model.detector import Detector, Values, assign, variables
from tfrec_tools.detector.options.finetune import RetentionOptions
from tfrec_tools.detector.retention import agreement, retention, weight_blending
from tfrec_tools.detector.training import validation
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.detector.training.validation import Validation, Yardstick
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])
ROWS = [ClassRow(1, "red", 1), ClassRow(2, "green", 2), ClassRow(3, "blue", None)]
NEW = frozenset({3})
THRESHOLDS = {1: 0.5, 2: 0.5}
HERE, THERE, APART = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 1.0, 1.0], [0.0, 0.6, 0.3, 1.0]


def example(*boxes_of_blue: list[float]) -> IndexedExample:
    """100 x 50 pixels, annotated for blue alone."""
    count = len(boxes_of_blue)
    return IndexedExample(
        example=b"",
        width=100,
        height=50,
        boxes=np.array(boxes_of_blue, np.float32).reshape(-1, 4),
        ids=np.full(count, 3, np.int32),
        crowd=np.zeros(count, bool),
        weights=np.ones(count, np.float32),
        labeled=NEW,
        difficult=np.zeros(count, bool),
        areas=np.ones(count),
    )


def seen(*rows: tuple[list[float], float, int]) -> ImageDetections:
    boxes, scores, ids = zip(*rows, strict=True) if rows else ((), (), ())
    return ImageDetections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(ids, np.int32)
    )


def agreed(examples: Sequence[IndexedExample], *detections: ImageDetections) -> dict[int, float]:
    measured = average_precision.average_precision(examples, detections, LABELS)
    return {label_id: round(precision.ap50, 2) for label_id, precision in measured.items()}


def test_the_base_agrees_with_itself_and_what_is_lost_is_missing() -> None:
    by_base = [seen((HERE, 0.9, 1), (THERE, 0.8, 2), (APART, 0.3, 1)), seen((HERE, 0.7, 1))]
    examples = agreement.believed([example(), example()], by_base, THRESHOLDS)
    assert [one.ids.tolist() for one in examples] == [[1, 2, 1], [1]]
    assert examples[0].difficult.tolist() == [False, False, True]
    assert examples[0].areas[0] == pytest.approx(40 * 20)
    assert agreed(examples, *by_base) == {1: 1.0, 2: 1.0}
    assert agreed(examples, seen((HERE, 0.2, 1)), by_base[1]) == {1: 1.0, 2: 0.0}
    assert agreed(examples, by_base[0], seen((THERE, 0.9, 1)))[1] == 0.5


def test_what_the_base_half_believes_or_cannot_know_is_no_mistake() -> None:
    """A blue object that the base took for a red one may be found as red, or be left to the new class."""
    half_of_it = [*THERE[:2], (THERE[0] + THERE[2]) / 2, THERE[3]]
    by_base = seen((HERE, 0.9, 1), (half_of_it, 0.95, 1), (APART, 0.3, 1), (APART, 0.05, 2))
    (one,) = agreement.believed([example(THERE)], [by_base], THRESHOLDS)
    assert one.ids.tolist() == [1, 1, 1]
    assert one.difficult.tolist() == [False, True, True]
    assert agreed([one], seen((HERE, 0.9, 1))) == {1: 1.0}
    assert agreed([one], seen((APART, 0.99, 1), (THERE, 0.95, 1), (HERE, 0.9, 1))) == {1: 1.0}


def test_choices_go_by_agreement_where_no_old_class_has_a_box() -> None:
    old = replace(example(HERE), ids=np.array([1], np.int32))
    assert agreement.decides([example(HERE)], (1, 2))
    assert not agreement.decides([example(HERE), old], (1, 2))
    assert not agreement.decides([example(HERE)], ())
    hidden = replace(old, difficult=np.ones(1, bool))
    assert agreement.decides([hidden], (1, 2))


def test_images_that_are_learnt_from_are_watched_only_where_the_others_show_too_little() -> None:
    looked_at: list[int] = []

    def find(step: str, examples: Sequence[IndexedExample]) -> list[ImageDetections]:  # noqa: ARG001
        looked_at.append(len(examples))
        return [seen((HERE, 0.9, 1), (THERE, 0.9, 2)) for _ in examples]

    val = [example()] * 2
    plenty = agreement.watched(val, [example()] * 12, [example()] * 5, THRESHOLDS, find)
    assert (len(plenty.more), plenty.learnt, looked_at) == (12, 0, [12])
    few = agreement.watched(val, [], [example()] * 5, THRESHOLDS, find)
    assert (len(few.more), few.learnt) == (5, 5)
    line = agreement.explained(few, THRESHOLDS | {3: 0.4}, LABELS)
    assert "by its 10 detections from a score of 0.40 to 0.50, by class, on, on 7 images, 5 of them" in line
    assert line.endswith("nothing shows whether 'blue' is kept")


def test_the_score_goes_by_agreement_where_there_is_no_old_label(tmp_path: Path) -> None:
    kept, lost = Validation(5, None, 0.5, 0.5, 0.9), Validation(10, None, 0.6, 0.6, 0.3)
    assert validation.best_of([kept, lost]) is kept
    assert Validation(5, None, None, None, 0.9).score == 0.9
    assert Validation(5, 0.4, 0.4, 0.4, 0.9).score == pytest.approx(0.4)
    validation.write_validations(tmp_path / "results.csv", [kept, lost])
    assert validation.read_validations(tmp_path / "results.csv") == [kept, lost]


def test_a_base_that_says_from_which_score_on_it_is_good_is_believed_from_there_on() -> None:
    unlabelled, scores = [example(HERE)], {1: 0.34, 2: 0.05}
    assert retention.thresholds(ROWS, unlabelled, [seen()], scores) == {1: 0.34, 2: 0.2}
    assert retention.thresholds(ROWS, unlabelled, [seen()], {}) == {1: 0.5, 2: 0.5}
    old = replace(example(HERE), ids=np.array([1], np.int32), labeled=frozenset({1}))
    assert retention.thresholds(ROWS, [old], [seen((HERE, 0.8, 1))], scores)[2] == 0.5


def single_shot() -> Detector:
    """Each anchor is its box, so that anchors which lie apart are told apart."""
    made = tiny.detector("red", "green")
    for path, variable in variables(made.network).items():
        if "_box_prediction_head" in path:
            variable.assign(np.zeros(variable.shape))
    kernel, _ = _class_head(made)
    kernel.assign(np.asarray(kernel) * (0.01 / np.std(kernel)))  # so that no score is rounded to 1
    config = tiny.ssd_config(made.config)
    return replace(made, config=replace(config, nms=_roomy(config.nms)))


def two_stages() -> Detector:
    made = tiny_rcnn.detector("red", "green")
    config = tiny_rcnn.config_of(made)
    return replace(made, config=replace(config, boxes=replace(config.boxes, nms=_roomy(config.boxes.nms))))


def _roomy(nms: NmsConfig) -> NmsConfig:
    """All that is found is there to be compared, whatever is found of the other classes."""
    return replace(nms, max_per_class=100, max_total=300)


def louder(detector: Detector) -> dict[str, Any]:
    """Weights with which the classes differ by more than rounding, the new one as loud as the others."""
    kernel, bias = _class_head(detector)
    kernel.assign(np.asarray(kernel) * 20.0)
    bias.assign(np.zeros(bias.shape))
    return tiny.floats(detector.network)


def _class_head(detector: Detector) -> tuple[Any, Any]:
    (head,) = registry.of(detector.config).class_heads(detector.config)
    found = variables(detector.network)
    kernel, bias = (found[f"{object_graph.MODEL}/{head.path}/{name}"] for name in (head.kernel, "bias"))
    return kernel, bias


def unlearnt(detector: Detector, start: dict[str, Any]) -> Values:
    """The columns of old classes turned round: what they were confident of is what they see last. Some of
    the way back, they see the same in the same order."""
    (head,) = registry.of(detector.config).class_heads(detector.config)
    paths = {f"{object_graph.MODEL}/{head.path}/{name}" for name in (head.kernel, "bias")}
    turned = {path: -value if path in paths else value for path, value in start.items()}
    return weight_blending.blended(detector, turned, start, 0.0, NEW)


@pytest.mark.parametrize("make", [single_shot, pytest.param(two_stages, marks=pytest.mark.slow)])
def test_of_what_forgot_the_blend_that_remembers_is_taken(
    tmp_path: Path, make: Callable[[], Detector]
) -> None:
    """The base is confident of one object of each old class, which the trained detector sees last. No old
    class is labelled; the new one is annotated where the trained detector sees it first."""
    file = tiny.write_records(
        tmp_path / "a.tfrecord", ["blue"], 1, labels=LABELS, labeled=frozenset({"blue"})
    )
    (image,) = index_records([str(file)], LABELS)
    images = [replace(image, boxes=image.boxes * 0.1)]  # away from what is found
    detector = growth.grow(make(), LABELS, seed=0)
    start = louder(detector)
    believed = agreement.believed(images, [_first(detector, images)], THRESHOLDS)
    assert _agreement(detector, believed) == pytest.approx(1.0)
    assign(detector.network, unlearnt(detector, start))
    assert _agreement(detector, believed) < 0.5
    val = agreement.believed(images, [_first(detector, images)], {3: 0.5})
    memory = RetentionOptions(interpolate="auto")
    watching, blind = Yardstick(val, believed), Yardstick(val)
    trainer = Trainer(detector, CONFIG)
    assert retention.blend(memory, trainer, start, ROWS, blind, lambda _: None) == {}
    assert _agreement(detector, believed) < 0.5
    blends = retention.blend(memory, trainer, start, ROWS, watching, lambda _: None)
    assert next(iter(blends)) == 0.4
    assert _agreement(detector, believed) > 0.7


def _first(detector: Detector, images: Sequence[IndexedExample]) -> ImageDetections:
    """The best detection of each class, as if it were a sure one."""
    (one,) = average_precision.find(detector, images, LABELS)
    rows = [int(np.flatnonzero(one.ids == label_id)[0]) for label_id in (1, 2, 3)]
    return ImageDetections(one.boxes[rows], np.ones(3, np.float32), one.ids[rows])


def _agreement(detector: Detector, believed: Sequence[IndexedExample]) -> float:
    measured = validation.validate(detector, Yardstick(believed, believed), ROWS, step=0)
    assert measured.agreement is not None
    return measured.agreement

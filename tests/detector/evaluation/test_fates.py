"""What became of each box between two models: by hand, and held against precision and recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import measured
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.fates import KINDS, Fate, Kind, fates
from tfrec_tools.detector.evaluation.operating_points import operating_point

LEFT, MIDDLE, RIGHT = ([0.1, left, 0.4, left + 0.25] for left in (0.05, 0.35, 0.65))
NOTHING, ELSEWHERE = [0.6, 0.6, 0.9, 0.9], [0.6, 0.1, 0.9, 0.4]
MIRRORED: dict[Kind, Kind] = {
    "lost": "won",
    "won": "lost",
    "new false alarm": "gone false alarm",
    "gone false alarm": "new false alarm",
}


def annotated(boxes: Sequence[Sequence[float]], ids: Sequence[int]) -> IndexedExample:
    (example,), _ = measured.case(1)
    count = len(ids)
    return replace(
        example,
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        ids=np.array(ids, np.int32),
        crowd=np.zeros(count, bool),
        difficult=np.zeros(count, bool),
        labeled=frozenset((1, 2)),
    )


def found(*rows: tuple[Sequence[float], float, int]) -> ImageDetections:
    """Of boxes, scores and ids."""
    boxes = np.array([box for box, _, _ in rows], np.float32).reshape(-1, 4)
    scores, ids = ([row[at] for row in rows] for at in (1, 2))
    return ImageDetections(boxes, np.array(scores, np.float32), np.array(ids, np.int32))


def told(example: IndexedExample, first: ImageDetections, second: ImageDetections) -> list[Fate]:
    (of_image,) = fates([example], ([first], {}), ([second], {}))
    return list(of_image)


def test_each_kind_by_hand() -> None:
    example = annotated([LEFT, MIDDLE, RIGHT, LEFT], [1, 1, 1, 2])
    first = found((LEFT, 0.9, 1), (MIDDLE, 0.8, 1), (NOTHING, 0.75, 1), (ELSEWHERE, 0.625, 1))
    second = found((LEFT, 0.875, 2), (MIDDLE, 0.75, 1), (RIGHT, 0.625, 1), (NOTHING, 0.5, 1), (LEFT, 0.25, 1))
    of_image = told(example, first, second)
    assert [(fate.kind, fate.id) for fate in of_image] == [
        ("lost", 1),  # whose score of 0.25 is too low
        ("both", 1),
        ("won", 1),
        ("false alarm of both", 1),
        ("gone false alarm", 1),
        ("won", 2),
    ]
    assert [fate.first for fate in of_image] == pytest.approx([0.9, 0.8, None, 0.75, 0.625, None])
    assert [fate.second for fate in of_image] == pytest.approx([None, 0.75, 0.625, 0.5, None, 0.875])
    assert [fate.severity > 0 for fate in of_image] == [True, False, False, False, False, False]
    assert np.array_equal(of_image[3].box, np.array(NOTHING, np.float32))


def test_each_model_counts_from_its_own_scores_on() -> None:
    example, seen = annotated([LEFT], [1]), found((LEFT, 0.5, 1))
    for of_first, of_second, kind in (
        (0.25, 0.75, "lost"),
        (0.75, 0.25, "won"),
        (0.5, 0.5, "both"),
        (0.75, 0.75, "missed"),
    ):
        ((fate,),) = fates([example], ([seen], {1: of_first}), ([seen], {1: of_second}))
        assert fate.kind == kind


def test_a_box_is_found_once_and_what_finds_it_again_is_a_false_alarm() -> None:
    example, twice = annotated([LEFT], [1]), found((LEFT, 0.9, 1), (LEFT, 0.8, 1))
    assert [fate.kind for fate in told(example, found(), twice)] == ["won", "new false alarm"]


@pytest.mark.parametrize("passed_over", ["crowd", "difficult", "class"])
def test_what_the_evaluation_passes_over_is_no_fate(passed_over: str) -> None:
    example = annotated([LEFT], [1])
    if passed_over == "class":
        example = replace(example, labeled=frozenset({2}))
    elif passed_over == "crowd":
        example = replace(example, crowd=np.ones(1, bool))
    else:
        example = replace(example, difficult=np.ones(1, bool))
    seen = found((LEFT, 0.9, 1), (LEFT, 0.8, 1))
    assert told(example, seen, found()) == told(example, found(), seen) == []


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_precision_and_recall(seed: int) -> None:
    examples, seen = measured.case(30, seed)
    random = np.random.default_rng(seed)
    seen = [  # without equal scores, in the middle of which a point may lie
        replace(of_image, scores=np.sort(random.uniform(size=len(of_image.ids)).astype(np.float32))[::-1])
        for of_image in seen
    ]
    for label_id in (1, 2, 3):
        point = operating_point(examples, seen, label_id)
        assert point is not None
        needed = {1: 2.0, 2: 2.0, 3: 2.0} | {label_id: point.score}
        of_images = fates(examples, ([found()] * len(examples), needed), (seen, needed))
        counts = Counter(fate.kind for of_image in of_images for fate in of_image if fate.id == label_id)
        right, alarms = counts["won"], counts["new false alarm"]
        assert right / (right + counts["missed"]) == pytest.approx(point.recall)
        assert right / (right + alarms) == pytest.approx(point.precision)


def test_the_other_way_round_is_the_mirror() -> None:
    examples, first = measured.case(30)
    random = np.random.default_rng(1)
    second = [measured.found_in(example, random, noise=0.05, misses=0.4) for example in examples]

    def counts(before: Sequence[ImageDetections], after: Sequence[ImageDetections]) -> Counter[Kind]:
        of_images = fates(examples, (before, {}), (after, {}))
        return Counter(fate.kind for of_image in of_images for fate in of_image)

    there, back, same = counts(first, second), counts(second, first), counts(first, first)
    assert set(there) == set(KINDS)
    of_boxes = KINDS[:4]
    assert {kind: there[kind] for kind in of_boxes} == {
        kind: back[MIRRORED.get(kind, kind)] for kind in of_boxes
    }
    assert set(same) == {"both", "missed", "false alarm of both"}

"""Average precision with images counted more than once, and the intervals that come of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import measured
from tfrec_tools.detector.evaluation import bootstrap
from tfrec_tools.detector.evaluation.average_precision import (
    AveragePrecision,
    average_precision,
    coco_evaluation,
    mean,
)
from tfrec_tools.detector.evaluation.bootstrap import Spread
from tfrec_tools.detector.evaluation.differences import compare, difference
from tfrec_tools.detector.evaluation.matches import Matches, matches_of
from tfrec_tools.detector.evaluation.metrics import measure
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])
AREAS = 4


def _of_pycocotools(case: measured.Case, column: int, area: int) -> np.ndarray:
    precision = coco_evaluation(*case, LABELS).eval["precision"][:, :, column, area, -1]
    return np.where(precision.min(axis=1) < 0, np.nan, precision.mean(axis=1))


@pytest.mark.parametrize(("images", "seed"), [(1, 0), (7, 1), (15, 2)])
def test_each_image_once_is_what_pycocotools_says(images: int, seed: int) -> None:
    case = measured.case(images, seed)
    evaluation, once = coco_evaluation(*case, LABELS), np.ones((images, 1), np.uint16)
    for column in range(len(LABELS)):
        for area in range(AREAS):
            ours = bootstrap.weighted(matches_of(evaluation, column, area), once)[:, 0]
            np.testing.assert_allclose(ours, _of_pycocotools(case, column, area), rtol=0, atol=1e-12)


def test_more_than_100_detections_of_an_image_do_not_count() -> None:
    examples, detections = measured.case(4, seed=1)
    many = [
        type(found)(np.repeat(found.boxes, 60, axis=0), np.repeat(found.scores, 60), np.repeat(found.ids, 60))
        for found in detections
    ]
    once = np.ones((4, 1), np.uint16)
    for column in range(len(LABELS)):
        ours = bootstrap.weighted(matches_of(coco_evaluation(examples, many, LABELS), column, 0), once)[:, 0]
        expected = _of_pycocotools((examples, many), column, 0)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "weights", [(0, 2, 0, 0, 0, 0, 0, 0), (1, 3, 0, 0, 2, 1, 1, 0), (5, 0, 0, 1, 0, 0, 1, 1)]
)
def test_an_image_that_counts_twice_is_as_good_as_two(weights: tuple[int, ...]) -> None:
    """Where no two scores are equal: of equal ones, all of one copy come before those of the next."""
    examples, tied = measured.case(len(weights), seed=74)
    random = np.random.default_rng(1)
    detections = [
        replace(found, scores=random.uniform(size=len(found.ids)).astype(np.float32)) for found in tied
    ]
    evaluation = coco_evaluation(examples, detections, LABELS)
    again = [image for image, weight in enumerate(weights) for _ in range(weight)]
    drawn = [examples[image] for image in again], [detections[image] for image in again]
    for column in range(len(LABELS)):
        matches = matches_of(evaluation, column, 0)
        ours = bootstrap.weighted(matches, np.array(weights, np.uint16)[:, None])[:, 0]
        np.testing.assert_allclose(ours, _of_pycocotools(drawn, column, 0), rtol=0, atol=1e-12)


def test_an_interval_is_that_of_a_share_where_nothing_is_wrong() -> None:
    """200 images with a box each, of which 140 are found and nothing else: precision is 1 up to a recall of
    0.7, and the recall of a draw is a binomial share."""
    found = np.arange(140)
    ones = np.ones((10, 140), bool)
    by_iou = bootstrap.weighted(Matches(found, ones, ones, np.ones(200, np.int64)), bootstrap.draws(200))
    interval = Spread(by_iou[0], 200).interval
    half = 1.96 * math.sqrt(0.7 * 0.3 / 200)
    assert interval == (pytest.approx(0.7 - half, abs=0.012), pytest.approx(0.7 + half, abs=0.012))


def test_the_draws_are_the_same_everywhere() -> None:
    assert bootstrap.draws(5).sum(axis=0).tolist() == [5] * bootstrap.RESAMPLES
    assert bootstrap.draws(5)[:, :3].T.tolist() == [[0, 2, 1, 1, 1], [4, 0, 0, 0, 1], [0, 0, 1, 2, 2]]
    assert bootstrap.draws(30).mean() == 1.0


def test_intervals_hold_the_score_and_shrink_with_more_images() -> None:
    widths = []
    for images in (40, 200):
        precisions = average_precision(*measured.case(images), LABELS, spread=True)
        of_all = mean(precisions, [1, 2, 3])
        assert of_all is not None
        for precision in (*precisions.values(), of_all):
            for name, interval in precision.intervals.items():
                assert interval is not None
                assert interval[0] <= getattr(precision, name) <= interval[1]
        low, high = of_all.intervals["ap50"] or (0.0, 0.0)
        widths.append(high - low)
    assert 0.0 < widths[1] < widths[0] / 1.5


def test_few_images_have_no_interval() -> None:
    few, enough = measured.case(9), measured.case(40)
    assert all(
        precision.intervals == {"ap": None, "ap50": None}
        for precision in average_precision(*few, LABELS, spread=True).values()
    )
    assert average_precision(*enough, LABELS)[1].intervals == {}


def test_a_mean_is_of_the_classes_that_a_draw_has() -> None:
    first, second = Spread(np.array([0.2, np.nan, np.nan]), 5), Spread(np.array([0.4, 0.6, np.nan]), 9)
    whole = bootstrap.mean([first, second])
    np.testing.assert_allclose(whole.values, [0.3, 0.6, np.nan])
    assert whole.images == 9


def test_metrics_have_intervals_of_every_score() -> None:
    case = measured.case(60)
    metrics = measure(*case, LABELS, min_score=0.5, voc07=False, intervals=True)
    for scores in (metrics.overall, *(item.scores for item in metrics.classes)):
        there = {name for name, interval in scores.intervals.items() if interval}
        assert there >= {"ap", "ap50", "ap75", "medium"}
        for name in there:
            low, high = scores.intervals[name] or (1.0, 0.0)
            assert low <= getattr(scores, name) <= high
    of_mean = mean(average_precision(*case, LABELS, spread=True), [1, 2, 3])
    assert of_mean is not None
    assert metrics.overall.intervals["ap50"] == of_mean.intervals["ap50"]
    assert measure(*case, LABELS, min_score=0.5, voc07=False).overall.intervals == {}


def test_a_model_differs_from_itself_by_nothing() -> None:
    examples, detections = measured.case(30)
    same = compare(examples, detections, detections, LABELS)
    assert same is not None
    assert (same.ap50, same.interval, same.within_error) == (0.0, (0.0, 0.0), True)


def test_a_pair_is_surer_than_two_by_themselves() -> None:
    """The second model misses a few boxes of the first: images that are hard for one are hard for both."""
    examples, first = measured.case(80, misses=0.4)
    second = [type(found)(found.boxes[1:], found.scores[1:], found.ids[1:]) for found in first]
    loss = compare(examples, first, second, LABELS, ids=[1, 2])
    assert loss is not None
    assert loss.interval is not None
    assert loss.ap50 < 0.0
    assert loss.interval[0] <= loss.ap50 <= loss.interval[1] < 0.0
    assert loss.within_error is False
    means = [
        mean(average_precision(examples, found, LABELS, spread=True), [1, 2]) for found in (first, second)
    ]
    assert means[0] is not None
    assert means[1] is not None
    mixed = Spread(means[1].spreads["ap50"].values[::-1], 80).minus(means[0].spreads["ap50"]).interval
    assert mixed is not None
    assert loss.interval[1] - loss.interval[0] < 0.6 * (mixed[1] - mixed[0])


def test_without_spreads_a_difference_has_no_interval() -> None:
    bare = difference(AveragePrecision(0.5, 0.75, 4), AveragePrecision(0.4, 0.5, 4))
    assert (bare.ap50, bare.interval, bare.within_error) == (-0.25, None, None)
    examples, detections = measured.case(3)
    assert compare(examples, detections, detections, LABELS, ids=[7]) is None

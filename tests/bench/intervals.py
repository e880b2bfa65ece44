"""`python -m tests.bench.intervals MODEL RECORDS`: how often the 95 % interval of mean AP50 holds the
truth, and how long intervals take.

The images of the records are taken for all that there are, and what the model scores on them for the truth.
From them sets of few images are drawn, each of which has an interval of its own (200 draws). MODEL is a model
folder, RECORDS a pattern of record files that are labelled for its classes, some hundred images at least.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.evaluation import bootstrap
from tfrec_tools.detector.evaluation.average_precision import coco_evaluation, find
from tfrec_tools.detector.evaluation.bootstrap import Spread
from tfrec_tools.detector.evaluation.matches import Matches, matches_of
from tfrec_tools.detector.model.detector import load_detector

TRIALS, DRAWS = 400, 200
SIZES = (10, 20, 50, 100, 200)
AT_SCALE = ((400, 10, 5), (5000, 80, 7))  # images, classes, boxes an image


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.intervals", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("records")
    parser.add_argument("--trials", type=int, default=TRIALS)
    words = parser.parse_args()
    model = load_detector(words.model)
    examples = index_records((words.records,), model.labels, left_out=Counter())
    evaluation = coco_evaluation(examples, find(model, examples, model.labels), model.labels)
    classes = [matches_of(evaluation, column, 0) for column in range(len(evaluation.params.catIds))]
    _coverage([matches for matches in classes if matches.boxes.any()], len(examples), words.trials)
    for images, count, boxes in AT_SCALE:
        _seconds(images, count, boxes)


def _coverage(classes: Sequence[Matches], images: int, trials: int) -> None:
    truth = float(_ap50(classes, np.ones((images, 1), np.uint16))[0])
    print(f"{images} images, {len(classes)} classes, mean AP50 {100 * truth:.1f}; {trials} sets of each size")
    print(
        "| images | interval holds the truth | lies above it | mean width, points |",
        "|---|---|---|---|",
        sep="\n",
    )
    random = np.random.default_rng(1)
    for size in SIZES:
        intervals = [
            _interval(classes, random.integers(0, images, size), images, random) for _ in range(trials)
        ]
        low, high = np.array(intervals).T
        shares = np.mean((low <= truth) & (truth <= high)), np.mean(truth < low)
        print(f"| {size} | {shares[0]:.1%} | {shares[1]:.1%} | {100 * np.mean(high - low):.1f} |", flush=True)


def _interval(
    classes: Sequence[Matches], chosen: np.ndarray, images: int, random: np.random.Generator
) -> tuple[float, float]:
    """Of a set of chosen images."""
    size = len(chosen)
    draws = [np.bincount(chosen[random.integers(0, size, size)], minlength=images) for _ in range(DRAWS)]
    interval = Spread(_ap50(classes, np.stack(draws, axis=1).astype(np.uint16)), size).interval
    assert interval is not None
    return interval


def _ap50(classes: Sequence[Matches], weights: np.ndarray) -> np.ndarray:
    spreads = [Spread(bootstrap.weighted(matches, weights)[0], len(weights)) for matches in classes]
    return bootstrap.mean(spreads).values


def _seconds(images: int, classes: int, boxes: int) -> None:
    """Of all draws of all classes, with 100 detections an image, of which the best are mostly right."""
    random = np.random.default_rng(0)
    began = time.process_time()
    draws = bootstrap.draws(images)
    for _ in range(classes):
        detections, annotated = images * 100 // classes, images * boxes // classes
        chance = np.exp(-np.arange(detections) / annotated)
        right = np.stack(
            [random.uniform(size=detections) < chance * share for share in np.linspace(1, 0.2, 10)]
        )
        right = np.logical_and.accumulate(right)
        places = random.integers(0, images, detections)
        of_images = np.bincount(random.integers(0, images, annotated), minlength=images)
        bootstrap.weighted(Matches(places, right, np.ones_like(right), of_images), draws)
    seconds = time.process_time() - began
    print(f"{images} images, {classes} classes, {bootstrap.RESAMPLES} draws: {seconds:.1f} s of CPU time")


if __name__ == "__main__":
    main()

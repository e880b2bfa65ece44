"""How sure an average precision is: the bootstrap over images (Efron 1979; percentiles as in Efron and
Tibshirani 1993, chapter 13).

The images to measure with are drawn again, as many as there are and with replacement, RESAMPLES times; what
lies between the 2.5th and the 97.5th percentile of the average precisions of these draws is the interval.
An image is drawn as a whole, since what is found in it hangs together. The draws are those of a fixed seed
and hang on nothing but the number of images: so two models that are measured on the same images are measured
on the same draws, and the differences of these are a paired bootstrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.evaluation.matches import Matches
from tfrec_tools.detector.evaluation.measured import Interval

RESAMPLES = 1000
SEED = 0
PERCENTILES = (2.5, 97.5)
FEWEST_IMAGES = 10  # with boxes to be found; what is drawn from fewer hardly varies, however wrong it is
_RECALLS = np.linspace(0.0, 1.0, 101)  # where COCO interpolates precision
_MOST_ELEMENTS = 2**24  # of an array at a time

Weights = NDArray[np.uint16]  # (I, R) how often each image is in each draw


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How a score differs between the draws: values (R,), 0 to 1, NaN where a draw has nothing to be found;
    `images` is how many images, at least, have boxes to be found."""

    values: NDArray[np.float64]
    images: int

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval; None where there are too few images for it to mean anything."""
        there = self.values[~np.isnan(self.values)]
        if self.images < FEWEST_IMAGES or not len(there):
            return None
        low, high = np.percentile(there, PERCENTILES).tolist()
        return low, high

    def minus(self, other: Spread) -> Spread:
        """The difference, draw by draw."""
        return Spread(self.values - other.values, min(self.images, other.images))

    @property
    def of_nothing(self) -> Spread:
        """The spread of a model that finds nothing in these images."""
        return Spread(self.values * 0.0, self.images)


def mean(spreads: Sequence[Spread]) -> Spread:
    """Returns the mean of some classes, in each draw of those that have boxes in it, as COCO takes means."""
    values = np.stack([spread.values for spread in spreads])  # (K, R)
    there = ~np.isnan(values)
    counts = there.sum(axis=0)
    means = np.where(there, values, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return Spread(np.where(counts > 0, means, np.nan), max(spread.images for spread in spreads))


@lru_cache(maxsize=2)
def draws(images: int) -> Weights:
    """Returns (I, R): how often each image is in each of the draws."""
    random = np.random.default_rng(SEED)
    weights = np.zeros((images, RESAMPLES), np.uint16)
    for resample in range(RESAMPLES):
        weights[:, resample] = np.bincount(random.integers(0, images, images), minlength=images)
    weights.setflags(write=False)
    return weights


def weighted(matches: Matches, weights: Weights) -> NDArray[np.float64]:
    """Returns (T, R): the average precision of a class at each IoU, interpolated at 101 recalls as COCO does,
    where each image counts as often as `weights` (I, R) say; NaN where there is then nothing to be found."""
    images, resamples = weights.shape
    at_once = max(1, _MOST_ELEMENTS // max(images, len(matches.images)))
    parts = [
        _weighted(matches, weights[:, start : start + at_once]) for start in range(0, resamples, at_once)
    ]
    return np.concatenate(parts, axis=1)


def _weighted(matches: Matches, weights: Weights) -> NDArray[np.float64]:
    wanted = matches.boxes @ weights.astype(np.int64)  # (R,)
    ends = np.flatnonzero(matches.right.any(axis=0))  # places where precision can be highest
    seen = _running(weights[matches.images], ends)  # (E, R)
    found = weights[matches.images[ends]]
    precisions = np.zeros((len(matches.right), weights.shape[1]))
    for row, (right, counted) in enumerate(zip(matches.right, matches.counted, strict=True)):
        kept = right[ends]
        passed_over = np.flatnonzero(~counted)
        mistakes_too = seen[kept] - _before(weights[matches.images[passed_over]], passed_over, ends[kept])
        precisions[row] = _interpolated(found[kept], mistakes_too, wanted)
    return np.where(wanted > 0, precisions, np.nan)


def _running(weights: NDArray[np.uint16], ends: NDArray[np.int64]) -> NDArray[np.int32]:
    """Returns (E, R): the weights (D, R) of detections up to and with each of `ends`."""
    if not len(ends):
        return np.zeros((0, weights.shape[1]), np.int32)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sums = np.add.reduceat(weights[: ends[-1] + 1], starts, axis=0, dtype=np.int32)
    return np.cumsum(sums, axis=0, dtype=np.int32)


def _before(
    weights: NDArray[np.uint16], places: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Returns (E, R): the weights (P, R) of the detections at `places` that come before each of `ends`."""
    running = np.zeros((len(places) + 1, weights.shape[1]), np.int32)
    np.cumsum(weights, axis=0, dtype=np.int32, out=running[1:])
    return running[np.searchsorted(places, ends)]


def _interpolated(
    found: NDArray[np.uint16], counted: NDArray[np.int32], wanted: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Returns (R,) the mean over COCO's recalls of the best precision at that recall or more.

    found (E, R) how much each detection that is right counts; counted (E, R) how much all do up to it;
    wanted (R,) how many boxes there are
    """
    right = np.cumsum(found, axis=0, dtype=np.int32).astype(np.float64)
    precision = right / (counted + np.spacing(1))  # as pycocotools divides
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    reached = np.searchsorted(_RECALLS, right / np.maximum(wanted, 1), side="right")
    levels = np.diff(reached, axis=0, prepend=0)  # how many recalls each detection is the first to reach
    return np.einsum("er,er->r", levels, best) / len(_RECALLS)

"""The statistics of batch norms, measured over batches of a training with the weights that it has come to.

While a batch norm follows its batches, what it keeps for inference are moving averages: of weights that are
gone by now, and, in a training of fewer steps than they need to forget, of what they began with. Measured
over some batches with the weights as they are, they are neither (Wu and Johnson 2021, "Rethinking 'Batch' in
BatchNorm", section 3: precise batch norm). No weight is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.network.layers import BatchNorm, Moments

# More images change a variance of 10,000 positions by a thousandth; statistics of fewer batches are too much
# those of the images that happen to be in them, where a map is of one position.
_IMAGES, _FEWEST_BATCHES = 256, 8


def batches(batch_size: int) -> int:
    """Returns over how many batches statistics are measured."""
    return max(_FEWEST_BATCHES, -(-_IMAGES // batch_size))


class Pooled:
    """The moments of all values that passes of one norm or another have seen, as if they were of one batch
    (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self._count = 0.0
        self._mean: NDArray[np.float64] = np.zeros(())
        self._squares: NDArray[np.float64] = np.zeros(())  # of distances from the mean, added up

    def add(self, batch: Moments) -> None:
        mean, variance = (np.asarray(value, np.float64) for value in (batch.mean, batch.variance))
        count, apart = float(batch.count), mean - self._mean
        whole = self._count + count
        self._squares = self._squares + variance * (count - 1.0) + apart**2 * (self._count * count / whole)
        self._mean = self._mean + apart * (count / whole)
        self._count = whole

    @property
    def has_seen(self) -> bool:
        return self._count > 0

    def assign(self, norm: BatchNorm) -> None:
        """Sets the statistics that a norm has for inference."""
        norm.moving_mean.assign(self._mean.astype(np.float32))
        divisor = self._count if norm.is_biased else max(1.0, self._count - 1.0)
        norm.moving_variance.assign((self._squares / divisor).astype(np.float32))


@contextmanager
def observed(norms: Sequence[BatchNorm]) -> Iterator[list[list[Moments]]]:
    """Yields lists, one for each norm, of what passes it from now on, which does not move its statistics."""
    seen: list[list[Moments]] = [[] for _ in norms]
    try:
        for norm, of_norm in zip(norms, seen, strict=True):
            norm.observe = of_norm.append
        yield seen
    finally:
        for norm in norms:
            norm.observe = None


def measure(norms: Sequence[BatchNorm], of_batches: Iterable[list[list[Moments]]]) -> None:
    """Sets the statistics of norms to those of what has passed each of them in batches. A norm that nothing
    has passed keeps its own."""
    pooled = [Pooled() for _ in norms]
    for of_norms in of_batches:
        for of_norm, passes in zip(pooled, of_norms, strict=True):
            for moments in passes:
                of_norm.add(moments)
    for norm, of_norm in zip(norms, pooled, strict=True):
        if of_norm.has_seen:
            of_norm.assign(norm)

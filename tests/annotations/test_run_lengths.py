"""Run lengths: their extent is that of the pixels that they mark."""

from __future__ import annotations

import numpy as np
import pytest

from tfrec_tools.annotations.run_lengths import extent, marked


@pytest.mark.parametrize("seed", range(40))
def test_the_extent_is_that_of_the_pixels(seed: int) -> None:
    random = np.random.default_rng(seed)
    lines, line = random.integers(1, 9, 2).tolist()
    bounds = np.sort(random.integers(0, lines * line + 1, random.integers(0, 5)))
    lengths = np.diff(bounds, prepend=0, append=lines * line).tolist()
    pixels = np.repeat(np.arange(len(lengths)) % 2, lengths).reshape(lines, line)
    down, along = np.nonzero(pixels)
    expected = (down.min(), along.min(), down.max() + 1, along.max() + 1) if down.size else None
    assert extent(marked(lengths), line) == expected


def test_runs_in_any_order() -> None:
    assert extent([(21, 22), (3, 5)], 10) == (0, 1, 3, 5)
    assert extent([], 10) is None

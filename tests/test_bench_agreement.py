"""`bin/bench agreement`: how what agreement says and what labels say correlate."""

from __future__ import annotations

import pytest

from tests.bench.agreement import Lost, foretold


def lost(*pairs: tuple[float, float]) -> list[Lost]:
    return [Lost("run", "class", by_labels, by_agreement, False) for by_labels, by_agreement in pairs]


@pytest.mark.parametrize("step", [1, -1])
def test_ranks_of_equals_are_equal_in_any_order(step: int) -> None:
    """By hand: the ranks are 1, 2, 3, 4 and 1.5, 1.5, 3.5, 3.5."""
    rows = lost((0, 2), (1, 2), (5, 8), (60, 8))[::step]
    assert (
        foretold("classes", rows)
        == "4 classes: correlation 0.635, of ranks 0.894, 14.5 points apart in the mean"
    )


def test_few_runs_say_nothing() -> None:
    assert foretold("means", lost((0, 1), (1, 2))) == "2 means: too few to correlate"

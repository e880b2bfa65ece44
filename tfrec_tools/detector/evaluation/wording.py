"""Scores and differences as people read them: in points of 100, with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Iterable

from tfrec_tools.detector.evaluation.bootstrap import FEWEST_IMAGES
from tfrec_tools.detector.evaluation.differences import Difference
from tfrec_tools.detector.evaluation.measured import Interval

_WITHIN_ERROR = "which is within its error"


def about(intervals: Iterable[Interval | None]) -> str:
    """What ranges beside scores are, or why there are none."""
    if any(intervals):
        return "Ranges are 95 % intervals, by drawing the images again."
    return f"No 95 % intervals: no class has boxes in {FEWEST_IMAGES} images."


def scored(share: float | None, interval: Interval | None, *, stacked: bool = False) -> str:
    """91.2 (88.7-93.1), or without brackets on two lines; nothing where there is no score."""
    if share is None:
        return ""
    if interval is None:
        return f"{100 * share:.1f}"
    score, low, high = (f"{100 * value:.1f}" for value in (share, *interval))
    return f"{score}\n{low}-{high}" if stacked else f"{score} ({low}-{high})"


def changed(difference: Difference | None) -> str:
    """-0.8 (-2.1 to +0.5); nothing where there is no difference."""
    if difference is None:
        return ""
    change = f"{100 * difference.ap50:+.1f}"
    return change if difference.interval is None else f"{change} ({_range(difference.interval)})"


def changed_words(difference: Difference) -> str:
    """lost 0.8 points of AP50 (-2.1 to +0.5), which is within its error."""
    points = f"{100 * abs(difference.ap50):.1f}"
    moved = f"gained {points}" if difference.ap50 > 0 else f"lost {points}"
    words = f"{'neither gained nor lost 0.1' if points == '0.0' else moved} points of AP50"
    if difference.interval is None:
        return words
    words += f" (change {_range(difference.interval)})"
    return f"{words}, {_WITHIN_ERROR}" if difference.within_error else words


def _range(interval: Interval) -> str:
    low, high = interval
    return f"{100 * low:+.1f} to {100 * high:+.1f}"

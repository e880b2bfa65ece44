"""Masks as lengths of runs of pixels: what they cover, and COCO's packed text of them.

Pixels are numbered along lines of one length, rows (CVAT, Label Studio) or columns (COCO), from the top left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

Run = tuple[int, int]  # the numbers of its first pixel, and of the one after its last


def marked(lengths: Sequence[int]) -> Iterator[Run]:
    """Yields the runs that are marked and not empty: every second one, as the first is of background."""
    bounds = list(accumulate(lengths, initial=0))
    starts_and_ends = zip(bounds[1::2], bounds[2::2], strict=False)
    return ((start, end) for start, end in starts_and_ends if end > start)


def extent(runs: Iterable[Run], line: int) -> tuple[int, int, int, int] | None:
    """Returns what runs cover of lines of that many pixels: the first line and place in a line, and those
    after the last. None where there is no run."""
    around = None
    for start, end in runs:
        (top, left), (bottom, right) = divmod(start, line), divmod(end - 1, line)
        if top != bottom:  # it goes on in a second line, over its end and the next one's begin
            left, right = 0, line - 1
        if around is None:
            around = (top, left, bottom + 1, right + 1)
        else:
            first_line, first_place, end_line, end_place = around
            around = (
                min(first_line, top),
                min(first_place, left),
                max(end_line, bottom + 1),
                max(end_place, right + 1),
            )
    return around


def unpacked(text: str) -> list[int] | None:
    """Returns the runs of COCO's packed text: 5 bits a letter, lowest first, the 6th says that more follow;
    from the fourth run on each is the difference to the one before the last. None where it is none."""
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            return None
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return None if shift else runs

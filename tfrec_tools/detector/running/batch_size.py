"""How many pictures a step takes, where the device is to say."""

from __future__ import annotations

from collections.abc import Callable

from tfrec_tools.errors import TfrecError

USUAL = 8
_MOST = 128


def largest(fits: Callable[[int], bool], most: int = _MOST) -> int:
    """The largest of USUAL and its doubles up to `most` that fits, found by trying one after the other, else
    the largest of its halves. TfrecError where not even one picture fits."""
    size = USUAL
    if fits(size):
        while 2 * size <= most and fits(2 * size):
            size *= 2
        return size
    while size > 1:
        size //= 2
        if fits(size):
            return size
    raise TfrecError("--batch auto: not even one picture a step fits the device's memory")

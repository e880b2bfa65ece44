"""Brush strokes of Label Studio: RGBA bytes of all pixels, by rows, packed as thi.ng's rle-pack does.

A stream of bits, highest first: 32 that say how many values there are, 5 of the size of a value, less 1, four
times 4 of the sizes of lengths, less 1; then pieces: 1 bit that says whether a value repeats, 2 bits that say
which size the length has, the length less 1, and the value, or so many values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfrec_tools.annotations.run_lengths import Run, extent
from tfrec_tools.errors import counted
from tfrec_tools.formats.shapes import Corners

_CHANNELS = 4  # red, green, blue and, last, alpha, which says what is marked
_WORD = 8
_HEAD_BITS = 32 + 5 + 4 * 4


def box_around(rle: Any, width: int, height: int) -> Corners | None:
    """Returns the box around what is marked in an image of that size, in its pixels; None where nothing is.
    Raises ValueError where the bytes are none of such a mask. Nothing of the size of the image is made."""
    if not isinstance(rle, list):
        raise ValueError("its rle is no list of bytes")
    try:
        bits = _Bits(bytes(rle))
    except (TypeError, ValueError, OverflowError) as fault:
        raise ValueError("its rle is no list of bytes") from fault
    around = extent(_marked(bits, width * height * _CHANNELS), width)
    if around is None:
        return None
    ymin, xmin, ymax, xmax = map(float, around)
    return xmin, ymin, xmax, ymax


def _marked(bits: _Bits, expected: int) -> Iterator[Run]:
    """Yields the runs of pixels whose alpha is not 0."""
    if bits.left < _HEAD_BITS:
        raise ValueError(f"its rle has {counted(bits.left // 8, 'byte')}")
    if (count := bits.read(32)) != expected:
        raise ValueError(
            f"its rle has {counted(count, 'value')}, expected {expected} of original_width "
            "and original_height"
        )
    if (word := bits.read(5) + 1) != _WORD:
        raise ValueError(f"its rle has values of {word} bits, expected {_WORD}")
    sizes = [bits.read(4) + 1 for _ in range(4)]
    at = 0
    while at < count:
        repeats = bits.read(1)
        length = bits.read(sizes[bits.read(2)]) + 1
        if at + length > count:
            raise ValueError("its rle goes on beyond its image")
        if repeats:
            start, end = at // _CHANNELS, (at + length) // _CHANNELS  # pixels whose alpha is in the run
            if bits.read(_WORD) and start < end:
                yield start, end
        else:
            values = bits.read_bytes(length)
            alphas = np.flatnonzero(values[(_CHANNELS - 1 - at) % _CHANNELS :: _CHANNELS])
            first = at // _CHANNELS
            yield from ((first + pixel, first + pixel + 1) for pixel in alphas.tolist())
        at += length


class _Bits:
    """A stream of bits. Reading beyond its end raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return 8 * len(self._data) - self._at

    def _advance(self, count: int) -> int:
        if count > self.left:
            raise ValueError("its rle is cut off")
        self._at += count
        return self._at - count

    def read(self, count: int) -> int:
        start = self._advance(count)
        first, last = start // 8, (self._at + 7) // 8
        number = int.from_bytes(self._data[first:last]) >> (8 * last - self._at)
        return number & ((1 << count) - 1)

    def read_bytes(self, count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Returns (count,) values of 8 bits."""
        start = self._advance(8 * count)
        first, last = start // 8, (self._at + 7) // 8
        bits = np.unpackbits(np.frombuffer(self._data[first:last], np.uint8))
        return np.packbits(bits[start % 8 : start % 8 + 8 * count])

"""Boxes as decimals, and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tfrec_tools.formats import decimals

FRACTION = st.floats(-2, 2, width=32)
ROWS = st.lists(st.tuples(*[FRACTION] * 4), max_size=4)
SIDE = st.integers(1, 20_000)


@given(ROWS, SIDE, SIDE)
def test_texts_come_back_to_the_bit(rows: list[tuple[float, ...]], width: int, height: int) -> None:
    fractions = np.array(rows, np.float32).reshape(-1, 4)
    sides = np.array([width, height, width, height], np.float64)
    corners = read(decimals.corners(fractions, width, height))
    assert ((corners / sides).astype(np.float32) == fractions).all()
    xywh, lost = decimals.xywh(fractions, width, height)
    boxes = read(xywh)
    boxes[:, 2:] += boxes[:, :2]
    assert ((boxes / sides).astype(np.float32) != fractions).any(axis=1).sum() <= lost
    centres, lost = decimals.centres(fractions, width, height)
    x, y, w, h = read(centres).T
    boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1) * sides / sides
    assert (boxes.astype(np.float32) != fractions).any(axis=1).sum() <= lost


def read(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(decimals.text(value)) for value in values.ravel().tolist()]).reshape(values.shape)


@given(st.lists(st.integers(0, 4000), min_size=4, max_size=4), st.integers(1, 4000), st.integers(1, 4000))
def test_whole_pixels_are_written_whole(box: list[int], width: int, height: int) -> None:
    sides = np.array([width, height, width, height], np.float64)
    fractions = (np.array([box]) / sides).astype(np.float32)
    texts = [decimals.text(value) for value in decimals.corners(fractions, width, height)[0].tolist()]
    assert texts == [str(value) for value in box]

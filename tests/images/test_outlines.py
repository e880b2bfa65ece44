"""Outlines of masks, and what they enclose."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.images.masks import to_pixels, to_png
from tfrec_tools.images.outlines import outline


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_outline_is_filled_by_the_mask(height: int, width: int, data: st.DataObject) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    pixels = np.array(bits).reshape(height, width)
    polygon = [coordinate for point in outline(pixels) for coordinate in point]
    size_wh = (width, height)
    filled = to_png(json.dumps([polygon] if polygon else []).encode(), "s", size_wh, size_wh)
    assert (to_pixels(filled, "s", size_wh) == pixels).all()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["..", ".."], []),
        (["##", "##"], [(0, 0), (2, 0), (2, 2), (0, 2)]),
        (["#.#"], [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (2, 0), (3, 0), (3, 1), (2, 1), (2, 0)]),
    ],
)
def test_the_outline_of_small_masks(rows: list[str], expected: list[tuple[int, int]]) -> None:
    pixels = np.array([[letter == "#" for letter in row] for row in rows])
    assert outline(pixels) == expected

"""Boxes: arithmetic against Python's own floats, clip against the definition."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tfrec_tools.annotations import boxes

SIZES = st.integers(1, 5000)
BOXES = arrays.arrays(
    np.float64, st.tuples(st.integers(0, 8), st.just(4)), elements=st.floats(-1e4, 1e4, allow_nan=False)
)


@given(BOXES, SIZES, SIZES)
def test_normalise_equals_python_division_rounded_once(
    boxes_xyxy: NDArray[np.float64], width: int, height: int
) -> None:
    expected = [
        [np.float32(value / size) for value, size in zip(box, (width, height) * 2, strict=True)]
        for box in boxes_xyxy.tolist()
    ]
    found = boxes.normalise(boxes_xyxy, width, height)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(expected, np.float32).reshape(-1, 4))


@given(BOXES, SIZES, SIZES)
def test_denormalise_is_inverted_bit_for_bit(
    boxes_xyxy: NDArray[np.float64], width: int, height: int
) -> None:
    fractions = boxes.normalise(boxes_xyxy, width, height)
    np.testing.assert_array_equal(
        boxes.normalise(boxes.denormalise(fractions, width, height), width, height), fractions
    )


@given(BOXES, SIZES, SIZES)
def test_clip_lies_inside_is_idempotent_and_keeps_what_is_inside(
    boxes_xyxy: NDArray[np.float64], width: int, height: int
) -> None:
    clipped = boxes.clip(boxes_xyxy, width, height)
    limits = [width, height, width, height]
    assert ((clipped >= 0) & (clipped <= limits)).all()
    np.testing.assert_array_equal(boxes.clip(clipped, width, height), clipped)
    inside = (boxes_xyxy >= 0) & (boxes_xyxy <= limits)
    np.testing.assert_array_equal(clipped[inside], boxes_xyxy[inside])


def test_none_keeps_its_shape() -> None:
    none = np.zeros((0, 4))
    assert boxes.from_xywh(none).shape == boxes.clip(none, 3, 4).shape == (0, 4)
    assert boxes.areas(none).shape == (0,)


def test_coordinates_of_any_size_overflow_quietly() -> None:
    far_xywh = np.array([[1e308, -1e308, 1e308, -1e308], [np.inf, 0, -np.inf, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(boxes.from_xywh(far_xywh)[:, 2:]).all(axis=1).any()
        assert not np.isfinite(boxes.sides(np.array([[1e308, 0, -1e308, 1]]))[:, 0]).any()


def test_from_xywh_adds_as_python_does() -> None:
    given_xywh = np.array([[457.14, 125.93, 4.0, 1.85]])
    np.testing.assert_array_equal(
        boxes.from_xywh(given_xywh), [[457.14, 125.93, 457.14 + 4.0, 125.93 + 1.85]]
    )
    assert boxes.areas(np.array([[1.0, 2, 4, 6]])) == [12]

"""Colours of classes: always the same, far apart for everybody, never red."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageColor

from tests.drawing.sight import SIGHTS, oklab
from tfrec_tools.drawing.palette import COLOURS, FAULT, ink, palette


def seen(*colours: str, sight: str) -> NDArray[np.float64]:
    return oklab(np.array([ImageColor.getrgb(colour) for colour in colours]) / 255, sight)


def distances(colours: tuple[str, ...], sight: str) -> NDArray[np.float64]:
    lab = seen(*colours, sight=sight)
    return np.linalg.norm(lab[:, None] - lab[None], axis=2)  # (N, N)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize(("count", "least"), [(12, 0.07), (24, 0.06), (48, 0.04), (len(COLOURS), 0.03)])
def test_colours_can_be_told_apart(sight: str, count: int, least: float) -> None:
    apart = distances(COLOURS[:count], sight)
    assert apart[np.triu_indices(count, 1)].min() > least


@pytest.mark.parametrize("sight", SIGHTS)
def test_neighbours_are_farther_apart_than_others(sight: str) -> None:
    apart = distances(COLOURS + COLOURS[:6], sight)  # round the end, where they begin again
    for step, least in ((1, 0.09), (2, 0.045), (6, 0.05)):
        assert np.diagonal(apart, step).min() > least


def test_no_class_is_red() -> None:
    lab = seen(FAULT, *COLOURS, sight="normal")
    assert np.linalg.norm(lab[1:] - lab[0], axis=1).min() > 0.12


@given(st.lists(st.text(max_size=3), max_size=80))
def test_a_class_has_one_colour_which_it_keeps_when_others_come(names: list[str]) -> None:
    colours = palette(names)
    assert palette(names * 2) == colours
    assert palette([*names, "another"]) | colours == palette([*names, "another"])
    assert len(set(colours.values())) == min(len(set(names)), len(COLOURS))
    assert all(colours[name] != colours[after] for name, after in pairwise(colours))


def test_letters_are_black_on_bright_and_white_on_dark_colours() -> None:
    assert (ink("#F0E442"), ink("#2B16FE"), ink(FAULT)) == ("#000000", "#FFFFFF", "#FFFFFF")

"""Colours of classes: always the same, far apart for everybody, never red."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageColor

from tfrec_tools.drawing.palette import COLOURS, FAULT, ink, palette

# Linear sRGB as people without red (protan) and green cones (deutan) see it (Machado et al. 2009).
SIGHTS = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# Oklab (Bjoern Ottosson 2020): from linear sRGB to cones, and from their cube roots.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def oklab(colour: str, sight: str) -> NDArray[np.float64]:
    value = np.array(ImageColor.getrgb(colour)) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return TO_LAB @ np.cbrt(TO_CONES @ np.clip(SIGHTS[sight] @ linear, 0, 1))


def apart(one: str, other: str, sight: str) -> float:
    return float(np.linalg.norm(oklab(one, sight) - oklab(other, sight)))


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_can_be_told_apart(sight: str) -> None:
    assert min(apart(one, other, sight) for one, other in combinations(COLOURS, 2)) > 0.07
    assert min(apart(FAULT, colour, "normal") for colour in COLOURS) > 0.07


@given(st.lists(st.text(max_size=3), max_size=40))
def test_a_class_has_one_colour_within_a_set_of_names(names: list[str]) -> None:
    colours = palette(names)
    assert palette(reversed(names * 2)) == colours
    assert len(set(colours.values())) == min(len(set(names)), len(COLOURS))
    in_order = sorted(colours)
    assert all(colours[name] != colours[after] for name, after in pairwise(in_order))


def test_letters_are_black_on_bright_and_white_on_dark_colours() -> None:
    assert (ink("#F0E442"), ink("#2B16FE"), ink(FAULT)) == ("#000000", "#FFFFFF", "#FFFFFF")

"""Boxes on an image: the best on top, labels whole and within, whatever the boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageColor

from tfrec_tools.drawing.boxes import FONT_PX, DrawnBox, draw_boxes
from tfrec_tools.drawing.letters import line_px, width_px
from tfrec_tools.drawing.palette import COLOURS

BLUE, YELLOW = COLOURS[4], COLOURS[3]


def drawn(*boxes: DrawnBox, size_wh: tuple[int, int] = (120, 80)) -> NDArray[np.uint8]:
    image = Image.new("RGB", size_wh, "black")
    draw_boxes(image, boxes)
    return np.asarray(image)


def places(pixels: NDArray[np.uint8], colour: str) -> NDArray[np.bool_]:
    return (pixels == ImageColor.getrgb(colour)).all(axis=-1)


@pytest.mark.parametrize("best_first", [True, False])
def test_the_best_score_lies_on_top(best_first: bool) -> None:
    boxes = [DrawnBox((20, 30, 90, 60), BLUE, "a", 0.9), DrawnBox((20, 30, 90, 60), YELLOW, "a", 0.2)]
    pixels = drawn(*(boxes if best_first else boxes[::-1]))
    assert places(pixels, BLUE).any()
    assert not places(pixels, YELLOW).any()


def test_boxes_without_a_name_lie_below_and_are_thin() -> None:
    pixels = drawn(DrawnBox((20, 30, 90, 60), BLUE, "a"), DrawnBox((20, 30, 90, 60), YELLOW))
    assert not places(pixels, YELLOW).any()
    thin = places(drawn(DrawnBox((20, 30, 90, 60), YELLOW)), YELLOW)
    assert thin[45].nonzero()[0].tolist() == [20, 89]


@pytest.mark.parametrize(
    "xyxy", [(110, 0, 119, 9), (0, 0, 5, 5), (-50, -50, 4, 4), (100, 75, 300, 300), (118, 40, 119, 41)]
)
def test_labels_are_whole_within_the_image(xyxy: tuple[float, ...]) -> None:
    label_wh = int(np.ceil(width_px("cherry 0.50", FONT_PX))) + 4, line_px(FONT_PX)
    rows, columns = places(drawn(DrawnBox(xyxy, BLUE, "cherry", 0.5)), BLUE).nonzero()
    assert columns.max() - columns.min() >= label_wh[0] - 1
    assert rows.max() - rows.min() >= label_wh[1] - 1


def test_a_name_is_cut_before_its_score() -> None:
    name, box = "a traffic light that has a long name", (0, 0, 40, 40)
    scores = [drawn(DrawnBox(box, BLUE, name, score)) for score in (0.93, 0.12)]
    columns = (scores[0] != scores[1]).any(axis=(0, 2)).nonzero()[0]
    assert columns.min() > 120 - 4 - width_px(" 0.93", FONT_PX)
    assert columns.max() < 120 - 2
    assert (scores[0] == scores[1])[:, :60].all()


@given(st.lists(st.floats(width=64), min_size=4, max_size=4), st.text())
def test_any_numbers_and_names_can_be_drawn(xyxy: list[float], name: str) -> None:
    seen = drawn(DrawnBox(xyxy, BLUE, f"cat {name}", 0.5)).any()
    assert seen or not np.isfinite(xyxy).all()


def test_corners_in_the_wrong_order_are_the_same_box() -> None:
    one, other = DrawnBox((20, 30, 90, 60), BLUE, "a"), DrawnBox((90, 60, 20, 30), BLUE, "a")
    assert (drawn(one) == drawn(other)).all()


@pytest.mark.parametrize("at", [(60.2, 40.4), (0, 0), (119, 79)])
def test_keypoints_are_dots_in_the_colour_of_their_box(at: tuple[float, float]) -> None:
    pixels = drawn(DrawnBox((20, 30, 90, 60), BLUE, "a", points=[at, (1e30, -1e30)]))
    without = drawn(DrawnBox((20, 30, 90, 60), BLUE, "a"))
    rows, columns = (places(pixels, BLUE) & ~places(without, BLUE)).nonzero()
    assert abs(rows - at[1]).max() <= 3
    assert abs(columns - at[0]).max() <= 3

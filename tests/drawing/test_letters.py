"""Letters of any script: none is a box, runs to the left stay whole, and what is too long is cut."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tfrec_tools.drawing import letters
from tfrec_tools.drawing.letters import fitting, legible, line_px, runs, width_px, write

WORDS = {
    "latin": "Größe μήλο яблоко Việt č",
    "hebrew": "תפוח",
    "arabic": "تفاح",
    "devanagari": "क्षत्रिय",
    "thai": "แอปเปิ้ล",
    "han": "苹果蘋果りんごリンゴ",
    "hangul": "사과",
}


def drawn(text: str) -> NDArray[np.uint8]:
    image = Image.new("L", (300, line_px(16)))
    write(ImageDraw.Draw(image), (0, 0), text, "white", 16)
    return np.asarray(image)


@pytest.mark.parametrize("script", WORDS)
def test_each_script_has_its_font(script: str) -> None:
    assert list(runs(WORDS[script])) == [(script, WORDS[script])]
    assert (drawn(WORDS[script]) > 128).any()
    assert (drawn(WORDS[script]) != drawn("\ufffd" * len(WORDS[script]))).any()


@pytest.mark.parametrize("script", WORDS)
def test_letters_are_those_that_the_font_says(script: str) -> None:
    opened = pytest.importorskip("fontTools.ttLib", reason="fontTools (of matplotlib) is not installed")
    with (files(letters.__package__) / f"fonts/{script}.ttf").open("rb") as file:
        assert letters._letters_of(script) == set(opened.TTFont(file).getBestCmap())


def test_what_runs_to_the_left_stays_whole_and_the_rest_stays_outside() -> None:
    assert list(runs("قط, كبير 0.93")) == [("arabic", "قط, كبير"), ("latin", " 0.93")]
    assert list(runs("cat קט 2")) == [("latin", "cat "), ("hebrew", "קט"), ("latin", " 2")]


def test_a_letter_that_no_font_has_is_its_code_point() -> None:
    assert legible("a🍎\ud800\x00") == "a[U+1F34E][U+D800][U+0000]"


def test_the_middle_of_a_text_that_is_too_long_is_left_out() -> None:
    assert fitting("cat\n dog", 11, 200) == "cat dog"
    cut = fitting("a traffic light that has a long name" * 1000, 11, 100)
    assert cut.startswith("a tr")
    assert cut.endswith("ame")
    assert 80 < width_px(cut, 11) <= 100
    assert fitting("traffic light", 11, 9) == ""


@given(st.text(st.characters(codec=None)), st.integers(0, 300))
def test_any_text_fits_and_can_be_drawn(text: str, most_px: int) -> None:
    fitted = fitting(text, 16, most_px)
    assert width_px(fitted, 16) <= most_px
    assert "".join(part for _, part in runs(text)) == legible(text)
    drawn(fitted)

"""Colours of classes, which can be told apart, by colour-blind people too."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

from PIL import ImageColor

FAULT = "#E11D2E"  # of what is wrong; no class is red

# As `bin/palette` prints them: each is far from those before it, and farthest from the last of them, as
# classes whose ids are neighbours often are in one image.
COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#CC79A7", "#78FFFF", "#780F4B",
    "#0000FF", "#B4C387", "#1E2DA5", "#3C780F", "#7887FF", "#A54B87", "#5AD2FF", "#B4FFA5",
    "#5A3C00", "#5A5AE1", "#E1C34B", "#690F78", "#C38700", "#6996D2", "#874B5A", "#78C3C3",
    "#78F0C3", "#0000D2", "#00B478", "#7869FF", "#4B4B96", "#F0D278", "#0087C3", "#1E875A",
    "#783C3C", "#69E1E1", "#5AA5FF", "#D29696", "#5AA54B", "#4B4BC3", "#872D78", "#5AF096",
    "#A56996", "#694B00", "#96FFD2", "#6978E1", "#78D2B4", "#00C35A", "#69B4C3", "#783C5A",
    "#5AF0FF", "#A54BA5", "#3C872D", "#E1D200", "#3C3CB4", "#A5FF78", "#4BC3FF", "#0FA5B4",
    "#963C78", "#4B3CE1", "#69E1A5", "#1E964B", "#692D2D", "#5AE1FF", "#7887E1", "#69C3E1",
)  # fmt: skip


def palette(names: Iterable[str]) -> dict[str, str]:
    """Returns {class name: its colour} for names in the order of their ids: a class keeps its colour when
    others come after it. Where there are more classes than COLOURS, those that are as many places apart share
    one."""
    return dict(zip(dict.fromkeys(names), cycle(COLOURS), strict=False))


def ink(colour: str) -> str:
    """Returns black or white, whichever has the higher contrast to a colour."""
    red, green, blue = ((value / 255) ** 2.2 for value in ImageColor.getrgb(colour)[:3])
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#FFFFFF"

"""Colours of classes, which can be told apart, by colour-blind people too."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

from PIL import ImageColor

FAULT = "#E11D2E"  # of what is wrong; no class is red

# Okabe and Ito's palette without black and its red; then each time the colour that is farthest, in Oklab,
# from those before it and from FAULT, as seen with normal sight, without red cones, and without green ones.
COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#CC79A7",
    "#1F5C15", "#77FEF5", "#2B16FE", "#810C76", "#4AE2AC",
    "#5913B6", "#8D80FE", "#CA6816", "#52D8F2", "#FDB270",
)  # fmt: skip


def palette(names: Iterable[str]) -> dict[str, str]:
    """Returns {class name: its colour}, the same for the same names in any order. Where there are more
    classes than COLOURS, those that are as many places apart share one."""
    return dict(zip(sorted(set(names)), cycle(COLOURS), strict=False))


def ink(colour: str) -> str:
    """Returns black or white, whichever has the higher contrast to a colour."""
    red, green, blue = ((value / 255) ** 2.2 for value in ImageColor.getrgb(colour)[:3])
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#FFFFFF"

"""Texts in any script, in the fonts that lie beside this: subsets of Noto Sans, as `bin/fonts` makes them."""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import as_file, files
from io import BytesIO

from PIL import ImageDraw, ImageFont

ELLIPSIS = "..."
# In the order in which they are asked for a letter.
_SCRIPTS = ("latin", "hebrew", "arabic", "devanagari", "thai", "han", "hangul")
_MOST = 200  # letters of a text that are looked at; what lies between is wider than any image
_STRONG = ("L", "R", "AL")  # directions of letters that have one
_TABLE = struct.Struct(">4sIII")  # of an OpenType font: tag, checksum, offset, length
_ABOVE, _BELOW = 1.0, 0.34  # of a line above and below its base line, in units of its size

Font = ImageFont.FreeTypeFont


def line_px(font_px: int) -> int:
    """Returns the height of a line of text."""
    return round((_ABOVE + _BELOW) * font_px)


def width_px(text: str, font_px: int) -> float:
    """Returns the length of a text as `write` draws it."""
    return sum(_font(script, font_px).getlength(part) for script, part in runs(text))


def write(canvas: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, fill: str, font_px: int) -> None:
    """Draws a text of one line, whose upper left corner is at xy. Scripts that run to the left do so within
    themselves; the whole goes to the right."""
    x, base = xy[0], xy[1] + round(_ABOVE * font_px)
    for script, part in runs(text):
        font = _font(script, font_px)
        canvas.text((x, base), part, fill=fill, font=font, anchor="ls")
        x += font.getlength(part)


def fitting(text: str, font_px: int, most_px: float) -> str:
    """Returns the text, its middle left out where it is too long, and nothing where even two letters are.
    Line breaks become spaces."""
    text = " ".join(text.split())
    if len(text) > 2 * _MOST:
        text = f"{text[:_MOST]}{ELLIPSIS}{text[-_MOST:]}"
    if width_px(text, font_px) <= most_px:
        return text
    fits, fails = 0, (len(text) + 1) // 2  # letters at each end
    while fails - fits > 1:
        half = (fits + fails) // 2
        if width_px(_cut(text, half), font_px) <= most_px:
            fits = half
        else:
            fails = half
    return _cut(text, fits) if fits else ""


def _cut(text: str, half: int) -> str:
    return f"{text[:half]}{ELLIPSIS}{text[-half:]}"


def legible(text: str) -> str:
    """Returns the text with the code point in the place of each letter that no font has: [U+1F34E]."""
    return "".join(letter if _script_of(letter) else f"[U+{ord(letter):04X}]" for letter in text)


def runs(text: str) -> Iterator[tuple[str, str]]:
    """Yields (script, the part of the text that is written in it), in order."""
    text = legible(text)
    start, script = 0, ""
    for place, letter in enumerate(text):
        if place and not _stays(text, place, script):
            yield script, text[start:place]
            start = place
        if place == start:
            script = _script_of(letter)
    if text:
        yield script, text[start:]


def matplotlib_families() -> list[str]:
    """Returns the names of the fonts for `font.family`, which Matplotlib asks in turn for each letter."""
    from matplotlib import font_manager

    there = {entry.name for entry in font_manager.fontManager.ttflist}
    for script in _SCRIPTS:
        if f"tfrec {script}" not in there:
            with as_file(files(__package__) / f"fonts/{script}.ttf") as path:
                font_manager.fontManager.addfont(path)
    return [f"tfrec {script}" for script in _SCRIPTS]


def _stays(text: str, place: int, script: str) -> bool:
    """Returns whether a letter belongs to the run before it: letters of its script do, marks on one, and what
    stands between two words of the script, whose order would change if they were drawn apart."""
    letter = text[place]
    if ord(letter) not in _letters_of(script):
        return False
    if _script_of(letter) == script or unicodedata.combining(letter):
        return True
    following = next((later for later in text[place:] if unicodedata.bidirectional(later) in _STRONG), "")
    return bool(following) and _script_of(following) == script


@lru_cache(maxsize=10_000)
def _script_of(letter: str) -> str:
    """Returns the first script whose font has a letter; "" where none has."""
    return next((script for script in _SCRIPTS if ord(letter) in _letters_of(script)), "")


@lru_cache
def _font(script: str, font_px: int) -> Font:
    return ImageFont.truetype(BytesIO(_data(script)), font_px)


@lru_cache
def _data(script: str) -> bytes:
    return (files(__package__) / f"fonts/{script}.ttf").read_bytes()


@lru_cache
def _letters_of(script: str) -> frozenset[int]:
    """Returns the code points that a font has, from its only table of them (OpenType's cmap, format
    12)."""
    data = _data(script)
    count = struct.unpack_from(">H", data, 4)[0]
    tables = (_TABLE.unpack_from(data, 12 + i * _TABLE.size) for i in range(count))
    (begin,) = (offset for tag, _, offset, _ in tables if tag == b"cmap")
    begin += struct.unpack_from(">I", data, begin + 8)[0]
    (groups,) = struct.unpack_from(">I", data, begin + 12)
    ranges = (struct.unpack_from(">II", data, begin + 16 + 12 * i) for i in range(groups))
    return frozenset(code for first, last in ranges for code in range(first, last + 1))

"""DOTA: a text file an image, in a folder labelTxt beside that of the images.

A row is the four corners of a rotated box in pixels, x1 y1 to x4 y4, the class, and whether it is difficult
(0 is not). Lines with imagesource: and gsd: may stand above. Format: captain-whu.github.io/DOTA.
"""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import drawn
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.shapes import around_points, outline
from tfrec_tools.formats.text_folders import texts_of
from tfrec_tools.formats.text_rows import Row, Text, is_dota, is_header, is_number


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the texts anywhere below a folder by path, an image each; one without rows has no objects.
    Classes are those that occur, by alphabet. Raises InputError where no text has a row of DOTA's."""
    found = texts_of(path, "DOTA", is_dota)
    images = (_image(text, options.masks) for text in found.labels)
    return drawn.source((*images, *found.unread), found.files, litter=found.litter)


def _image(text: Text, masks: bool) -> DrawnImage | Unusable:
    rows = [row for row in text.rows if not is_header(row.words)]
    fault = text.fault or next((_fault(text, row) for row in rows if not _is_row(row)), None)
    if fault is not None:
        return drawn.damaged(text.file, fault, len(rows))
    objects = tuple(_object(row, masks) for row in rows)
    return DrawnImage(source=str(text.below), filename=text.image, objects=objects)


def _is_row(row: Row) -> bool:
    """Returns whether a row can be read; its class may be a number here."""
    corners, rest = row.words[:8], row.words[9:]
    return len(row.words) in (9, 10) and all(map(is_number, corners)) and all(map(is_number, rest))


def _fault(text: Text, row: Row) -> InputError:
    reason = f"{' '.join(row.words)[:60]!r} is no row of DOTA's: 8 numbers, a class, and 0 or 1"
    return InputError(text.file, reason, where=f"line {row.line}")


def _object(row: Row, masks: bool) -> Drawn:
    numbers = list(map(float, row.words[:8]))
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    difficult = len(row.words) > 9 and float(row.words[9]) != 0
    mask = outline(corners) if masks else b""
    where, name = f"line {row.line}", row.words[8]
    return Drawn(where, name, around_points(corners), "four corners", difficult=difficult, mask=mask)

"""KITTI's object detection: a text file an image, in a folder label_2 beside that of the images, image_2.

A row is type, truncated (0 to 1), occluded (0 visible, 1 partly, 2 largely, 3 unknown), alpha, left, top,
right and bottom in pixels from 0, then the object in three dimensions (7 numbers) and, of results, a score.
Coordinates are taken as they stand, as TFOD takes them. Format: the devkit's readme.txt of cvlibs.net.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import drawn
from tfrec_tools.formats.drawn import Drawn, DrawnImage, Unusable
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.text_folders import texts_of
from tfrec_tools.formats.text_rows import Text, is_kitti

_IGNORED = "DontCare"
_HIDDEN = (1.0, 2.0)  # partly and largely occluded


def read(path: Path, _: ReadOptions = DEFAULT) -> Source:
    """Returns the texts anywhere below a folder by path, an image each; an empty one has no objects. Classes
    are those that occur, in alphabetical order. Raises InputError where no text has a row of KITTI's."""
    found = texts_of(path, "KITTI", is_kitti)
    return drawn.source((*map(_image, found.labels), *found.unread), found.files, litter=found.litter)


def _image(text: Text) -> DrawnImage | Unusable:
    fault = text.fault or next(
        (_fault(text, row.line, row.words) for row in text.rows if not is_kitti(row.words)), None
    )
    if fault is not None:
        return drawn.damaged(text.file, fault, len(text.rows))
    objects = tuple(_object(row.line, row.words) for row in text.rows)
    return DrawnImage(source=str(text.below), filename=text.image, objects=objects)


def _fault(text: Text, line: int, words: Sequence[str]) -> InputError:
    reason = f"{' '.join(words)[:60]!r} is no row of KITTI's: a class name and 14 or 15 numbers"
    return InputError(text.file, reason, where=f"line {line}")


def _object(line: int, words: Sequence[str]) -> Drawn:
    name, where = words[0], f"line {line}"
    truncated, occluded, _alpha, xmin, ymin, xmax, ymax = map(float, words[1:8])
    if name.lower() == _IGNORED.lower():
        return Drawn(where, "", None, code="region-ignored", why=f"a {_IGNORED} region is no object")
    box = (xmin, ymin, xmax, ymax)
    return Drawn(where, name, box, truncated=truncated > 0, occluded=occluded in _HIDDEN)

"""Rows of the formats that are folders of texts, told from one another by what stands in them.

format   words of a row
YOLO     a class number, then 4 numbers or more
KITTI    a class name, then 14 numbers (15 with a score)
DOTA     8 numbers, a class name, whether it is difficult (which some leave out)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import open_binary, read_bytes

_SNIFFED = 4096  # bytes of a text that show what rows it has
_OF_BOX = 4  # numbers
_HEADER = re.compile(r"(['\"]?)(?i:imagesource|gsd|acquisition dates?)\1\s*:")  # its page quotes the words
_IMAGES = {"labels": "images", "label": "images", "labeltxt": "images", "annotations": "images"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of words, and its line in the text."""

    line: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of an image: the file; where it lies below the source; its rows; and why it cannot be read."""

    file: Path
    below: PurePosixPath
    rows: tuple[Row, ...] = ()
    fault: InputError | None = None

    @property
    def image(self) -> str:
        """The path of its image without suffix: label_2/a.txt is of image_2/a, labels/a.txt of images/a."""
        parents, name = self.below.parent.parts, self.below.stem
        if not parents:
            return name
        folder = parents[-1].lower()
        swapped = _IMAGES.get(folder) or (
            folder.replace("label_", "image_") if folder.startswith("label_") else parents[-1]
        )
        return "/".join((*parents[:-1], swapped, name))


def is_number(word: str | bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def is_yolo(words: Sequence[str] | Sequence[bytes]) -> bool:
    """Returns whether words begin a row of YOLO's; those behind the fifth may be damaged."""
    if len(words) < 5 or not all(map(is_number, words[:5])) or _names_a_class_ninth(words):
        return False
    return float(words[0]).is_integer()


def is_kitti(words: Sequence[str] | Sequence[bytes]) -> bool:
    return len(words) in (15, 16) and not is_number(words[0]) and all(map(is_number, words[1:]))


def is_dota(words: Sequence[str] | Sequence[bytes]) -> bool:
    return len(words) in (9, 10) and _names_a_class_ninth(words)


def _names_a_class_ninth(words: Sequence[str] | Sequence[bytes]) -> bool:
    return len(words) > 8 and all(map(is_number, words[:8])) and not is_number(words[8])


def words_at_head(file: Path) -> list[list[bytes]]:
    """Returns the words of each line that a text begins with; nothing of one that cannot be read."""
    try:
        with open_binary(file) as opened:
            return [line.split() for line in bytes(opened.read(_SNIFFED)).splitlines()]
    except OSError:
        return []


def shows_kitti(file: Path) -> bool:
    """Returns whether a text begins with rows of KITTI's."""
    return any(map(is_kitti, words_at_head(file)))


def shows_dota(file: Path) -> bool:
    """Returns whether a text begins with rows of DOTA's."""
    return any(map(is_dota, words_at_head(file)))


def is_header(words: Sequence[str]) -> bool:
    """Returns whether words are a line that may stand above the rows of DOTA's."""
    return _HEADER.match(" ".join(words)) is not None


def has_box(words: Sequence[str]) -> bool:
    """Returns whether a line has the numbers of a box, whatever else stands in it."""
    pieces = [piece for word in words for piece in word.split(",")]
    return sum(map(is_number, pieces)) >= _OF_BOX


def text_of(path: Path, file: Path) -> Text:
    """Returns a text of the source `path`."""
    below = PurePosixPath(file.name if file == path else file.relative_to(path).as_posix())
    try:
        lines = read_bytes(file).decode("utf-8-sig").splitlines()
    except OSError as fault:
        return Text(file, below, (), InputError(file, f"cannot be read ({fault.strerror or fault})"))
    except UnicodeDecodeError as fault:
        return Text(file, below, (), InputError(file, f"byte {fault.start} is not UTF-8, expected a text"))
    split = ((number, tuple(line.split())) for number, line in enumerate(lines, start=1))
    return Text(file, below, tuple(Row(number, words) for number, words in split if words))

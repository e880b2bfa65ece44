"""The rows of YOLO's texts, and what their numbers mean: a text does not say it.

task      numbers after the class
detect    x and y of the centre, width, height; of predictions also a confidence and the number of a track
segment   x y x y ..., a polygon; of predictions also a confidence
pose      the box as in detect, then keypoints, which data.yaml describes by kpt_shape
obb       the four corners of a rotated box; of predictions also a confidence
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats.options import YOLO_TASKS
from tfrec_tools.system.regular_files import read_bytes, require_utf8

BOX = 4
_CORNERS = 8
_SURE = 0.9  # of the rows with one number of columns: keypoints and corners have one, polygons many
_LEANING = 0.01  # fractions of an image by which careless boxes lean over its edge
_MOST_DECIMALS = 17
_LEAST_DECIMALS = 3  # fewer say nothing of how a box was rounded

# Of texts that are read the quick way.
_PLAIN = b"0123456789. \n"
_FRACTION = re.compile(r"\.(\d*)")
_MOST_DIGITS = 9  # of a class; a float holds them all


class Row(msgspec.Struct, frozen=True, gc=False):
    """An object: its line in the text, its class from 0, and the numbers after it."""

    line: int
    label: int
    numbers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text that was read: how many lines of it are not blank, whatever stands in them, its rows, the most
    decimals that one of its numbers has, and why it cannot be used (then it has no rows)."""

    lines: int
    rows: tuple[Row, ...] = ()
    decimals: int = 0
    fault: InputError | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the numbers of a data set are.

    keypoints   how many numbers the keypoints of a pose have; 0 where nobody says
    confident   whether a confidence stands behind polygons
    """

    task: str
    keypoints: int = 0
    confident: bool = False

    def understands(self, numbers: Sequence[float]) -> bool:
        count = len(numbers)
        if self.task == "detect":
            return count <= BOX + 2
        if count == BOX:
            return True
        if self.task == "obb":
            return count in (_CORNERS, _CORNERS + 1)
        if self.task == "pose":
            given = BOX + self.keypoints
            return given <= count <= given + 2 if self.keypoints else count >= BOX + 2
        return count > BOX + 1 and count % 2 == self.confident

    def corners(self, numbers: Sequence[float]) -> tuple[float, float, float, float]:
        """Returns the box [xmin ymin xmax ymax] in fractions of the image; of a polygon the box around it."""
        if not (polygon := self.polygon(numbers)):
            x, y, width, height = numbers[:BOX]
            return x - width / 2, y - height / 2, x + width / 2, y + height / 2
        points = np.array(polygon).reshape(-1, 2)  # (points, 2)
        return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())

    def polygon(self, numbers: Sequence[float]) -> tuple[float, ...]:
        """Returns x y x y ... of a polygon or of rotated corners; nothing of a box."""
        if self.task in ("detect", "pose") or len(numbers) == BOX:
            return ()
        return tuple(numbers[: len(numbers) // 2 * 2])

    def mask(self, numbers: Sequence[float]) -> bytes:
        """Returns COCO's segmentation; of a box alone nothing is known."""
        polygon = self.polygon(numbers)
        return json.dumps([list(polygon)] if polygon else []).encode()


def read(file: Path) -> Text:
    """Returns a text; its lines are counted before anything is made of them."""
    try:
        data = read_bytes(file)
    except OSError as fault:
        return Text(0, fault=InputError(file, f"cannot be read ({fault.strerror or fault})"))
    if (plain := _plain(data)) is not None:
        return plain
    return _careful(file, data)


def _careful(file: Path, data: bytes) -> Text:
    lines = sum(1 for line in data.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip())
    try:
        return Text(lines, *_parsed(file, data))
    except InputError as fault:
        return Text(lines, fault=fault)


def _plain(data: bytes) -> Text | None:
    """Returns what `_careful` makes of a text in which nothing stands but classes and boxes in decimals; None
    of any other, also of one with a fault."""
    if data.translate(None, _PLAIN):
        return None
    text = data.decode("ascii")
    rows = []
    try:
        for number, line in enumerate(text.split("\n"), start=1):
            if words := line.split():
                label, *numbers = words
                if len(numbers) < BOX or len(label) > _MOST_DIGITS:
                    return None
                rows.append(Row(number, int(label), tuple(map(float, numbers))))
    except ValueError:  # also a class with a point
        return None
    decimals = max(map(len, _FRACTION.findall(text)), default=0)
    return Text(len(rows), tuple(rows), min(decimals, _MOST_DECIMALS))


def _parsed(file: Path, data: bytes) -> tuple[tuple[Row, ...], int]:
    """Returns rows and decimals. InputError names the line that cannot be used."""
    require_utf8(file, data[:4])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InputError(file, f"cannot be read as text ({fault})") from fault
    rows, decimals = [], 0
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.strip(" \t\x0b\x0c"):
            words = line.split()
            rows.append(_row(file, number, words))
            decimals = max(decimals, *map(_decimals, words[1:]))
    return tuple(rows), decimals


def _row(file: Path, line: int, words: Sequence[str]) -> Row:
    where = f"line {line}"
    try:
        label, *numbers = [float(word) for word in words]
    except ValueError:
        raise InputError(file, f"{' '.join(words)[:60]!r} is not all numbers", where=where) from None
    if not label.is_integer():
        raise InputError(file, f"class {words[0]} is no whole number", where=where)
    if len(numbers) < BOX:
        reason = f"{len(numbers)} numbers after the class, expected x y width height or a polygon"
        raise InputError(file, reason, where=where)
    return Row(line, int(label), tuple(numbers))


def _decimals(word: str) -> int:
    """Returns how many there are of a number that Python reads: 2 of 0.25, 6 of 1e-06."""
    if "e" in word or "E" in word:
        mantissa, _, exponent = word.lower().partition("e")
        return min(max(_decimals(mantissa) - int(exponent), 0), _MOST_DECIMALS)
    point = word.find(".")
    return 0 if point < 0 else min(len(word) - point - 1, _MOST_DECIMALS)


def unit(texts: Iterable[Text]) -> float:
    """Returns the unit of the last decimal that a data set writes."""
    return 10.0 ** -max([_LEAST_DECIMALS, *(text.decimals for text in texts)])


def meaning(place: Path, rows: Sequence[Row], told: str | None, keypoints: int) -> Meaning:
    """Returns what the numbers of all rows of a data set mean, as it is told or by how many there are. Raises
    InputError where that is not clear, or where no row has such numbers."""
    counts = Counter(len(row.numbers) for row in rows)
    long = {count: of for count, of in counts.items() if count > BOX + 1}
    confident = bool(long) and all(count % 2 for count in long)
    if told is not None:
        found = Meaning(told, keypoints if told == "pose" else 0, confident)
        if rows and not any(found.understands(row.numbers) for row in rows):
            listed = ", ".join(map(str, sorted(counts)[:5]))
            where = f"in each of {counted(len(rows), 'row')}"
            reason = f"has {listed} numbers after the class {where}, which is no {told}"
            raise InputError(place, f"{reason}; say what they are by --yolo {'|'.join(YOLO_TASKS)}")
        return found
    if not long or _tracks(rows):
        _require_known_fifth(place, rows)
        return Meaning("detect")
    _require_polygons(place, long)
    return Meaning("segment", 0, confident)


def _tracks(rows: Sequence[Row]) -> bool:
    """Returns whether all six numbers are boxes with a confidence and a track, of which one is above 1."""
    sixes = [row.numbers for row in rows if len(row.numbers) > BOX]
    return all(
        len(six) == BOX + 2 and 0 <= six[4] <= 1 and six[5] >= 0 and six[5].is_integer() for six in sixes
    ) and any(six[5] > 1 for six in sixes)


def _require_known_fifth(place: Path, rows: Sequence[Row]) -> None:
    """A fifth number is a confidence or the number of a track. An angle would make another box, and so would
    a confidence that stands before the box: then boxes reach far out of their images."""
    fives = [row.numbers for row in rows if len(row.numbers) == BOX + 1]
    known = all(0 <= five[BOX] <= 1 for five in fives) or all(
        five[BOX] >= 0 and five[BOX].is_integer() for five in fives
    )
    odd = next((five for five in fives if not _lies_inside(five) or not (known or 0 <= five[BOX] <= 1)), None)
    if odd is not None:
        listed = " ".join(f"{number:g}" for number in odd)
        reason = (
            f"5 numbers after the class, such as {listed}, are no box with a confidence or track behind it"
        )
        raise InputError(place, f"{reason}; --yolo detect takes the first four as x y width height")


def _lies_inside(numbers: Sequence[float]) -> bool:
    x, y, width, height = numbers[:BOX]
    edges = (x - width / 2, y - height / 2, 1 - x - width / 2, 1 - y - height / 2)
    return all(edge >= -_LEANING for edge in edges)


def _require_polygons(place: Path, long: dict[int, int]) -> None:
    """Raises InputError unless the rows have as many different counts of numbers as polygons have."""
    rows = sum(long.values())
    count, most = max(long.items(), key=lambda item: item[1])
    if most < _SURE * rows:
        return
    choices = ["pose", "segment"]
    if count in (_CORNERS, _CORNERS + 1):
        choices.append("obb")
    if count == BOX + 2:
        choices.append("detect")
    of = f"in {most} of {counted(rows, 'row')} there are"
    reason = f"{of} {count} numbers after the class, which may be a box with keypoints, a polygon or else"
    raise InputError(place, f"{reason}; say what they are by --yolo {'|'.join(choices)}")

"""COCO's keypoints (https://cocodataset.org/#format-data): of a category their names, of an annotation x, y
and visibility of each, in their order. The skeleton, how they are drawn, has no place in TFOD's records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.errors import InputError, counted, readable
from tfrec_tools.formats.coco_schema import NO_KEYPOINTS, Category
from tfrec_tools.formats.json_arrays import NONNUMBERS
from tfrec_tools.labels.keypoints import LEFT_OUT_BY, require_few

_ABSENT = (b"", b"null", b"[]")
_NUMBERS = msgspec.json.Decoder(list[float])
_MENDED = msgspec.json.Decoder(list[float | str])  # of a file that writes NaN or Infinity


@dataclass(frozen=True, slots=True)
class Taken:
    """The keypoints of the classes that have any, by their names; and what is odd about them."""

    by_class: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()

    def of_classes(self, classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Returns those of some classes that are not without."""
        return {name: self.by_class[name] for name in classes if self.by_class.get(name)}


def column(values: Sequence[msgspec.Raw]) -> NDArray[Any]:
    """Returns (rows,) the JSON of each annotation's keypoints, b"" where it has none."""
    texts = np.full(len(values), b"", object)
    for row, raw in enumerate(values):
        if raw is not NO_KEYPOINTS and (text := bytes(raw)) not in _ABSENT:
            texts[row] = text
    return texts


def taken(
    path: Path,
    categories: Sequence[Category],
    names: Sequence[str],
    columns: dict[str, NDArray[Any]],
    wanted: bool,
) -> Taken:
    """Returns the keypoints of the classes, `names` of the categories. A category that names none has as many
    as most of its annotations, by number. Those that are not wanted are counted, and their column is taken
    away. InputError where a category's names are none."""
    texts = columns["keypoints"]
    if not wanted or not are_any(categories, texts):
        del columns["keypoints"]
        return Taken(issues=tuple(left_out(path, count(texts))))
    rows = np.flatnonzero((texts != b"") & (columns["image_of"] >= 0))
    by_class: dict[str, tuple[str, ...]] = {}
    for category, name in zip(categories, names, strict=True):
        listed = _names(path, name, category.keypoints)
        require_few(path, name, len(listed))
        if listed and by_class.setdefault(name, listed) != listed:
            reason = f"two categories {name!r} name different keypoints; make them one, or {LEFT_OUT_BY}"
            raise InputError(path, reason, where="categories")
    lengths: dict[str, Counter[int]] = {}
    for row in rows.tolist():
        name = names[columns["class_of"][row]]
        if name not in by_class:
            lengths.setdefault(name, Counter())[len(_numbers(texts[row]) or ()) // 3] += 1
    for name, counts in lengths.items():
        most = max(counts, key=lambda length: (counts[length], length))
        require_few(path, name, most)
        by_class[name] = tuple(map(str, range(most)))
    return Taken(by_class)


def left_out(path: Path, boxes: int) -> Iterator[Issue]:
    """Yields the issue of a source that has keypoints which are not wanted."""
    if boxes:
        message = f"the keypoints of {counted(boxes, 'annotation')} are left out"
        yield Issue("keypoints-left-out", readable(path.name), None, message, True)


def of_boxes(
    texts: NDArray[Any], names: Sequence[str], by_class: Mapping[str, tuple[str, ...]]
) -> NDArray[np.float64] | None:
    """Returns (N, K, 3) of boxes of these classes; NaN for those of a box that are not as many as its class
    has, or no numbers. None where no box has any."""
    if not (texts != b"").any():
        return None
    sound, damaged = dict[int, list[float]](), list[int]()
    for box in np.flatnonzero(texts != b"").tolist():
        numbers, count = _numbers(texts[box]), len(by_class.get(names[box], ()))
        if numbers is not None and len(numbers) == 3 * count:
            sound[box] = numbers
        else:
            damaged.append(box)
    longest = max((len(numbers) // 3 for numbers in sound.values()), default=0)
    keypoints = np.zeros((len(names), max(1, longest), 3))
    keypoints[damaged] = math.nan
    for box, numbers in sound.items():
        keypoints[box, : len(numbers) // 3] = np.array(numbers, np.float64).reshape(-1, 3)
    return keypoints


def are_any(categories: Sequence[Category], texts: NDArray[Any]) -> bool:
    """Returns whether a category names keypoints, or an annotation has some."""
    return any(category.keypoints for category in categories) or bool((texts != b"").any())


def count(texts: NDArray[Any]) -> int:
    """Returns how many annotations have keypoints."""
    return sum(_has_any(text) for text in texts[texts != b""])


def _has_any(text: bytes) -> bool:
    """Returns whether a keypoint is labeled, or cannot be read."""
    numbers = _numbers(text)
    return numbers is None or any(visibility != 0 for visibility in numbers[2::3])


def _numbers(text: bytes) -> list[float] | None:
    """Returns None where they are none."""
    try:
        return _NUMBERS.decode(text)
    except (msgspec.ValidationError, msgspec.DecodeError):
        pass
    try:
        numbers = _MENDED.decode(text)
        return [float(NONNUMBERS.get(each, each) if isinstance(each, str) else each) for each in numbers]
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError):
        return None


def _names(path: Path, name: str, listed: Any) -> tuple[str, ...]:
    """Returns those of a category; nothing where it names none."""
    if not listed:
        return ()
    names = [str(each).strip() for each in listed] if isinstance(listed, list) else []
    if not names or len(set(names)) < len(names) or not all(names) or any(readable(n) != n for n in names):
        reason = f"the keypoints of {name!r} are {str(listed)[:60]}, expected a list of different names"
        raise InputError(path, f"{reason}; mend them, or {LEFT_OUT_BY}", where="categories")
    return tuple(names)

"""The keypoints behind the boxes of YOLO's rows (https://docs.ultralytics.com/datasets/pose/): data.yaml says
by kpt_shape how many there are, and whether each is x y, or x y visibility; by kpt_names what they are
called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.errors import InputError, readable
from tfrec_tools.labels.keypoints import LEFT_OUT_BY, require_few

_VISIBLE = 2
UNSAID = (
    "says no kpt_shape, so that nobody knows what the numbers behind the boxes are; add such as "
    f"kpt_shape: [17, 3] to data.yaml, or {LEFT_OUT_BY}"
)


@dataclass(frozen=True, slots=True)
class YoloKeypoints:
    """How many keypoints the boxes have, 0 where there are none; the numbers of each, 2 or 3; and their names
    by class, where data.yaml says them."""

    count: int = 0
    width: int = 3
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """How many numbers the keypoints of a box have."""
        return self.count * self.width

    def of_classes(self, classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Returns the names of the keypoints of all classes: their numbers where nobody says them."""
        numbered = tuple(map(str, range(self.count)))
        return {name: self.names.get(name, numbered) for name in classes} if self.count else {}

    def are_any(self, numbers: Sequence[float]) -> bool:
        """Returns whether some are labeled among the numbers behind a box."""
        if not self.count:
            return True
        triples = self.of_rows([numbers])
        return triples is not None and bool((triples[..., 2] != 0).any())

    def of_rows(self, rows: Sequence[Sequence[float]]) -> NDArray[np.float64] | None:
        """Returns (N, K, 3) of the numbers behind each of N boxes, zeros where there are none; None where
        no box has any. Without visibility, a keypoint is visible unless it is at 0 0, as exporters
        write what is not labeled, or below 0, as Ultralytics has it."""
        if not self.count or all(len(numbers) < self.numbers for numbers in rows):
            return None
        triples = np.zeros((len(rows), self.count, 3))
        for row, numbers in enumerate(rows):
            if len(numbers) >= self.numbers:
                given = np.array(numbers[: self.numbers], np.float64).reshape(self.count, self.width)
                triples[row, :, : self.width] = given
        if self.width == 2:
            x_y = triples[..., :2]
            unset: NDArray[np.bool_] = np.any(x_y < 0, axis=2) | ~np.any(x_y, axis=2)
            triples = np.where(unset[..., None], 0.0, triples)
            triples[..., 2] = np.where(unset, 0, _VISIBLE)
        return triples


NONE = YoloKeypoints()


def declared(file: Path, document: dict[str, Any], classes: Sequence[str]) -> YoloKeypoints:
    """Returns what data.yaml says. InputError where it makes no sense."""
    shape = document.get("kpt_shape")
    if shape is None:
        return NONE
    whole = isinstance(shape, list) and len(shape) == 2 and all(type(n) is int and n > 0 for n in shape)
    if not (whole and shape[1] in (2, 3)):
        raise InputError(file, f"is {str(shape)[:60]}, expected [keypoints, 2 or 3]", where="kpt_shape")
    require_few(file, classes[0] if classes else "", shape[0])
    return YoloKeypoints(shape[0], shape[1], _names(file, document.get("kpt_names"), classes, shape[0]))


def _names(file: Path, listed: Any, classes: Sequence[str], count: int) -> dict[str, tuple[str, ...]]:
    """Returns {class: names of its keypoints} of {number of the class: names}, or of one list for all."""
    if not listed:
        return {}
    by_number = dict(enumerate([listed] * len(classes))) if _is_flat(listed) else listed
    names: dict[str, tuple[str, ...]] = {}
    for number, of_class in by_number.items() if isinstance(by_number, dict) else [(-1, None)]:
        texts = tuple(str(name).strip() for name in of_class or ()) if _is_flat(of_class) else ()
        is_class = type(number) is int and 0 <= number < len(classes)
        if not is_class or _is_odd(texts, count) or names.setdefault(classes[number], texts) != texts:
            reason = f"is {str(listed)[:60]}, expected {{0: [{count} different names], ...}}"
            raise InputError(file, reason, where="kpt_names")
    return names


def _is_flat(listed: Any) -> bool:
    return isinstance(listed, list) and all(isinstance(name, str | int) for name in listed)


def _is_odd(names: tuple[str, ...], count: int) -> bool:
    return len(set(names)) != count or len(names) != count or any(not n or readable(n) != n for n in names)

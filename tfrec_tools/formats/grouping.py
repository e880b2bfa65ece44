"""Boxes that stand in any order in a file, brought together by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]  # (rows, ...)


@dataclass(frozen=True, slots=True)
class Boxes:
    """The N boxes of an image: their class names, columns of what the source says of them, (N,) or (N, 4),
    and `unset`, (N,) False, for each flag that it does not know; masks, or none at all;
    keypoints (N, K, 3), or None."""

    names: tuple[str, ...]
    columns: Mapping[str, Column]
    unset: NDArray[np.bool_]
    masks: tuple[bytes, ...] = ()
    keypoints: NDArray[np.float64] | None = None


def joined(pieces: Sequence[Mapping[str, Column]]) -> dict[str, Column]:
    """Returns columns from pieces of them; the pieces' first rows come first."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def by_image(columns: Mapping[str, Column], images: int) -> tuple[dict[str, Column], list[int]]:
    """Returns the columns sorted by their column image_of, which numbers the images from 0 and is -1 where a
    row belongs to none and is left out; and the bounds: rows bounds[i] to bounds[i + 1] are those of image i,
    in the order of the file."""
    order = np.argsort(columns["image_of"], kind="stable")
    image_of = columns["image_of"][order]
    order = order[np.searchsorted(image_of, 0) :]
    bounds = np.searchsorted(image_of[image_of >= 0], np.arange(images + 1))
    return {name: column[order] for name, column in columns.items()}, bounds.tolist()

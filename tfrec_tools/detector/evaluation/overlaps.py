"""How far boxes overlap, and which of them stand for the same object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAME_OBJECT = 0.5  # IoU from which on a detection is of an annotated box


def ious(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns (N, M) of boxes (N, 4) with others (M, 4), [ymin xmin ymax xmax]; 0 where neither has an
    area."""
    a, b = boxes[:, None].astype(np.float64), others[None].astype(np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)  # (N, M)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def taken(overlaps: NDArray[np.float64]) -> NDArray[np.int64]:
    """(M, N) to (M,): each detection, best first, takes the box that it overlaps most, if that is free; the
    boxes' places, -1 of who takes none."""
    free = np.ones(overlaps.shape[1], bool)
    places = np.full(len(overlaps), -1)
    for row, overlap in enumerate(overlaps if free.any() else ()):
        best = int(np.argmax(overlap))
        if overlap[best] >= SAME_OBJECT and free[best]:
            free[best], places[row] = False, best
    return places


def hits(overlaps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(M, N) to (M,): which detections take a box, as `taken` has it."""
    return taken(overlaps) >= 0

"""Pascal VOC 2007's average precision: at IoU 0.5, interpolated at 11 recalls (Everingham et al. 2010, 4.2).

For comparison with papers. Edges are continuous, as in TFOD's own evaluator; the devkit adds a pixel to each
side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.overlaps import SAME_OBJECT, ious

_RECALLS = np.arange(11) / 10


def average_precision_11(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], label_id: int
) -> float | None:
    """Returns the 11-point average precision of a class, None where it has no boxes to be found. What meets a
    difficult object or a crowd is left out, however often it is met; so is an image that was not annotated
    for the class."""
    scores, outcomes, wanted = [], [], 0
    for example, of_image in zip(examples, detections, strict=True):
        mine = example.ids == label_id
        ignored = (example.crowd | example.difficult)[mine]
        wanted += int((~ignored).sum())
        if label_id in example.labeled:
            chosen = of_image.ids == label_id
            scores.append(of_image.scores[chosen])
            outcomes.append(_outcomes(of_image.boxes[chosen], example.boxes[mine], ignored))
    if not wanted:
        return None
    return _interpolated(np.concatenate(scores), np.concatenate(outcomes), wanted) if scores else 0.0


def _outcomes(
    boxes: NDArray[np.float32], truth: NDArray[np.float32], ignored: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Returns (N,) of detections, best first: 1 right, 0 wrong, -1 to be left out. Each looks at the object
    that it overlaps most, taken or not, as the devkit does."""
    outcomes = np.zeros(len(boxes), np.int8)
    if not len(truth):
        return outcomes
    overlaps = ious(boxes, truth)
    taken = np.zeros(len(truth), bool)
    for row, overlap in enumerate(overlaps):
        best = int(overlap.argmax())
        if overlap[best] < SAME_OBJECT:
            continue
        outcomes[row] = -1 if ignored[best] else int(not taken[best])
        taken[best] = True
    return outcomes


def _interpolated(scores: NDArray[np.float32], outcomes: NDArray[np.int8], wanted: int) -> float:
    """Returns the mean over the recalls of the best precision at that recall or more."""
    order = np.argsort(-scores, kind="stable")
    outcomes = outcomes[order]
    right, wrong = np.cumsum(outcomes == 1), np.cumsum(outcomes == 0)
    recall, precision = right / wanted, right / np.maximum(right + wrong, 1)
    return float(np.mean([precision[recall >= level].max(initial=0.0) for level in _RECALLS]))

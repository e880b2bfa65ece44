"""An exported model held against the one that it was made from, on an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.export.exported import Agreement
from tfrec_tools.detector.export.outputs import candidates
from tfrec_tools.detector.model.detector import Detector

Floats = NDArray[np.float32]
_COMPARED = 10  # best detections; far below them ties are cut off by chance


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model says of an image: detections, best first, and before suppression of each anchor.

    boxes (M, 4), scores (M,), ids (M,); raw_boxes (A, 4) fractions of the canvas, raw_scores (A, [1 +] K)
    """

    boxes: Floats
    scores: Floats
    ids: NDArray[np.int32]
    raw_boxes: Floats
    raw_scores: Floats


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Up to where two answers agree: raw scores at most and on average, and what counts as the same
    detection."""

    raw_scores: float
    raw_mean: float
    box: float
    lost: int


def original(detector: Detector, image: NDArray[np.uint8]) -> Answer:
    """Returns what the Keras model says."""
    canvas, window = preprocess(detector.config, tf.constant(image))
    said = candidates(detector, canvas[None], window[None])
    there = said.detections.ids[0].numpy() > 0
    boxes, scores, ids = (part[0].numpy()[there] for part in said.detections)
    return Answer(boxes, scores, ids, said.raw_boxes[0].numpy(), said.scores[0].numpy())


def compare(ours: Answer, theirs: Answer, tolerance: Tolerance) -> Agreement:
    """Compares the exported model's answer with the original's."""
    count = min(_COMPARED, len(theirs.scores))
    lost = sum(not _has(ours, theirs, row, tolerance) for row in range(count))
    scores = np.abs(ours.raw_scores - theirs.raw_scores)
    # Far outside the image large errors mean nothing.
    boxes = np.abs(np.clip(ours.raw_boxes, 0.0, 1.0) - np.clip(theirs.raw_boxes, 0.0, 1.0))
    return Agreement(float(boxes.max()), float(scores.max()), float(scores.mean()), lost, count)


def agrees(agreement: Agreement, tolerance: Tolerance) -> bool:
    return (
        agreement.raw_scores <= tolerance.raw_scores
        and agreement.raw_mean <= tolerance.raw_mean
        and agreement.lost <= tolerance.lost
    )


def _has(ours: Answer, theirs: Answer, row: int, tolerance: Tolerance) -> bool:
    same = (ours.ids == theirs.ids[row]) & (np.abs(ours.scores - theirs.scores[row]) <= tolerance.raw_scores)
    near = np.abs(ours.boxes - theirs.boxes[row]).max(axis=1, initial=0.0) <= tolerance.box
    return bool((same & near).any())

"""The score from which on detections are taken: for each class, that at which F1 is best."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.measured import OperatingPoint
from tfrec_tools.detector.evaluation.overlaps import SAME_OBJECT, hits, ious
from tfrec_tools.errors import InputError
from tfrec_tools.labels import model_folders
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.regular_files import read_bytes

USUAL = 0.5  # where there is nothing to choose a score by
FILE = model_folders.SCORES

SCORES = np.linspace(0.0, 1.0, 101).astype(np.float32)

Needed = Mapping[int, float]  # {id: score from which on}; USUAL for others


def operating_point(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], label_id: int
) -> OperatingPoint | None:
    """Returns where the F1 of a class is best on images that were annotated for it; None where none of its
    boxes is found. Crowds and difficult boxes are neither to be found nor, found, a mistake."""
    scores, right, boxes = _outcomes(examples, detections, label_id)
    if not right.any():
        return None
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(right[order])
    best = int(np.argmax(true / (np.arange(1, len(order) + 1) + boxes)))
    last, following = (*scores[order].tolist(), 0.0)[best : best + 2]
    return OperatingPoint(
        (last + following) / 2.0, last, float(true[best] / (best + 1)), float(true[best] / boxes)
    )


def f1_over_score(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], label_id: int
) -> tuple[float, ...]:
    """Returns the F1 of a class at IoU 0.5 when detections count from each of SCORES on, as
    `operating_point` measures it; 0 where nothing is to be found."""
    scores, right, boxes = _outcomes(examples, detections, label_id)
    order = np.argsort(-scores, kind="stable")
    true = np.concatenate([[0], np.cumsum(right[order])])
    count = np.searchsorted(-scores[order], -SCORES, side="right")  # (101,) detections that count
    return tuple((2.0 * true[count] / np.maximum(count + boxes, 1)).tolist())


def above_threshold(detections: ImageDetections, needed: Needed) -> ImageDetections:
    """Returns the detections that reach the score of their class."""
    kept = reach(detections, needed)
    return ImageDetections(detections.boxes[kept], detections.scores[kept], detections.ids[kept])


def reach(detections: ImageDetections, needed: Needed) -> NDArray[np.bool_]:
    """Returns (M,) which detections reach the score of their class."""
    least = [needed.get(label_id, USUAL) for label_id in detections.ids.tolist()]
    return detections.scores >= np.array(least, np.float32)


def format_scores(points: Mapping[str, OperatingPoint]) -> str:
    """scores.json, of classes by name."""
    scores = {name: round(point.score, 4) for name, point in points.items()}
    return json.dumps(scores, ensure_ascii=False, indent=2) + "\n"


def read_scores(path: Path, labels: LabelMap) -> dict[int, float]:
    """Returns {id: score} of a scores.json, none where it is not there. Raises InputError where it is
    something else."""
    if not path.is_file():
        return {}
    try:
        scores = {
            labels.id_by_name[name]: float(score) for name, score in json.loads(read_bytes(path)).items()
        }
    except (ValueError, AttributeError, TypeError, RecursionError) as fault:
        raise InputError(path, f"is no {{class: score}} ({fault}); remove it, or say --score") from fault
    except KeyError as fault:
        raise InputError(path, f"class {fault} is not in the label map; remove it, or say --score") from fault
    return scores


def _outcomes(
    examples: Sequence[IndexedExample], detections: Sequence[ImageDetections], label_id: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
    """Returns scores (M,) of a class's detections, which of them are right (M,), and how many boxes there
    are."""
    scores, right, boxes = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0
    for example, of_image in zip(examples, detections, strict=True):
        if label_id in example.labeled:
            ignored = example.crowd | example.difficult
            is_its = example.ids == label_id
            mine = of_image.ids == label_id
            hit = hits(ious(of_image.boxes[mine], example.boxes[is_its & ~ignored]))
            passed_over = ious(of_image.boxes[mine], example.boxes[is_its & ignored]).max(axis=1, initial=0.0)
            counts = hit | (passed_over < SAME_OBJECT)
            scores.append(of_image.scores[mine][counts])
            right.append(hit[counts])
            boxes += int((is_its & ~ignored).sum())
    return np.concatenate(scores), np.concatenate(right), boxes

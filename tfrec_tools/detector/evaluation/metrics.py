"""How good a detector is on annotated images: COCO's numbers, curves, and what is taken for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation import bootstrap
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, boxes_by_class, coco_evaluation
from tfrec_tools.detector.evaluation.bootstrap import Spread
from tfrec_tools.detector.evaluation.measured import ClassMetrics, Scores
from tfrec_tools.detector.evaluation.operating_points import (
    Needed,
    f1_over_score,
    operating_point,
    reach,
)
from tfrec_tools.detector.evaluation.overlaps import SAME_OBJECT, ious
from tfrec_tools.detector.evaluation.spreads import ALL_AREAS, MOST, PLACES, spreads
from tfrec_tools.detector.evaluation.voc07 import average_precision_11
from tfrec_tools.labels.label_map import LabelMap


@dataclass(frozen=True, slots=True, eq=False)
class Metrics:
    """The metrics of all images.

    overall     COCO's means over the classes; voc07 likewise, None where it was not asked for
    confusion   (K+1, K+1) counts at IoU 0.5 of boxes annotated (rows) and found (columns) as the K classes
                of `names`; the last row is what was found where nothing is, the last column what was missed
    left_out    {class that the detector does not know: its boxes}, which nothing above counts
    """

    images: int
    boxes: int
    overall: Scores
    voc07: float | None
    classes: tuple[ClassMetrics, ...]
    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    left_out: Mapping[str, int] = field(default_factory=dict)


def measure(
    examples: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    labels: LabelMap,
    *,
    min_score: float | None,
    voc07: bool,
    intervals: bool = False,
) -> Metrics:
    """Measures the detections in `examples`. `min_score` counts for the confusion alone, None for the best
    score of each class: average precision is over all scores."""
    evaluation = coco_evaluation(examples, detections, labels)
    boxes = boxes_by_class(examples)
    columns = {
        column: label_id
        for column, label_id in enumerate(map(int, evaluation.params.catIds))
        if boxes.get(label_id)
    }
    of_draws = _spreads(evaluation, columns) if intervals else {}
    classes = tuple(
        ClassMetrics(
            label_id,
            labels.name_by_id[label_id],
            boxes[label_id],
            _scores(evaluation, slice(column, column + 1), of_draws.get(column, {})),
            _curve(evaluation, column),
            f1_over_score(examples, detections, label_id),
            average_precision_11(examples, detections, label_id) if voc07 else None,
            operating_point(examples, detections, label_id),
        )
        for column, label_id in columns.items()
    )
    needed = best_scores(classes) if min_score is None else dict.fromkeys(labels.name_by_id, min_score)
    return Metrics(
        len(examples),
        sum(boxes.values()),
        _scores(evaluation, slice(None), _spreads_of_means(of_draws.values())),
        float(np.mean([class_metrics.voc07 for class_metrics in classes])) if voc07 and classes else None,
        classes,
        labels.names,
        confusion(examples, detections, labels, needed),
    )


def best_scores(classes: Sequence[ClassMetrics]) -> Needed:
    """Returns {id: the score from which on to take the class}."""
    return {class_metrics.id: class_metrics.best.score for class_metrics in classes if class_metrics.best}


@dataclass(frozen=True, slots=True)
class Confused:
    """A class that is taken for another: how many of its boxes, and which share of them."""

    annotated: str
    found: str
    boxes: int
    share: float


def most_confused(metrics: Metrics, most: int = 10) -> list[Confused]:
    """Returns the pairs of classes of which most boxes of the first, by share, are found as the second; what
    is missed or found where nothing is counts as neither. `most` at most."""
    counts, names = metrics.confusion, metrics.names
    totals = counts.sum(axis=1)
    pairs = [
        Confused(
            names[row], names[column], int(counts[row, column]), float(counts[row, column] / totals[row])
        )
        for row, column in zip(*np.nonzero(counts[:-1, :-1]), strict=True)
        if row != column
    ]
    return sorted(pairs, key=lambda pair: (-pair.share, -pair.boxes))[:most]


def confusion(
    examples: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    labels: LabelMap,
    needed: Needed,
) -> NDArray[np.int64]:
    """Returns the confusion matrix of `Metrics`. Detections take the annotated box that they overlap most,
    the highest score first; crowds, difficult objects and what was found of them are left out, and so are
    classes that an image was not annotated for, unless they stand where another class is annotated."""
    places = {label.id: place for place, label in enumerate(labels.labels)}
    none = len(places)
    counts = np.zeros((none + 1, none + 1), np.int64)
    for example, of_image in zip(examples, detections, strict=True):
        counted = np.flatnonzero(reach(of_image, needed)).tolist()
        partners = _partners(example, of_image, counted)
        ignored = example.crowd | example.difficult
        for truth, label_id in enumerate(example.ids.tolist()):
            if not ignored[truth] and truth not in partners.values():
                counts[places[label_id], none] += 1
        for row in counted:
            partner, as_id = partners.get(row), int(of_image.ids[row])
            if partner is None and as_id in example.labeled:
                counts[none, places[as_id]] += 1
            elif partner is not None and not ignored[partner]:
                counts[places[int(example.ids[partner])], places[as_id]] += 1
    return counts


def _partners(example: IndexedExample, detections: ImageDetections, counted: Sequence[int]) -> dict[int, int]:
    """Returns {detection of `counted`: the annotated box that it stands for}; an ignored box may have
    many."""
    overlaps = ious(detections.boxes, example.boxes)  # (N, M)
    reusable = example.crowd | example.difficult
    free = np.ones(len(example.ids), bool)
    partners: dict[int, int] = {}
    for row in counted:
        candidates = np.where(free | reusable, overlaps[row], 0.0)
        if len(candidates) and candidates.max() >= SAME_OBJECT:
            partners[row] = int(candidates.argmax())
            free[partners[row]] = False
    return partners


def _scores(evaluation: COCOeval, classes: slice, of_draws: Mapping[str, Spread]) -> Scores:
    precision = evaluation.eval["precision"][:, :, classes, :, MOST]  # (IoU, recall, class, area)
    means = {name: _mean(precision[ious, ..., area]) for name, (ious, area) in PLACES.items()}
    return Scores(**means, intervals={name: spread.interval for name, spread in of_draws.items()})


def _curve(evaluation: COCOeval, column: int) -> tuple[float, ...]:
    at_50, _ = PLACES["ap50"]
    return tuple(evaluation.eval["precision"][at_50, :, column, ALL_AREAS, MOST].ravel().tolist())


def _mean(precision: NDArray[np.float64]) -> float | None:
    """COCOeval has -1 where there is nothing to be found."""
    there = precision[precision > -1]
    return float(there.mean()) if there.size else None


def _spreads(evaluation: COCOeval, columns: Iterable[int]) -> dict[int, dict[str, Spread]]:
    """Returns {place of a class: {score: its spread}}."""
    return {column: spreads(evaluation, column, PLACES) for column in columns}


def _spreads_of_means(of_classes: Iterable[Mapping[str, Spread]]) -> dict[str, Spread]:
    groups: dict[str, list[Spread]] = {}
    for of_class in of_classes:
        for name, spread in of_class.items():
            groups.setdefault(name, []).append(spread)
    return {name: bootstrap.mean(group) for name, group in groups.items()}

"""What metrics.json says, as plain values: of these are what is measured, what `evaluate --json` prints and
its schema, which needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Interval = tuple[float, float]  # of 95 %


@dataclass(frozen=True, slots=True)
class Scores:
    """COCO's average precisions, 0 to 1: over IoU 0.5 to 0.95, at 0.5, at 0.75, and of boxes below 32 x 32
    pixels, below 96 x 96, and larger. None where there are no such boxes. `intervals` are {name: 95 %
    interval} where they were asked for; None where too few images have such boxes."""

    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None
    intervals: Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Precision and recall of a class at IoU 0.5 (0 to 1) when detections count from a score on; `score` is
    in the middle between the last that counts, whose score is `highest`, and the next."""

    score: float
    highest: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """The metrics of a class that has boxes to be found.

    precision   at IoU 0.5 and recalls 0, 0.01, ..., 1: the best precision at that recall or more
    f1          at IoU 0.5 when detections count from scores 0, 0.01, ..., 1 on
    voc07       11-point AP at IoU 0.5; None where it was not asked for
    best        where F1 is best; None where none of its boxes is found
    """

    id: int
    name: str
    boxes: int
    scores: Scores
    precision: tuple[float, ...]
    f1: tuple[float, ...]
    voc07: float | None
    best: OperatingPoint | None


@dataclass(frozen=True, slots=True)
class MetricsDocument:
    """Of evaluate: metrics.json.

    min_score   from which on detections count in `confusion`; None for the best of each class
    overall     COCO's means over the classes; voc07 likewise, None where it was not asked for
    confusion   counts at IoU 0.5: rows as annotated, columns as found, in the order of `names`, then nothing
    left_out    {class that the detector does not know: its boxes}, which nothing above counts
    """

    model: str
    records: tuple[str, ...]
    min_score: float | None
    images: int
    boxes: int
    overall: Scores
    voc07: float | None
    classes: tuple[ClassMetrics, ...]
    names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    left_out: Mapping[str, int]

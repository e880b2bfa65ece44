"""What became of each box and each false alarm from one model to another, on the same annotated images.

A model takes its detections from a score on, class by class. The best first, each takes the box of its class
that it overlaps most, at IoU 0.5 or more; what takes none is a false alarm, unless it lies on a crowd or a
difficult object, which are neither to be found nor, found, a mistake. An image says nothing of a class that
it was not annotated for. All that is as `operating_points` and the evaluation have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.operating_points import Needed, above_threshold
from tfrec_tools.detector.evaluation.overlaps import SAME_OBJECT, ious, taken

Kind = Literal["lost", "won", "both", "missed", "new false alarm", "gone false alarm", "false alarm of both"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MISTAKES: frozenset[Kind] = frozenset({"lost", "new false alarm"})  # which the second model alone makes


@dataclass(frozen=True, slots=True, eq=False)
class Fate:
    """A box of an image and what became of it.

    id      of its class
    box     (4,) float32 [ymin xmin ymax xmax], normalised: the annotated one; of a false alarm the second
            model's, if it has it, else the first's
    first, second   the scores with which the models found it; None of who did not
    """

    kind: Kind
    id: int
    box: NDArray[np.float32]
    first: float | None
    second: float | None

    @property
    def severity(self) -> float:
        """How sure a model was of what the second one does worse than the first; 0 where it does not."""
        if self.kind not in MISTAKES:
            return 0.0
        return (self.first if self.kind == "lost" else self.second) or 0.0


def fates(
    examples: Sequence[IndexedExample],
    first: tuple[Sequence[ImageDetections], Needed],
    second: tuple[Sequence[ImageDetections], Needed],
) -> list[tuple[Fate, ...]]:
    """Returns those of each image; a model is its detections in each, and the scores from which on they
    count."""
    return [
        tuple(_of_image(example, above_threshold(a, first[1]), above_threshold(b, second[1])))
        for example, a, b in zip(examples, first[0], second[0], strict=True)
    ]


def _of_image(example: IndexedExample, first: ImageDetections, second: ImageDetections) -> Iterator[Fate]:
    classes = {*example.ids.tolist(), *first.ids.tolist(), *second.ids.tolist()} & example.labeled
    for label_id in sorted(classes):
        mine = example.ids == label_id
        ignored = example.crowd | example.difficult
        boxes, passed_over = example.boxes[mine & ~ignored], example.boxes[mine & ignored]
        of_first, of_second = (_split(seen, label_id, boxes, passed_over) for seen in (first, second))
        for place, box in enumerate(boxes):
            scores = of_first.hits.get(place), of_second.hits.get(place)
            yield Fate(_KIND_OF_BOX[tuple(score is not None for score in scores)], label_id, box, *scores)
        yield from _alarms(label_id, of_first, of_second)


_KIND_OF_BOX: dict[tuple[bool, ...], Kind] = {
    (True, False): "lost",
    (False, True): "won",
    (True, True): "both",
    (False, False): "missed",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a model found of a class in an image: {place of a box: score}, and its false alarms, best first:
    boxes (N, 4), scores (N,)."""

    hits: dict[int, float]
    boxes: NDArray[np.float32]
    scores: list[float]


def _split(
    detections: ImageDetections,
    label_id: int,
    boxes: NDArray[np.float32],
    passed_over: NDArray[np.float32],
) -> _Seen:
    mine = detections.ids == label_id
    seen, scores = detections.boxes[mine], detections.scores[mine]
    places = taken(ious(seen, boxes))
    hits = {place: score for place, score in zip(places.tolist(), scores.tolist(), strict=True) if place >= 0}
    alarms = (places < 0) & (ious(seen, passed_over).max(axis=1, initial=0.0) < SAME_OBJECT)
    return _Seen(hits, seen[alarms], scores[alarms].tolist())


def _alarms(label_id: int, first: _Seen, second: _Seen) -> Iterator[Fate]:
    """The false alarms of both models, those that are the same as one."""
    places = _same(second.boxes, first.boxes)
    for box, score, place in zip(second.boxes, second.scores, places, strict=True):
        if place < 0:
            yield Fate("new false alarm", label_id, box, None, score)
        else:
            yield Fate("false alarm of both", label_id, box, first.scores[place], score)
    for place in sorted(set(range(len(first.scores))) - set(places)):
        yield Fate("gone false alarm", label_id, first.boxes[place], first.scores[place], None)


def _same(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> list[int]:
    """Returns for each of `boxes` (N, 4), the best first, the place of the one of `others` (M, 4) that it is
    the same as, -1 where there is none: the one left that it overlaps most, at IoU 0.5 or more. Boxes without
    an area are the same as their equals, so that no model differs from itself."""
    equal = (boxes[:, None] == others[None]).all(axis=-1)
    overlaps = np.maximum(ious(boxes, others), equal)  # (N, M)
    places = []
    for row in range(len(boxes)):
        best = int(overlaps[row].argmax()) if len(others) else -1
        is_same = best >= 0 and overlaps[row, best] >= SAME_OBJECT
        places.append(best if is_same else -1)
        if is_same:
            overlaps[:, best] = 0.0
    return places

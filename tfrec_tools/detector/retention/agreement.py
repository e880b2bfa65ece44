"""Old classes watched without old labels: how far a grown model finds what the base was confident of.

The base's confident detections stand for boxes, and the grown model's average precision is measured by them.
The base's own is 100 points, whatever the images; what is missing to that is what was unlearnt, and what the
base was wrong about. It is no average precision of the model, and is never shown as one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, boxes_by_class
from tfrec_tools.detector.evaluation.findings import Find
from tfrec_tools.detector.evaluation.overlaps import ious
from tfrec_tools.detector.losses.matching import LIKELY_SAME_IOU
from tfrec_tools.detector.retention.pseudo_labels import DOUBT
from tfrec_tools.detector.training.validation import Yardstick, few
from tfrec_tools.labels.label_map import LabelMap

# Of a class: with fewer boxes on images that are not learnt from, those that are learnt from count, too.
_ENOUGH: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Images with what the base is confident of as their boxes.

    val      those to choose by
    more     others; `learnt` of them, the last ones, are learnt from as well
    decides  whether choices go by them, as no old class has a box among those to choose by
    """

    val: Sequence[IndexedExample]
    more: Sequence[IndexedExample] = ()
    learnt: int = 0
    decides: bool = False

    @property
    def boxes(self) -> dict[int, int]:
        """{id: boxes of the class}"""
        return boxes_by_class([*self.val, *self.more])

    def yardstick(self, val: Sequence[IndexedExample]) -> Yardstick:
        """Returns what to choose with; `val` are the images to choose by as they are annotated."""
        return Yardstick(few(val), [*few(self.val), *self.more] if self.decides else ())


def decides(val: Sequence[IndexedExample], old: Collection[int]) -> bool:
    """Returns whether there are old classes, by id, but none of them has a box in the images to choose by."""
    return bool(old) and boxes_by_class(val).keys().isdisjoint(old)


def believed(
    examples: Sequence[IndexedExample],
    detections: Sequence[ImageDetections],
    thresholds: Mapping[int, float],
) -> list[IndexedExample]:
    """Returns the examples with what the base is confident of as their boxes, from the threshold of a class
    on, as if annotated for those classes alone. What it half believes, and what it sees where a class that
    it cannot know is annotated, is neither to be found nor, found, a mistake."""
    return [_believed(*pair, thresholds) for pair in zip(examples, detections, strict=True)]


def watched(
    val: Sequence[IndexedExample],
    held: Sequence[IndexedExample],
    learnt: Sequence[IndexedExample],
    thresholds: Mapping[int, float],
    find: Find,
) -> Watched:
    """Returns images to watch the classes of the thresholds by, where no box of them is annotated: those of
    `val`, which are believed already, others that are held back for this, and some that are learnt from
    where a class has too few boxes on the former."""
    step = "watching old classes"

    def seen(examples: Sequence[IndexedExample]) -> list[IndexedExample]:
        some = few(examples)
        return believed(some, find(step, some), thresholds)

    more = seen(held)
    counts = boxes_by_class([*val, *more])
    too_few = any(counts.get(label_id, 0) < _ENOUGH for label_id in thresholds)
    from_training = seen(learnt) if too_few else []
    return Watched(val, [*more, *from_training], len(from_training), decides=True)


def explained(watched: Watched, thresholds: Mapping[int, float], labels: LabelMap) -> str:
    """Returns a line for the user: what the old classes are watched by, and which of them are not."""
    boxes, images = watched.boxes, len(watched.val) + len(watched.more)
    lowest, highest = min(thresholds.values()), max(thresholds.values())
    scores = f"{lowest:.2f}" if lowest == highest else f"{lowest:.2f} to {highest:.2f}, by class,"
    also_learnt = f", {watched.learnt} of them learnt from as well" if watched.learnt else ""
    line = (
        "no box of an old class is there to choose by: old classes are watched by their agreement with the "
        f"base, AP50 by its {sum(boxes.values())} detections from a score of {scores} on, on {images} "
        f"images{also_learnt}; the blend, the best step and --max-forget go by it"
    )
    unseen = [labels.name_by_id[label_id] for label_id in thresholds if not boxes.get(label_id)]
    return f"{line}; nothing shows whether {', '.join(map(repr, unseen))} is kept" if unseen else line


def _believed(
    example: IndexedExample, detections: ImageDetections, thresholds: Mapping[int, float]
) -> IndexedExample:
    needed = np.array([thresholds.get(int(label_id), np.inf) for label_id in detections.ids])
    has_area = (detections.boxes[:, 2:] > detections.boxes[:, :2]).all(axis=1)
    kept = np.isfinite(needed) & has_area & (detections.scores >= DOUBT)
    boxes, ids = detections.boxes[kept], detections.ids[kept]
    others = example.boxes[~np.isin(example.ids, list(thresholds))]
    is_other = ious(boxes, others).max(axis=1, initial=0.0) > LIKELY_SAME_IOU
    heights, widths = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).T
    return replace(
        example,
        boxes=boxes,
        ids=ids,
        crowd=np.zeros(len(ids), bool),
        weights=np.ones(len(ids), np.float32),
        labeled=frozenset(thresholds),
        difficult=is_other | (detections.scores[kept] < needed[kept]),
        areas=heights * example.height * widths * example.width,
    )

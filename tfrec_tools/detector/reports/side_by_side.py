"""Two models on the same annotated images: what the second one lost, won and gets wrong, class by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import (
    AveragePrecision,
    ImageDetections,
    average_precision,
    mean,
)
from tfrec_tools.detector.evaluation.differences import Difference, difference
from tfrec_tools.detector.evaluation.fates import KINDS, Fate, Kind, fates
from tfrec_tools.detector.evaluation.measured import Interval
from tfrec_tools.detector.evaluation.operating_points import USUAL, Needed
from tfrec_tools.detector.evaluation.wording import about, changed, changed_words, scored
from tfrec_tools.drawing.gallery import Line, Numbers
from tfrec_tools.errors import counted, inflected, listed
from tfrec_tools.labels.label_map import LabelMap

FIRST_SCORE = "AP50 A"  # the first column that counts no boxes
_KINDS_SHORT = ("lost", "won", "both", "missed", "new alarms", "gone", "same")  # in the order of KINDS


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A model: what people call it, the ids of the classes that it can know, its detections in each image,
    and the scores from which on they count; {id: its average precision}, with spreads, where that is known
    already."""

    name: str
    ids: frozenset[int]
    detections: Sequence[ImageDetections]
    needed: Needed
    precisions: Mapping[int, AveragePrecision] | None = None

    def score(self, label_id: int) -> float | None:
        """From which on a class counts; None of one that it cannot know."""
        return self.needed.get(label_id, USUAL) if label_id in self.ids else None


@dataclass(frozen=True, slots=True)
class ClassLine:
    """A class, or all that both know.

    boxes     annotated, to be found
    counts    {kind: how many}; "lost" says nothing of a class that the first model cannot know
    first, second    AP50; None of who cannot know it, and where it has no boxes
    scores    from which on it counts for the first and for the second
    """

    name: str
    boxes: int
    counts: Mapping[Kind, int]
    first: AveragePrecision | None
    second: AveragePrecision | None
    scores: tuple[float | None, float | None] = (None, None)

    @property
    def is_won_alone(self) -> bool:
        """Whether the second model alone can know the class, so that nothing of it can be lost."""
        return self.scores[0] is None and self.scores[1] is not None

    @property
    def change(self) -> Difference | None:
        """The second less the first, with its paired interval."""
        return difference(self.first, self.second) if self.first and self.second else None


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two models, the classes of either by id, the images with what became of each box; `lines` are the
    classes, `shared` all that both know (its AP50 the mean), None where there are none. `left_out`: {class
    that neither knows: its boxes}."""

    first: Side
    second: Side
    labels: LabelMap
    examples: Sequence[IndexedExample]
    fates: Sequence[tuple[Fate, ...]]
    lines: Sequence[ClassLine]
    shared: ClassLine | None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def intervals(self) -> list[Interval | None]:
        """Of all that has one."""
        measured = [precision for line in self.lines for precision in (line.first, line.second) if precision]
        return [interval for precision in measured for interval in precision.intervals.values()]


def compared(
    examples: Sequence[IndexedExample],
    first: Side,
    second: Side,
    labels: LabelMap,
    left_out: Mapping[str, int] | None = None,
) -> Compared:
    """Holds the detections of two models against the annotations; those of a class that a model cannot know
    are none."""
    of_images = fates(examples, (first.detections, first.needed), (second.detections, second.needed))
    counts: dict[int, Counter[Kind]] = {label_id: Counter() for label_id in labels.name_by_id}
    for of_image in of_images:
        for fate in of_image:
            counts[fate.id][fate.kind] += 1
    before, after = (_precisions(examples, side, labels) for side in (first, second))
    lines = [
        ClassLine(
            name,
            sum(counts[label_id][kind] for kind in KINDS[:4]),
            dict(counts[label_id]),
            before.get(label_id),
            after.get(label_id),
            (first.score(label_id), second.score(label_id)),
        )
        for label_id, name in labels.name_by_id.items()
    ]
    both = sorted(first.ids & second.ids)
    shared = None
    if both:
        total = sum((counts[label_id] for label_id in both), Counter[Kind]())
        boxes = sum(total[kind] for kind in KINDS[:4])
        shared = ClassLine("classes of both", boxes, dict(total), mean(before, both), mean(after, both))
    return Compared(first, second, labels, examples, of_images, lines, shared, left_out or {})


def _precisions(
    examples: Sequence[IndexedExample], side: Side, labels: LabelMap
) -> dict[int, AveragePrecision]:
    measured = side.precisions
    if measured is None:
        measured = average_precision(examples, side.detections, labels, spread=True)
    return {label_id: precision for label_id, precision in measured.items() if label_id in side.ids}


def numbers(result: Compared) -> Numbers:
    """Returns the table, which leaves empty what nobody can say."""
    headers = ("class", "boxes", *_KINDS_SHORT, FIRST_SCORE, "AP50 B", "change", "score A", "score B")
    rows = [Line(_cells(line)) for line in result.lines if line.boxes or line.counts]
    if result.shared is not None:
        rows.append(Line(_cells(result.shared), is_mean=True))
    return Numbers(headers, rows)


def _cells(line: ClassLine) -> tuple[str, ...]:
    counts = [str(line.counts.get(kind, 0)) for kind in KINDS]
    if line.is_won_alone:
        counts[KINDS.index("lost")] = ""
    return (
        line.name,
        str(line.boxes),
        *counts,
        *(
            scored(side.ap50, side.intervals.get("ap50")) if side else ""
            for side in (line.first, line.second)
        ),
        changed(line.change),
        *("" if score is None else f"{score:.2f}" for score in line.scores),
    )


def summary(result: Compared) -> str:
    """Returns what there is to say in sentences: of whom, on what, and what changed in the classes of
    both."""
    count = len(result.examples)
    on = f"on {count:,} {inflected(count, 'image')}"
    words = [f"A is {result.first.name}, B is {result.second.name}, {on}."]
    if result.shared is None:
        words.append("They have no class in common.")
    elif result.shared.change is not None:
        words.append(f"On the classes of both, B {changed_words(result.shared.change)}.")
    for side, opposite, letter in (
        (result.second, result.first, "B"),
        (result.first, result.second, "A"),
    ):
        if alone := sorted(side.ids - opposite.ids):
            names = listed([result.labels.name_by_id[label_id] for label_id in alone])
            words.append(f"Known to {letter} alone: {names}.")
    if result.left_out:
        total = sum(result.left_out.values())
        words.append(f"Left out: {counted(total, 'box')} of classes that neither knows.")
    words.append(about(result.intervals))
    return " ".join(words)

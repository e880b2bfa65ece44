"""What a run kept and what it learned, as a table in memory and as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, mean
from tfrec_tools.detector.evaluation.operating_points import OperatingPoint
from tfrec_tools.detector.model.class_rows import ClassRow

POINT_HEADERS = ("class", "score", "precision", "recall")
AGREEMENT = "agreement with the base"  # the header of its column


@dataclass(frozen=True, slots=True)
class Line:
    """A class, or the mean of a group of classes, before and after; None where there is nothing to tell:
    no boxes to be found, or a class that the base does not know.

    agreement  average precision by the base's confident detections, which `boxes` of it counts; that is the
               agreement of the grown model with the base, and says nothing of how right either is
    """

    name: str
    group: str
    is_mean: bool
    boxes: int
    before: AveragePrecision | None
    after: AveragePrecision | None
    agreement: AveragePrecision | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """How the old classes were watched without their labels.

    lost     points of 100 of the agreement with the base
    images   that it was measured on; `learnt` of them were learnt from
    decides  whether choices went by it, as no old class had a box to choose by
    """

    lost: float
    images: int
    learnt: int
    decides: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What else there is to say of a run.

    forgetting  as `forgetting` below
    steps       that were trained; `ended` says what ended them, `best_step` whose weights were taken
    thresholds  {id: score} from which on the base was believed
    blends      {share of the training kept: harmonic mean of old and new AP50}, the one taken first
    images      {what for: how many}
    augmentations  how those to train with were varied, kinds of pipeline.augmentation
    set_aside   the new images that were chosen and measured by, where no others were given
    agreement   with the base; None without old classes that it was confident of
    """

    base: str
    forgetting: float | None
    steps: int
    ended: str
    best_step: int
    thresholds: Mapping[int, float]
    blends: Mapping[float, float]
    images: Mapping[str, int]
    augmentations: Sequence[str]
    seconds: float
    versions: Mapping[str, str]
    set_aside: Sequence[str] = ()
    agreement: Watching | None = None


def comparison(
    rows: Sequence[ClassRow],
    before: Mapping[int, AveragePrecision],
    after: Mapping[int, AveragePrecision],
    agreed: Mapping[int, AveragePrecision] = MappingProxyType({}),
) -> list[Line]:
    """Returns a line a class, then the means of the old (where there are some), the new and all classes."""
    old = [row.id for row in rows if row.base_id is not None]
    new = [row.id for row in rows if row.base_id is None]
    known = {label_id: before[label_id] for label_id in old if label_id in before}
    lines = [
        Line(
            row.name,
            "new" if row.base_id is None else "old",
            False,
            _boxes(after, row.id),
            known.get(row.id),
            after.get(row.id),
            agreed.get(row.id),
        )
        for row in rows
    ]
    groups = {"old": old, "new": new, "all": old + new}
    for name, ids in ((name, ids) for name, ids in groups.items() if ids):
        group_after = mean(after, ids)
        boxes = group_after.boxes if group_after else 0
        group_before, agreement = _mean_before(known, after, ids), mean(agreed, ids if name == "old" else ())
        lines.append(Line(f"mean of {name}", name, True, boxes, group_before, group_after, agreement))
    return lines


def forgetting(lines: Sequence[Line]) -> float | None:
    """Returns points (0 to 100) of AP50 that the old classes lost in the mean, less than 0 where they gained;
    None without old classes that can be measured."""
    for line in lines:
        if line.is_mean and line.group == "old" and line.before and line.after:
            return round(100.0 * (line.before.ap50 - line.after.ap50), 2)
    return None


def agreement_lost(lines: Sequence[Line]) -> float | None:
    """Returns points (0 to 100) of the agreement with the base that the old classes lost in the mean; None
    where it was confident of none."""
    for line in lines:
        if line.is_mean and line.group == "old" and line.agreement:
            return round(100.0 * (1.0 - line.agreement.ap50), 2)
    return None


def watching(lines: Sequence[Line], images: int, learnt: int, *, decides: bool) -> Watching | None:
    lost = agreement_lost(lines)
    return None if lost is None else Watching(lost, images, learnt, decides)


def has_agreement_alone(lines: Sequence[Line]) -> bool:
    """Returns whether agreement is all that there is to say of an old class, so that tables are to show
    it."""
    return any(line.agreement and not line.after for line in lines)


def agreement_words(watching: Watching) -> str:
    """Returns a sentence that says what was measured."""
    learnt = f", {watching.learnt} of them learnt from as well" if watching.learnt else ""
    return (
        f"The old classes lost {watching.lost:.1f} points of their agreement with the base: AP50 by what the "
        f"base is confident of, not by labels, on {watching.images} images{learnt}."
    )


def harmonic_mean(lines: Sequence[Line]) -> float | None:
    """Returns the harmonic mean of the mean AP50 of old and of new classes after training, in points; None
    where one of them is missing."""
    means = {line.group: line.after.ap50 for line in lines if line.is_mean and line.after}
    if not {"old", "new"} <= means.keys():
        return None
    return round(100.0 * average_precision.harmonic_mean(means["old"], means["new"]), 2)


def point_rows(best: Mapping[str, OperatingPoint]) -> list[tuple[str, ...]]:
    """Returns rows under POINT_HEADERS, of classes by name."""
    return [
        (name, f"{point.score:.2f}", f"{100 * point.precision:.1f}", f"{100 * point.recall:.1f}")
        for name, point in best.items()
    ]


def write_metrics_csv(path: Path, lines: Sequence[Line]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "group", "boxes", "ap50_before", "ap50_after", "ap_before", "ap_after"])
        for line in lines:
            scores = [
                _rounded(precision, key) for key in ("ap50", "ap") for precision in (line.before, line.after)
            ]
            writer.writerow([line.name, line.group, line.boxes, *scores])


def write_report_json(path: Path, lines: Sequence[Line], facts: Facts) -> None:
    classes = [asdict(line) for line in lines]
    report = {**asdict(facts), "harmonic_mean": harmonic_mean(lines), "classes": classes}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _boxes(precisions: Mapping[int, AveragePrecision], label_id: int) -> int:
    return precisions[label_id].boxes if label_id in precisions else 0


def _mean_before(
    known: Mapping[int, AveragePrecision], after: Mapping[int, AveragePrecision], ids: Sequence[int]
) -> AveragePrecision | None:
    """A class that the base does not know counts as 0, unless the whole group is such."""
    if not any(label_id in known for label_id in ids):
        return None
    zeros = {
        label_id: AveragePrecision(0.0, 0.0, after[label_id].boxes) for label_id in ids if label_id in after
    }
    return mean({**zeros, **known}, ids)


def _rounded(precision: AveragePrecision | None, key: str) -> float | str:
    return "" if precision is None else round(float(getattr(precision, key)), 4)

"""What a run kept and what it learned, as a table in memory and as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, mean
from tfrec_tools.detector.evaluation.calibration import NONE, Calibration
from tfrec_tools.detector.evaluation.differences import Difference, difference
from tfrec_tools.detector.evaluation.measured import Interval, OperatingPoint
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.training.run_notes import NO_OLD_CLASSES, OF_AGREEMENT, Lost
from tfrec_tools.errors import InputError, counted
from tfrec_tools.system.atomic import published
from tfrec_tools.system.regular_files import read_text

POINT_HEADERS = ("class", "score", "precision", "recall")
_KEYS = ("ap50", "ap")
_SCORES = tuple(f"{key}_{when}" for key in _KEYS for when in ("before", "after"))
_BOUNDS = tuple(f"{score}_{bound}" for score in (*_SCORES, "ap50_change") for bound in ("low", "high"))
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

    @property
    def change(self) -> Difference | None:
        """After less before."""
        return difference(self.before, self.after) if self.before and self.after else None


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
    calibration  what was added to the logits of new classes
    set_aside   the new images that were chosen and measured by, where no others were given
    finished    when, in UTC, ISO 8601
    measured_with   in words, which images it was measured with
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
    calibration: Calibration = NONE
    set_aside: Sequence[str] = ()
    agreement: Watching | None = None
    finished: str = ""
    measured_with: str = ""


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
    change = change_of_old(lines)
    return round(-100.0 * change.ap50, 2) if change else None


def change_of_old(lines: Sequence[Line]) -> Difference | None:
    """Returns by how much the mean AP50 of the old classes is another after than before; None without old
    classes that can be measured."""
    changes = (line.change for line in lines if line.is_mean and line.group == "old")
    return next((change for change in changes if change), None)


def intervals(lines: Sequence[Line]) -> list[Interval | None]:
    """Returns all that the lines have."""
    measured = (precision for line in lines for precision in (line.before, line.after) if precision)
    return [interval for precision in measured for interval in precision.intervals.values()]


def gained(lines: Sequence[Line], control: Sequence[Line]) -> list[tuple[Line, Difference]]:
    """Returns the lines of a grown model, each with its AP50 less that of the plain fine-tuning measured on
    the same images; those that cannot be measured are left out."""
    return [
        (line, difference(plain.after, line.after))
        for line, plain in zip(lines, control, strict=True)
        if line.after and plain.after
    ]


def agreement_lost(lines: Sequence[Line]) -> float | None:
    """Returns points (0 to 100) of the agreement with the base that the old classes lost in the mean; None
    where it was confident of none."""
    for line in lines:
        if line.is_mean and line.group == "old" and line.agreement:
            return round(100.0 * (1.0 - line.agreement.ap50), 2)
    return None


def lost(lines: Sequence[Line]) -> Lost:
    """Returns what the old classes lost, by labels where one of them is labelled."""
    if all(line.group != "old" for line in lines):
        return NO_OLD_CLASSES
    points = forgetting(lines)
    return Lost(agreement_lost(lines), OF_AGREEMENT) if points is None else Lost(points)


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
        f"base is confident of, not by labels, on {counted(watching.images, 'image')}{learnt}."
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
        writer.writerow(["name", "group", "boxes", *_SCORES, *_BOUNDS])
        for line in lines:
            pairs = [(precision, key) for key in _KEYS for precision in (line.before, line.after)]
            scores = [getattr(precision, key) if precision else None for precision, key in pairs]
            intervals = [precision.intervals.get(key) if precision else None for precision, key in pairs]
            intervals.append(line.change.interval if line.change else None)
            bounds = [bound for interval in intervals for bound in interval or (None, None)]
            writer.writerow([line.name, line.group, line.boxes, *map(_rounded, (*scores, *bounds))])


def write_report_json(path: Path, lines: Sequence[Line], facts: Facts, names: Mapping[int, str]) -> None:
    """What says how good something is stands there as fractions, and by the names of classes.

    names   {id: name} of the grown model
    """
    report = {
        **asdict(facts),
        "forgetting": _share(facts.forgetting),
        "agreement": facts.agreement and {**asdict(facts.agreement), "lost": _share(facts.agreement.lost)},
        "thresholds": {names[label_id]: score for label_id, score in facts.thresholds.items()},
        "calibration": {**asdict(facts.calibration), "note": facts.calibration.note},
        "harmonic_mean": _share(harmonic_mean(lines)),
        "classes": [_line_document(line) for line in lines],
    }
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _share(points: float | None) -> float | None:
    return None if points is None else round(points / 100, 4)


def write_gained(path: Path, lines: Sequence[Line], control: Sequence[Line]) -> None:
    """What `gained` says, a row a class and mean."""
    rows = [
        {"name": line.name, "group": line.group, "is_mean": line.is_mean, **difference_document(gain)}
        for line, gain in gained(lines, control)
    ]
    with published(path) as (part,):
        part.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _line_document(line: Line) -> dict[str, Any]:
    values = {field.name: getattr(line, field.name) for field in fields(line)}
    documents = {
        name: precision_document(value) if isinstance(value, AveragePrecision) else value
        for name, value in values.items()
    }
    return {**documents, "change": line.change and difference_document(line.change)}


def precision_document(precision: AveragePrecision) -> dict[str, Any]:
    scores = {"ap": precision.ap, "ap50": precision.ap50, "boxes": precision.boxes}
    return {**scores, "intervals": precision.intervals}


def difference_document(change: Difference) -> dict[str, Any]:
    return {"ap50": change.ap50, "interval": change.interval, "within_error": change.within_error}


def read_lines(report: Path) -> list[Line]:
    """Returns the lines of what `write_report_json` wrote, without the spreads that intervals are made of.
    Raises InputError where it is no such."""
    try:
        classes = json.loads(read_text(report))["classes"]
        return [
            Line(
                *(line[name] for name in ("name", "group", "is_mean", "boxes")),
                *(_read_precision(line[name]) for name in ("before", "after", "agreement")),
            )
            for line in classes
        ]
    except (ValueError, TypeError, KeyError) as fault:
        raise InputError(report, f"cannot be read as a run's report ({fault}); start the run anew") from fault


def _read_precision(document: dict[str, Any] | None) -> AveragePrecision | None:
    names = ("ap", "ap50", "boxes")
    return None if document is None else AveragePrecision(*(document[name] for name in names))


def _boxes(precisions: Mapping[int, AveragePrecision], label_id: int) -> int:
    return precisions[label_id].boxes if label_id in precisions else 0


def _mean_before(
    known: Mapping[int, AveragePrecision], after: Mapping[int, AveragePrecision], ids: Sequence[int]
) -> AveragePrecision | None:
    """A class that the base does not know counts as 0, unless the whole group is such."""
    if not any(label_id in known for label_id in ids):
        return None
    zeros = {label_id: after[label_id].of_nothing for label_id in ids if label_id in after}
    return mean({**zeros, **known}, ids)


def _rounded(share: float | None) -> float | str:
    return "" if share is None else round(float(share), 4)

"""What a run kept and what it learned, as a table in memory and as files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tfrec_tools.detector.evaluation import average_precision
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, mean
from tfrec_tools.detector.evaluation.operating_points import OperatingPoint
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_text

POINT_HEADERS = ("class", "score", "precision", "recall")


@dataclass(frozen=True, slots=True)
class Line:
    """A class, or the mean of a group of classes, before and after; None where there is nothing to tell:
    no boxes to be found, or a class that the base does not know."""

    name: str
    group: str
    is_mean: bool
    boxes: int
    before: AveragePrecision | None
    after: AveragePrecision | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What else there is to say of a run.

    forgetting  as `forgetting` below
    steps       that were trained; `ended` says what ended them, `best_step` whose weights were taken
    thresholds  {id: score} from which on the base was believed
    blends      {share of the training kept: harmonic mean of old and new AP50}, the one taken first
    images      {what for: how many}
    augmentations  how those to train with were varied, kinds of pipeline.augmentation
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


def comparison(
    rows: Sequence[ClassRow], before: Mapping[int, AveragePrecision], after: Mapping[int, AveragePrecision]
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
        )
        for row in rows
    ]
    groups = {"old": old, "new": new, "all": old + new}
    for name, ids in ((name, ids) for name, ids in groups.items() if ids):
        group_after = mean(after, ids)
        boxes = group_after.boxes if group_after else 0
        lines.append(Line(f"mean of {name}", name, True, boxes, _mean_before(known, after, ids), group_after))
    return lines


def forgetting(lines: Sequence[Line]) -> float | None:
    """Returns points (0 to 100) of AP50 that the old classes lost in the mean, less than 0 where they gained;
    None without old classes that can be measured."""
    for line in lines:
        if line.is_mean and line.group == "old" and line.before and line.after:
            return round(100.0 * (line.before.ap50 - line.after.ap50), 2)
    return None


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


def read_lines(report: Path) -> list[Line]:
    """Returns the lines of what `write_report_json` wrote. Raises InputError where it is no such."""
    try:
        classes = json.loads(read_text(report))["classes"]
        return [
            Line(
                **line | {when: line[when] and AveragePrecision(**line[when]) for when in ("before", "after")}
            )
            for line in classes
        ]
    except (ValueError, TypeError, KeyError) as fault:
        raise InputError(report, f"cannot be read as a run's report ({fault}); start the run anew") from fault


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

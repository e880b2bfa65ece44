"""The page of a run: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tfrec_tools.detector.evaluation.measured import OperatingPoint
from tfrec_tools.detector.evaluation.metrics import Confused
from tfrec_tools.detector.evaluation.wording import about, changed, changed_words, scored
from tfrec_tools.detector.reports import comparison
from tfrec_tools.detector.reports.comparison import (
    AGREEMENT,
    POINT_HEADERS,
    Facts,
    Line,
    agreement_words,
    harmonic_mean,
    has_agreement_alone,
    point_rows,
)
from tfrec_tools.drawing.gallery import is_number
from tfrec_tools.drawing.templates import filled
from tfrec_tools.errors import counted
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.toml_options import Values

_SHIFTS = ("class", "boxes to choose by", "score of best F1 before", "added to the logits")
_CONFUSED = ("annotated as", "found as", "boxes", "% of the class")
_SCORES = ("class", "", "boxes", "AP50 before", "AP50 after", "change", "AP before", "AP after")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table; a mean is set off from the others."""

    cells: Sequence[str]
    is_mean: bool = False


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the page, with a title above it if it has one."""

    title: str
    headers: Sequence[str]
    rows: Sequence[_Row]


@dataclass(frozen=True, slots=True)
class Attached:
    """What else the page shows: {title: address of an image}, the address of the page that has the base
    and the grown model side by side, "" where there is none, and which classes are taken for others."""

    images: Mapping[str, str]
    beside: str = ""
    confused: Sequence[Confused] = ()


def format_page(
    lines: Sequence[Line],
    best: Mapping[str, OperatingPoint],
    facts: Facts,
    options: Values,
    labels: LabelMap,
    attached: Attached,
) -> str:
    """`best` are classes by name."""
    return filled(
        "tfrec_tools.detector.reports",
        "run_page.html",
        title=f"{facts.base} grown to {counted(len(labels), 'class')}",
        lead=_summary(lines, facts),
        scores=_scores(lines),
        points=[*_points(best), *_confused(attached.confused)],
        images=attached.images,
        beside=attached.beside,
        settings=[
            *_choices(facts, labels),
            _data(facts),
            _table("Values", ("option", "set to"), [(name, str(options[name])) for name in options]),
            _table("Versions", ("package", "version"), list(facts.versions.items())),
        ],
        is_number=is_number,
    )


def _summary(lines: Sequence[Line], facts: Facts) -> str:
    words = [f"{counted(facts.steps, 'step')} in {facts.seconds / 60:.1f} minutes ({facts.ended})"]
    if facts.finished:
        words.append(f"finished {moment(facts.finished)}")
    if facts.measured_with:
        words.append(f"measured with {facts.measured_with}")
    words.append(f"varied by: {', '.join(facts.augmentations) or 'nothing'}")
    if (mean := harmonic_mean(lines)) is not None:
        words.append(f"harmonic mean of old and new AP50 {mean:.1f}")
    if change := comparison.change_of_old(lines):
        words.append(f"the old classes {changed_words(change)}")
    sentences = [f"{'; '.join(words)}.", about(comparison.intervals(lines)), facts.calibration.note]
    if has_agreement_alone(lines) and facts.agreement is not None:
        sentences.append(agreement_words(facts.agreement))
    return " ".join(filter(None, sentences))


def moment(text: str) -> str:
    """Returns 2026-11-30 09:00 UTC of 2026-11-30T09:00:00+00:00."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _scores(lines: Sequence[Line]) -> _Table:
    """Returns the table before and after, with the agreement where it is all there is to say of a class."""
    if not has_agreement_alone(lines):
        return _Table("", _SCORES, [_Row(_cells(line), line.is_mean) for line in lines])
    rows = [
        _Row((*_cells(line), f"{100 * line.agreement.ap50:.1f}" if line.agreement else ""), line.is_mean)
        for line in lines
    ]
    return _Table("", (*_SCORES, AGREEMENT), rows)


def _points(best: Mapping[str, OperatingPoint]) -> list[_Table]:
    """Returns the scores from which on detections are taken."""
    title = "Scores from which on the grown model is best taken (F1 at IoU 0.5)"
    return [_table(title, POINT_HEADERS, point_rows(best))] if best else []


def _confused(pairs: Sequence[Confused]) -> list[_Table]:
    """Returns the pairs of classes that the grown model confuses most."""
    rows = [(pair.annotated, pair.found, str(pair.boxes), f"{100 * pair.share:.1f}") for pair in pairs]
    return [_table("Most confused", _CONFUSED, rows)] if rows else []


def _data(facts: Facts) -> _Table:
    """Returns how many images are what for."""
    return _table(
        "Data", ("images", "count"), [(use, str(count)) for use, count in facts.images.items() if count]
    )


def _choices(facts: Facts, labels: LabelMap) -> list[_Table]:
    """Returns what was chosen on the validation images."""
    tables = []
    if facts.thresholds:
        rows = [(labels.name_by_id[id_], f"{score:.2f}") for id_, score in facts.thresholds.items()]
        tables.append(_table("Score from which the base was believed", ("class", "score"), rows))
    if facts.blends:
        rows = [(f"{alpha:g}", f"{100 * score:.1f}") for alpha, score in facts.blends.items()]
        by_agreement = facts.agreement is not None and facts.agreement.decides
        of_old = "agreement on the old and AP50 of the new" if by_agreement else "old and new AP50"
        headers = ("share of the training kept", f"harmonic mean of {of_old}")
        tables.append(_table("Blends with the base, the one taken first", headers, rows))
    if shifts := facts.calibration.shifts:
        shifted = [
            (shift.name, str(shift.boxes), _number(shift.score), _number(shift.added)) for shift in shifts
        ]
        title = "New classes brought to the level of the old ones"
        tables.append(_table(title, _SHIFTS, shifted))
    return tables


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _cells(line: Line) -> tuple[str, ...]:
    scores = [
        scored(getattr(precision, key), precision.intervals.get(key)) if precision else ""
        for key in ("ap50", "ap")
        for precision in (line.before, line.after)
    ]
    return (line.name, line.group, str(line.boxes), *scores[:2], changed(line.change), *scores[2:])


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> _Table:
    return _Table(title, headers, [_Row(cells) for cells in rows])

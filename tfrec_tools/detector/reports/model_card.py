"""The card of a grown model, README.md in its folder: where it comes from and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfrec_tools.detector.evaluation.operating_points import FILE, OperatingPoint
from tfrec_tools.detector.evaluation.wording import about, changed_words, scored
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
from tfrec_tools.system.toml_options import Values, format_options

_MEASURED = "COCO's average precision in points of 100, before and after, on the images to measure with."


def format_card(
    lines: Sequence[Line], best: Mapping[str, OperatingPoint], facts: Facts, options: Values
) -> str:
    """Markdown; `best` are classes by name."""
    classes = [line for line in lines if not line.is_mean]
    new = [line.name for line in classes if line.group == "new"]
    versions = ", ".join(f"{package} {version}" for package, version in facts.versions.items())
    parts = [
        f"# A detector of {len(classes)} classes",
        f"Grown from `{facts.base}` by `tfrec finetune`; new: {', '.join(new) or 'none'}.",
        "## Data",
        _table(("images", "count"), [(use, str(count)) for use, count in facts.images.items() if count]),
        "## How good it is",
        f"{_MEASURED} {about(comparison.intervals(lines))}",
        _table(*_precisions(lines)),
        _summary(lines, facts),
        *_scores(best),
        facts.calibration.note,
        "## How it was trained",
        f"{facts.steps} steps ({facts.ended}), the weights of step {facts.best_step}. {versions}.",
        f"Images varied by: {', '.join(facts.augmentations) or 'nothing'}.",
        f"```toml\n{format_options(options)}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(lines: Sequence[Line], facts: Facts) -> str:
    mean = harmonic_mean(lines)
    words = [] if mean is None else [f"Harmonic mean of old and new AP50: {mean:.1f}."]
    if change := comparison.change_of_old(lines):
        words.append(f"The old classes {changed_words(change)}.")
    if has_agreement_alone(lines) and facts.agreement is not None:
        words.append(agreement_words(facts.agreement))
    return " ".join(words)


def _scores(best: Mapping[str, OperatingPoint]) -> list[str]:
    """Returns the scores from which on detections are taken."""
    if not best:
        return []
    where = f"`{FILE}` beside this file, which `tfrec detect` reads"
    words = f"Detections are best taken from these scores on (best F1 at IoU 0.5; {where}):"
    return [words, _table(POINT_HEADERS, point_rows(best))]


def _precisions(lines: Sequence[Line]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns headers and rows; what old classes agree with the base by is a column where it is all that
    there is to say of one."""
    headers = ("class", "", "boxes", "AP50 before", "AP50 after", "AP after")
    rows = [_row(line) for line in lines]
    if not has_agreement_alone(lines):
        return headers, rows
    agreed = [f"{100 * line.agreement.ap50:.1f}" if line.agreement else "" for line in lines]
    return (*headers, AGREEMENT), [(*row, cell) for row, cell in zip(rows, agreed, strict=True)]


def _row(line: Line) -> tuple[str, ...]:
    pairs = [(line.before, "ap50"), (line.after, "ap50"), (line.after, "ap")]
    scores = [
        scored(getattr(precision, key), precision.intervals.get(key)) if precision else ""
        for precision, key in pairs
    ]
    return (line.name, line.group, str(line.boxes), *scores)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")

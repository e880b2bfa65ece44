"""The card of a grown model, README.md in its folder: where it comes from and how good it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfrec_tools.detector.evaluation.measured import OperatingPoint
from tfrec_tools.detector.evaluation.operating_points import FILE
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
from tfrec_tools.errors import counted
from tfrec_tools.system.toml_options import Values, format_options

_TASK = "object-detection"
_TO_FILL_IN = """\
- Licence: *to fill in*, here and in the header; those of the base and of the images bound it.
- Intended use: *to fill in*.
- Not intended for: *to fill in*; what is unlike the images below was not measured."""
_MEASURED = "COCO's average precision in points of 100, before and after, on the images to measure with."


def format_card(
    lines: Sequence[Line], best: Mapping[str, OperatingPoint], facts: Facts, options: Values
) -> str:
    """Markdown with Hugging Face's YAML header; `best` are classes by name."""
    classes = [line for line in lines if not line.is_mean]
    new = [line.name for line in classes if line.group == "new"]
    versions = ", ".join(f"{package} {version}" for package, version in facts.versions.items())
    parts = [
        _header(lines, facts, options),
        f"# A detector of {counted(len(classes), 'class')}",
        f"Grown from `{facts.base}` by `tfrec finetune`; new: {', '.join(new) or 'none'}.",
        "## Licence and intended use",
        _TO_FILL_IN,
        "## Data",
        _table(("images", "count"), [(use, str(count)) for use, count in facts.images.items() if count]),
        "## How good it is",
        f"{_MEASURED} {about(comparison.intervals(lines))}",
        f"Measured with {facts.measured_with}: `{_measured_by(options)}`." if facts.measured_with else "",
        _table(*_precisions(lines)),
        _summary(lines, facts),
        *_scores(best),
        facts.calibration.note,
        "## How it was trained",
        f"{counted(facts.steps, 'step')} ({facts.ended}), the weights of step {facts.best_step}"
        + (f", finished {facts.finished}" if facts.finished else "")
        + f". {versions}.",
        f"Images varied by: {', '.join(facts.augmentations) or 'nothing'}.",
        f"```toml\n{format_options(options)}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(lines: Sequence[Line], facts: Facts, options: Values) -> str:
    """Returns the metadata that Hugging Face's hub reads of a card, scores as fractions, in the form of
    `model-index` (https://huggingface.co/docs/hub/model-cards). Which licence holds only people know."""
    import yaml

    classes = [line for line in lines if not line.is_mean]
    metrics = [
        {"type": kind, "name": f"{shown}, {line.name} classes", "value": round(getattr(line.after, key), 4)}
        for line in lines
        if line.is_mean and line.after
        for kind, shown, key in (("map_50", "AP50", "ap50"), ("map", "AP", "ap"))
    ]
    data = {"type": "tfrecord", "name": _measured_by(options)}
    grown = f"{facts.base} grown to {counted(len(classes), 'class')}"
    results = [{"task": {"type": _TASK}, "dataset": data, "metrics": metrics}] if metrics else []
    said = {
        "library_name": "tfrec-tools",
        "pipeline_tag": _TASK,
        "tags": [_TASK, "tensorflow", "tfrec"],
        "model-index": [{"name": grown, "results": results}],
    }
    return (
        f"---\nlicense: unknown  # to fill in\n{yaml.safe_dump(said, sort_keys=False, allow_unicode=True)}---"
    )


def _measured_by(options: Values) -> str:
    """Returns the records that hold the images to measure with, as the run was told."""
    words = options.get("test") or options.get("val") or options.get("train") or ""
    return " ".join(map(str, words)) if isinstance(words, list) else str(words)


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

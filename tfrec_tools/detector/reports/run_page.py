"""The page of a run: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from tfrec_tools.detector.evaluation.operating_points import OperatingPoint
from tfrec_tools.detector.reports.comparison import POINT_HEADERS, Facts, Line, harmonic_mean, point_rows
from tfrec_tools.detector.training.run_toml import Options
from tfrec_tools.labels.label_map import LabelMap

_STYLE = """
body { margin: 0 auto; max-width: 1000px; padding: 2rem 1.5rem; font: 15px/1.5 system-ui, sans-serif;
  color: #22282f; background: #f7f8fa }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem } p { color: #68717d }
table { border-collapse: collapse; background: #fff; border: 1px solid #e4e7eb; font-size: 14px }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #e4e7eb; text-align: left }
th { color: #68717d; font-weight: 500 } tr.mean { font-weight: 600 } .n { text-align: right }
img { max-width: 100%; background: #fff; border: 1px solid #e4e7eb }
"""
_SCORES = ("class", "", "boxes", "AP50 before", "AP50 after", "change", "AP before", "AP after")


def format_page(
    lines: Sequence[Line],
    best: Mapping[str, OperatingPoint],
    facts: Facts,
    options: Options,
    labels: LabelMap,
    pictures: Mapping[str, str],
) -> str:
    """`best` are classes by name, `pictures` {title: address of an image}."""
    title = f"{facts.base} grown to {len(labels)} classes"
    sections = [
        f"<h1>{escape(title)}</h1><p>{escape(_summary(lines, facts))}</p>",
        _table(_SCORES, [_row(line) for line in lines], [line.is_mean for line in lines]),
        *_scores(best),
        *(f'<h2>{escape(name)}</h2><img alt="" src="{address}">' for name, address in pictures.items()),
        *_choices(facts, labels),
        "<h2>Options</h2>" + _table(("option", "set to"), [(name, str(options[name])) for name in options]),
        "<h2>Versions</h2>" + _table(("package", "version"), list(facts.versions.items())),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">\n{head}\n' + "\n".join(sections) + "\n</html>\n"


def _summary(lines: Sequence[Line], facts: Facts) -> str:
    words = [f"{facts.steps} steps in {facts.seconds / 60:.1f} minutes ({facts.ended})"]
    words += [f"{count} pictures {use}" for use, count in facts.pictures.items() if count]
    words.append(f"varied by: {', '.join(facts.augmentations) or 'nothing'}")
    if (mean := harmonic_mean(lines)) is not None:
        words.append(f"harmonic mean of old and new AP50 {mean:.1f}")
    if facts.forgetting is not None:
        words.append(f"forgetting {facts.forgetting:.1f} points")
    return "; ".join(words) + "."


def _scores(best: Mapping[str, OperatingPoint]) -> list[str]:
    """From which score on to take detections."""
    title = "<h2>Scores from which on the grown model is best taken (F1 at IoU 0.5)</h2>"
    return [title + _table(POINT_HEADERS, point_rows(best))] if best else []


def _choices(facts: Facts, labels: LabelMap) -> list[str]:
    """What was chosen on the validation pictures."""
    sections = []
    if facts.thresholds:
        rows = [(labels.name_by_id[id_], f"{score:.2f}") for id_, score in facts.thresholds.items()]
        sections.append("<h2>Score from which the base was believed</h2>" + _table(("class", "score"), rows))
    if facts.blends:
        rows = [(f"{alpha:g}", f"{100 * score:.1f}") for alpha, score in facts.blends.items()]
        headers = ("share of the training kept", "harmonic mean of old and new AP50")
        sections.append("<h2>Blends with the base, the one taken first</h2>" + _table(headers, rows))
    return sections


def _row(line: Line) -> tuple[str, ...]:
    before, after = line.before, line.after
    change = f"{100 * (after.ap50 - before.ap50):+.1f}" if before and after else ""
    scores = [
        f"{100 * getattr(one, key):.1f}" if one else "" for key in ("ap50", "ap") for one in (before, after)
    ]
    return (line.name, line.group, str(line.boxes), *scores[:2], change, *scores[2:])


def _table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], are_means: Iterable[bool] | None = None
) -> str:
    body = "".join(
        f"<tr{' class=mean' if is_mean else ''}>{''.join(map(_cell, row))}</tr>"
        for row, is_mean in zip(rows, are_means or [False] * len(rows), strict=True)
    )
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(text: str) -> str:
    is_number = text.replace(".", "", 1).lstrip("+-").isdigit()
    return f"<td{' class=n' if is_number else ''}>{escape(text)}</td>"

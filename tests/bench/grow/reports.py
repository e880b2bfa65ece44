"""What the report.json of runs says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean


def means(groups: Mapping[str, Sequence[str]], reports: Sequence[Path]) -> dict[str, float]:
    """Mean AP50 after the runs, of the groups whose classes all of them know, and how many "runs"."""
    found = [
        {line["name"]: line["after"]["ap50"] for line in json.loads(report.read_text())["classes"]}
        for report in reports
    ]
    known = {name: names for name, names in groups.items() if found and set(names) <= found[0].keys()}
    of_groups = {name: mean(run[each] for run in found for each in names) for name, names in known.items()}
    return {**of_groups, "runs": len(found)}


def seconds(reports: Sequence[Path]) -> float | None:
    """Of a run, in the mean: all of it but the loading of its libraries. None where there is none."""
    found = [float(json.loads(report.read_text())["seconds"]) for report in reports]
    return mean(found) if found else None


def half_width(reports: Sequence[Path], group: str) -> float | None:
    """Half of the 95 % interval of the group's mean AP50, in the mean of the runs; None where a report has
    no intervals."""
    documents = [json.loads(report.read_text()) for report in reports]
    intervals = [document.get(f"{group}_interval") for document in documents]
    if not intervals or None in intervals:
        return None
    return mean((high - low) / 2 for low, high in intervals)


def points(value: float | None) -> str:
    """Of a fraction, with a digit."""
    return "-" if value is None else f"{100 * value:.1f}"

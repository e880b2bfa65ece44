"""`bin/bench agreement FOLDER ...`: how well agreement with the base foretells what labels say. Of all runs
of tfrec finetune below the folders that have both (report.json), the points that the old classes lost by AP50
and by agreement, and how the two correlate, in the mean and class by class."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import correlation, mean

import pandas as pd

_FEWEST = 3  # runs, below which a correlation says nothing
_KNOWN = 0.2  # AP50 of a base, below which it has nothing to be agreed with, as one of random weights


@dataclass(frozen=True)
class Lost:
    """Points of 100 that a class, or the mean of the old ones, lost by labels and by agreement."""

    run: str
    name: str
    by_labels: float
    by_agreement: float
    is_mean: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench agreement", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    print(table([row for folder in folders for row in losses(folder)]))


def losses(folder: Path) -> Iterator[Lost]:
    """Yields what the old classes that the bases of all runs below a folder know lost, where both can be
    said."""
    for report in sorted(folder.rglob("report.json")):
        for line in json.loads(report.read_text(encoding="utf-8"))["classes"]:
            agreement, before, after = line.get("agreement"), line["before"], line["after"]
            is_known = line["group"] == "old" and before and before["ap50"] >= _KNOWN
            if is_known and agreement and after:
                yield Lost(
                    str(report.parent.relative_to(folder.parent)),
                    line["name"],
                    100 * (before["ap50"] - after["ap50"]),
                    100 * (1 - agreement["ap50"]),
                    line["is_mean"],
                )


def table(rows: Sequence[Lost]) -> str:
    """Markdown: a row a run, and below it the correlations."""
    means = [row for row in rows if row.is_mean]
    lines = ["| run | lost by AP50 | lost by agreement |", "|---|---|---|"]
    lines += [f"| {row.run} | {row.by_labels:.1f} | {row.by_agreement:.1f} |" for row in means]
    classes = [row for row in rows if not row.is_mean]
    return "\n".join([*lines, "", foretold("means of the old classes", means), foretold("classes", classes)])


def foretold(what: str, rows: Sequence[Lost]) -> str:
    if len(rows) < _FEWEST:
        return f"{len(rows)} {what}: too few to correlate"
    pair = pd.DataFrame([(row.by_labels, row.by_agreement) for row in rows])
    off = mean(abs(row.by_labels - row.by_agreement) for row in rows)
    plain, ranks = (correlation(*columns.T.to_numpy().tolist()) for columns in (pair, pair.rank()))
    correlations = f"correlation {plain:.3f}, of ranks {ranks:.3f}"
    return f"{len(rows)} {what}: {correlations}, {off:.1f} points apart in the mean"


if __name__ == "__main__":
    main()

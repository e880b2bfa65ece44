"""The table before and after, and the files that hold it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

from tests.helpers.documents import require_valid
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.reports import comparison


def test_the_comparison_counts_an_unknown_class_as_zero_in_the_mean_of_all() -> None:
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", None)]
    after = {1: AveragePrecision(0.5, 0.7, 4), 2: AveragePrecision(0.3, 0.5, 2)}
    lines = {
        line.name: line for line in comparison.comparison(rows, {1: AveragePrecision(0.6, 0.8, 4)}, after)
    }
    assert lines["green"].before is None
    assert lines["mean of old"].before == AveragePrecision(0.6, 0.8, 4)
    assert lines["mean of new"].before is None
    assert lines["mean of all"].before == AveragePrecision(0.3, 0.4, 6)
    assert lines["mean of all"].after == AveragePrecision(0.4, 0.6, 6)


FACTS = comparison.Facts("base", None, 3, "all steps done", 3, {}, {}, {}, ["flip"], 1.0, {})


def test_the_files_say_what_the_lines_say(tmp_path: Path) -> None:
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", None)]
    lines = comparison.comparison(
        rows, {1: AveragePrecision(0.5, 0.75, 4)}, {2: AveragePrecision(0.25, 0.5, 2)}
    )
    comparison.write_metrics_csv(tmp_path / "metrics.csv", lines)
    facts = replace(FACTS, forgetting=-1.25, thresholds={2: 0.5})
    comparison.write_report_json(tmp_path / "report.json", lines, facts, {1: "red", 2: "green"})
    with (tmp_path / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert (table[0]["ap50_before"], table[0]["ap50_after"], table[1]["ap_after"]) == ("0.75", "", "0.25")
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["steps"], written["harmonic_mean"]) == (3, None)
    assert (written["forgetting"], written["thresholds"]) == (-0.0125, {"green": 0.5})
    require_valid(written, "finetune")
    assert written["classes"][1]["after"] == {"ap": 0.25, "ap50": 0.5, "boxes": 2}

"""The table before and after, and the files that hold it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

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
    comparison.write_report_json(tmp_path / "report.json", lines, FACTS)
    with (tmp_path / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert (table[0]["ap50_before"], table[0]["ap50_after"], table[1]["ap_after"]) == ("0.75", "", "0.25")
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["steps"], written["harmonic_mean"]) == (3, None)
    assert written["classes"][1]["after"] == {"ap": 0.25, "ap50": 0.5, "boxes": 2}


def test_agreement_is_never_taken_for_average_precision() -> None:
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", 2), ClassRow(3, "blue", None)]
    after, agreed = {3: AveragePrecision(0.3, 0.5, 2)}, {1: AveragePrecision(0.8, 0.9, 7)}
    lines = comparison.comparison(rows, {}, after, agreed | {2: AveragePrecision(0.5, 0.6, 3)})
    by_name = {line.name: line for line in lines}
    assert comparison.has_agreement_alone(lines)
    assert by_name["red"].agreement == agreed[1]
    assert by_name["mean of old"].agreement == AveragePrecision(0.65, 0.75, 10)
    assert (by_name["mean of old"].before, by_name["mean of old"].after) == (None, None)
    assert by_name["mean of all"].agreement is None
    assert by_name["mean of all"].after == after[3]
    assert (comparison.forgetting(lines), comparison.agreement_lost(lines)) == (None, 25.0)
    assert comparison.harmonic_mean(lines) is None
    labelled = comparison.comparison(rows[::2], agreed, agreed | after, agreed)
    assert not comparison.has_agreement_alone(labelled)
    assert (comparison.forgetting(labelled), comparison.agreement_lost(labelled)) == (0.0, 10.0)

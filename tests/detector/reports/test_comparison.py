"""The table before and after, and the files that hold it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

from tests.helpers import measured
from tests.helpers.documents import require_valid
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision, average_precision
from tfrec_tools.detector.evaluation.wording import about, changed, changed_words, scored
from tfrec_tools.detector.model.class_rows import ClassRow
from tfrec_tools.detector.reports import comparison
from tfrec_tools.labels.label_map import from_names


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
    assert written["calibration"] == {"level": None, "shifts": [], "reason": "", "note": ""}
    assert table[0]["ap50_after_low"] == table[0]["ap50_change_high"] == ""
    assert written["classes"][1]["after"] == {"ap": 0.25, "ap50": 0.5, "boxes": 2, "intervals": {}}


def _lines() -> list[comparison.Line]:
    """Of a base that knows the first two of three classes, and of what it became, which misses more."""
    examples, before = measured.case(60, misses=0.2)
    after = [type(found)(found.boxes[1:], found.scores[1:], found.ids[1:]) for found in before]
    rows = [ClassRow(1, "red", 1), ClassRow(2, "green", 2), ClassRow(3, "blue", None)]
    labels = from_names(["red", "green", "blue"])
    precisions = [average_precision(examples, found, labels, spread=True) for found in (before, after)]
    return comparison.comparison(rows, *precisions)


def test_every_mean_has_its_interval_in_every_file(tmp_path: Path) -> None:
    lines = _lines()
    comparison.write_report_json(tmp_path / "report.json", lines, FACTS, {1: "red", 2: "green", 3: "blue"})
    comparison.write_metrics_csv(tmp_path / "metrics.csv", lines)
    written = json.loads((tmp_path / "report.json").read_text())["classes"]
    with (tmp_path / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [line["name"] for line in written[3:]] == ["mean of old", "mean of new", "mean of all"]
    for line, row in zip(written, table, strict=True):
        low, high = line["after"]["intervals"]["ap50"]
        assert low < line["after"]["ap50"] < high
        assert (float(row["ap50_after_low"]), float(row["ap50_after_high"])) == (
            round(low, 4),
            round(high, 4),
        )
        assert (line["change"] is None) == (row["ap50_change_low"] == "") == (line["before"] is None)
    old = written[3]["change"]
    assert old["interval"][0] <= old["ap50"] <= old["interval"][1]
    assert old["within_error"] == (old["interval"][1] >= 0)
    unknown_is_zero = written[5]["before"]  # of the mean of all
    assert unknown_is_zero["ap50"] == sum(line["before"]["ap50"] for line in written[:2]) / 3
    assert unknown_is_zero["intervals"]["ap50"][1] < 2 / 3 + 1e-9


def test_what_was_gained_over_the_control_is_paired(tmp_path: Path) -> None:
    lines = _lines()
    comparison.write_gained(tmp_path / "gained.json", lines, lines)
    rows = json.loads((tmp_path / "gained.json").read_text())
    assert [row["name"] for row in rows] == [line.name for line in lines]
    assert all(row["interval"] == [0.0, 0.0] and row["within_error"] for row in rows)


def test_scores_and_differences_in_words() -> None:
    change = comparison.change_of_old(_lines())
    assert change is not None
    assert change.interval is not None
    assert scored(0.9123, (0.887, 0.931)) == "91.2 (88.7-93.1)"
    assert scored(0.9123, (0.887, 0.931), stacked=True) == "91.2\n88.7-93.1"
    assert (scored(0.5, None), scored(None, None), changed(None)) == ("50.0", "", "")
    sure, unsure, bare = (
        replace(change, ap50=-0.025, interval=interval) for interval in ((-0.04, -0.01), (-0.06, 0.01), None)
    )
    assert changed(unsure) == "-2.5 (-6.0 to +1.0)"
    assert changed_words(sure) == "lost 2.5 points of AP50 (change -4.0 to -1.0)"
    assert changed_words(unsure) == (
        "lost 2.5 points of AP50 (change -6.0 to +1.0), which is within its error"
    )
    assert changed_words(replace(bare, ap50=-0.0004)) == "neither gained nor lost 0.1 points of AP50"
    assert changed_words(replace(bare, ap50=0.1)) == "gained 10.0 points of AP50"
    assert about([None]).startswith("No 95 % intervals")
    assert about([None, (0.1, 0.2)]).startswith("Ranges are 95 % intervals")


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

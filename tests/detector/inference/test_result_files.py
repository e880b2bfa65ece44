"""Detections as a table that a spreadsheet may open."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tfrec_tools.detector.inference.result_files import Row, write_csv


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_names_are_no_formulas(tmp_path: Path, sign: str) -> None:
    names = f"{sign}1+1.jpg", f"{sign}HYPERLINK()"
    rows = [Row(1, names[0], 60, 40, 1, names[1], 0.5, -1.0, 2.0, 3.0, 4.0)]
    write_csv(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert (row["filename"], row["class"]) == (f"./{names[0]}", f"'{names[1]}")
    assert row["xmin"] == "-1.0"

"""The main job on the sample data, as bin/demo does it, with a few steps of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import tfrec
from tests.helpers.places import SAMPLE

SETS = {"--train": "new", "--replay": "old", "--val": "val"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("job")
    tfrec("convert", SAMPLE / "old/annotations.coco.json", "--out", work / "old")
    tfrec("convert", SAMPLE / "new/voc", "--out", work / "new")
    maps = [work / f"{name}.label_map.pbtxt" for name in ("old", "new")]
    tfrec("merge-labels", *maps, "--out", work / "merged.pbtxt")
    tfrec("convert", SAMPLE / "val/annotations.csv", "--labels", work / "merged.pbtxt", "--out", work / "val")
    records = [part for flag, name in SETS.items() for part in (flag, work / f"{name}-*")]
    base = ("--base", SAMPLE / "base_model", "--labels", work / "merged.pbtxt", "--out", work / "run")
    tfrec("finetune", *base, *records, "--steps", "3", "--batch", "4", "--lr", "0.001")
    return work / "run"


def test_the_base_knows_the_old_classes_and_keeps_them_through_growing(run: Path) -> None:
    lines = {line["name"]: line for line in json.loads((run / "report.json").read_text())["classes"]}
    assert lines["mean of old"]["before"]["ap50"] > 0.9
    assert lines["mean of old"]["after"]["ap50"] > 0.9
    assert lines["mean of new"]["before"] is None
    assert {line["group"] for line in lines.values()} == {"old", "new", "all"}


def test_the_grown_model_has_the_merged_classes(run: Path) -> None:
    label_map = (run / "model" / "label_map.pbtxt").read_text()
    names = ["apple", "banana", "pear", "cherry", "mushroom"]
    assert [label_map.index(name) for name in names] == sorted(label_map.index(name) for name in names)
    assert "num_classes: 5" in (run / "model" / "pipeline.config").read_text()

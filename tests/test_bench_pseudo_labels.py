"""`bin/bench pseudo-labels`: what stands where a base's boxes are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench import pseudo_labels as bench
from tests.helpers import tiny
from tfrec_tools.detector.data.index import digest, index_records
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.retention import pseudo_labels
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map

LABELS = from_names(["red", "green", "blue"])
LEFT, RIGHT, TOP = [0.9, 0.0, 1.0, 0.1], [0.9, 0.9, 1.0, 1.0], [0.0, 0.0, 0.1, 0.1]


def found(*rows: tuple[list[float], float, int]) -> ImageDetections:
    boxes, scores, ids = zip(*rows, strict=True)
    return ImageDetections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(ids, np.int32))


def test_boxes_of_the_base_are_held_against_all_labels(tmp_path: Path) -> None:
    new = tiny.write_records(
        tmp_path / "new.tfrecord", ["blue"], 1, labels=LABELS, labeled=frozenset({"blue"})
    )
    examples = index_records([str(new)], LABELS)
    needed = {1: 0.5, 2: 0.5}

    def labelled(name: str, *rows: tuple[list[float], float, int]) -> None:
        pseudo_labels.write_records(tmp_path / name, examples, [found(*rows)], needed, LABELS)

    labelled("truth.tfrecord", (LEFT, 1.0, 1), (RIGHT, 1.0, 2))
    (tmp_path / "pseudo_labels").mkdir()
    seen = (LEFT, 0.9, 1), (RIGHT, 0.8, 1), (TOP, 0.7, 2), (RIGHT, 0.3, 2)
    labelled("pseudo_labels/train.tfrecord", *seen)
    (tmp_path / "pseudo_labels" / "label_map.pbtxt").write_text(format_label_map(LABELS))
    groups = {"red": "old", "green": "old", "blue": "new"}
    classes = [{"name": name, "group": group, "is_mean": False} for name, group in groups.items()]
    (tmp_path / "report.json").write_text(json.dumps({"classes": classes}))

    truth = {digest(each): each for each in index_records([str(tmp_path / "truth.tfrecord")], LABELS)}
    fates = list(bench.fates(tmp_path, truth, LABELS))
    assert fates == [(bench.RIGHT, 1.0), (bench.OTHER_OLD, 1.0), (bench.NOTHING, 1.0), (bench.RIGHT, 0.0)]
    assert bench.row("run", fates) == "| run | 3 | 33.3 | 33.3 | 0.0 | 33.3 | 1 | 100.0 |"


@pytest.mark.parametrize(
    ("there", "said"), [("blue", bench.NEW), ("green", bench.OTHER_OLD), ("red", bench.RIGHT)]
)
def test_what_the_base_does_not_know_is_a_new_class(there: str, said: str) -> None:
    assert bench.fate("red", there, {"red", "green"}) == said

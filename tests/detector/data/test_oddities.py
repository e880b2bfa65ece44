"""What is odd about records, said before a training."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import tiny
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.data.oddities import Records, warnings
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])
NEW = {3: "blue"}


def indexed(path: Path, *names: str, count: int = 2) -> list[IndexedExample]:
    return index_records([str(tiny.write_records(path, names, count, labels=LABELS))], LABELS)


@pytest.fixture
def train(tmp_path: Path) -> list[IndexedExample]:
    return indexed(tmp_path / "train.tfrecord", "blue")


@pytest.fixture
def val(tmp_path: Path) -> list[IndexedExample]:
    return indexed(tmp_path / "val.tfrecord", "red", "green", "blue")


def test_of_sound_records_nothing_is_said(train: list[IndexedExample], val: list[IndexedExample]) -> None:
    """Old classes that the new images lack are the usual case."""
    assert warnings(Records({"--train": train, "--val": val}), NEW) == ()


def test_images_that_are_learnt_from_and_measured_with(
    tmp_path: Path, train: list[IndexedExample], val: list[IndexedExample]
) -> None:
    (tmp_path / "copy.tfrecord.gz").write_bytes(gzip.compress((tmp_path / "train.tfrecord").read_bytes()))
    copy = index_records([str(tmp_path / "copy.tfrecord.gz")], LABELS)
    for held in (train, copy):
        (line,) = warnings(Records({"--train": train, "--val": val, "--test": [*val, held[1]]}), NEW)
        assert line.startswith("1 of 3 images of --test are learnt from, too,")
        assert line.endswith(f"(the first: {held[1].source})")
    (line,) = warnings(Records({"--train": train, "--replay": val, "--val": val}), NEW)
    assert line.startswith("2 of 2 images of --val are learnt from, too,")


def test_a_new_class_without_a_box(tmp_path: Path, train: list[IndexedExample]) -> None:
    old = indexed(tmp_path / "old.tfrecord", "red", "green")
    assert warnings(Records({"--train": train, "--val": old}), NEW) == (
        "no box of 'blue' in --val: how well it is learnt is neither measured nor chosen by",
    )
    new = {3: "blue", 2: "green", 1: "red"}
    learnt, _ = warnings(Records({"--train": train, "--val": old}), new)
    assert learnt == "no box of 'green', 'red' in --train: nothing is learnt of them"


def test_records_without_any_box(train: list[IndexedExample], val: list[IndexedExample]) -> None:
    bare = [
        replace(example, ids=example.ids[:0], boxes=example.boxes[:0], crowd=example.crowd[:0])
        for example in train
    ]
    lines = warnings(Records({"--train": bare, "--val": val}), NEW)
    assert lines == (
        "none of the 2 images of --train has a box",
        "no box of 'blue' in --train: nothing is learnt of it",
    )

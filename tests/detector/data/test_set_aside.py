"""What is set aside of the new images: by their bytes, always the same, and never the last of a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import tiny
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.detector.data import reading
from tfrec_tools.detector.data.index import IndexedExample, digest, read_image
from tfrec_tools.detector.data.set_aside import FEWEST, SHARE, once, part, without
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.system.options import silent

LABELS = from_names(["red", "green", "blue"])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[IndexedExample]:
    """40 different images with a blue box each."""
    file = tiny.write_records(
        tmp_path_factory.mktemp("many") / "a.tfrecord",
        ["blue"],
        40,
        labels=LABELS,
        labeled=frozenset({"blue"}),
    )
    words = dict.fromkeys(reading.FLAGS, ()) | {reading.TRAIN: (str(file),), reading.VAL: (str(file),)}
    return reading.read(words, LABELS, (3,), 0, silent)[reading.TRAIN]


def of_class(example: IndexedExample, *ids: int) -> IndexedExample:
    return replace(example, ids=np.array(ids, np.int32))


def sources(examples: Sequence[IndexedExample]) -> list[str]:
    return [example.source for example in examples]


def test_a_share_is_set_aside_the_same_for_the_same_seed(many: list[IndexedExample]) -> None:
    parted = part(many, (3,), seed=0)
    assert len(parted.aside) == round(SHARE * len(many))
    assert sorted(sources(parted.kept + parted.aside)) == sorted(sources(many))
    assert sources(part(many[::-1], (3,), 0).aside) == sources(parted.aside)[::-1]
    assert sources(part(many, (3,), 1).aside) != sources(parted.aside)


def test_most_stay_where_they_are_when_images_are_added(many: list[IndexedExample]) -> None:
    before, after = (set(sources(part(some, (3,), 0).aside)) for some in (many[:30], many))
    assert len(before - after) <= 2


def test_images_that_are_the_same_stay_together(many: list[IndexedExample]) -> None:
    doubled = [example for example in many for _ in range(2)]
    parted = part(doubled, (3,), 0)
    assert {digest(example) for example in parted.aside}.isdisjoint(map(digest, parted.kept))
    assert len(once(doubled)) == len(many)
    assert sources(without(many, parted.aside)) == sources(once(parted.kept))


@given(classes=st.lists(st.integers(1, 4), min_size=12, max_size=12), seed=st.integers(0, 50))
def test_a_class_is_learnt_and_measured_where_it_can_be(
    many: list[IndexedExample], classes: list[int], seed: int
) -> None:
    examples = [of_class(example, label_id) for example, label_id in zip(many, classes, strict=False)]
    parted = part(examples, range(1, 5), seed)
    kept, aside = (
        {label_id for example in some for label_id in example.ids.tolist()}
        for some in (parted.kept, parted.aside)
    )
    assert kept == set(classes)
    assert {label_id for label_id in kept if classes.count(label_id) > 1} == aside


def test_too_few_are_refused_in_a_line_that_names_val(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "few.tfrecord", ["blue"], FEWEST - 1, labels=LABELS)
    words = dict.fromkeys(reading.FLAGS, ()) | {reading.TRAIN: (str(file),)}
    with pytest.raises(InputError, match=f"none of its {FEWEST - 1} images can be set aside .* by --val$"):
        reading.read(words, LABELS, (3,), 0, silent)
    words[reading.VAL] = (str(file),)
    examples = reading.read(words, LABELS, (3,), 0, silent)
    assert len(examples[reading.VAL]) == FEWEST - 1
    assert reading.set_aside_notes(words, examples, 0) == []


def test_what_is_set_aside_is_not_replayed_either(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["blue"], FEWEST, labels=LABELS)
    words = dict.fromkeys(reading.FLAGS, (str(file),)) | {reading.VAL: (), reading.TEST: ()}
    examples = reading.read(words, LABELS, (3,), 0, silent)
    assert sources(examples[reading.REPLAY]) == sources(examples[reading.TRAIN])
    assert len(examples[reading.REPLAY]) == FEWEST - len(examples[reading.VAL])


def test_what_is_set_aside_is_said(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["blue"], FEWEST, labels=LABELS)
    words = dict.fromkeys(reading.FLAGS, ()) | {reading.TRAIN: (str(file),)}
    examples = reading.read(words, LABELS, (3,), 7, silent)
    assert {flag: len(examples[flag]) for flag in reading.FLAGS} == {
        "--train": 7, "--replay": 0, "--val": 3, "--test": 0,
    }  # fmt: skip
    (line,) = reading.set_aside_notes(words, examples, 7)
    assert line.startswith("--train: 3 of its 10 images are set aside")
    assert "--seed 7" in line


def test_the_digest_is_of_the_image_alone(tmp_path: Path, many: list[IndexedExample]) -> None:
    """So an image keeps its part when its record is written anew, in another place, with other boxes."""
    data = read_image(many[0])
    (tmp_path / "elsewhere").write_bytes(b"before" + data)
    moved = replace(of_class(many[0], 1, 2), image=ByteRange(tmp_path / "elsewhere", 6, len(data)))
    assert digest(moved) == digest(many[0])
    assert digest(many[1]) != digest(many[0])

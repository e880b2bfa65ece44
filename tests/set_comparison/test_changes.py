"""What became of boxes and images between two sets, by hand; and the whole command on two small sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.pages import cards, data_of
from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.annotations.records import ImageRecord, image_record
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.set_comparison.changes import KINDS, box_changes, pairs
from tfrec_tools.set_comparison.sets import compare_sets, numbers, summary, write_page

LEFT, MIDDLE, RIGHT = [0, 0, 20, 20], [30, 0, 50, 20], [60, 0, 80, 20]


def record(*boxes: Sequence[float], names: tuple[str, ...]) -> ImageRecord:
    whole = image_record(image_id="1", filename="a.jpg", source="s", boxes_xyxy=boxes, names=names)
    return replace(whole, width=100, height=50)


def test_each_kind_by_hand() -> None:
    a = record(LEFT, MIDDLE, RIGHT, [0, 30, 10, 40], names=("cat", "cat", "dog", "owl"))
    b = record(RIGHT, [32, 0, 50, 20], LEFT, [90, 30, 99, 40], names=("cat", "cat", "cat", "owl"))
    told = [(change.kind, change.name, change.note) for change in box_changes(a, b)]
    assert told == [
        ("same", "cat", ""),
        ("changed", "cat", "moved, IoU 0.90"),
        ("changed", "cat", "was dog"),
        ("removed", "owl", ""),
        ("added", "owl", ""),
    ]
    assert {change.kind for change in box_changes(b, b)} == {"same"}


def test_the_size_of_the_image_is_no_change_and_an_attribute_is() -> None:
    small = record(LEFT, names=("cat",))
    large = replace(small, width=200, height=100, boxes_xyxy=small.boxes_xyxy * 2)
    assert [change.kind for change in box_changes(small, large)] == ["same"]
    for changed in (
        {"difficult": np.ones(1, bool)},
        {"crowd": np.ones(1, bool)},
        {"poses": ("Left",)},
        {"masks": (b"1",)},
        {"weights": (0.5,)},
        {"keypoints": np.ones((1, 2, 3))},
    ):
        (change,) = box_changes(small, replace(small, **changed))
        assert (change.kind, change.note) == ("changed", "attributes"), changed


def test_of_two_boxes_that_are_one_the_better_is_taken() -> None:
    a = record([1, 0, 21, 20], LEFT, names=("cat", "cat"))
    b = record(LEFT, names=("cat",))
    assert [(change.kind, change.fractions.tolist()) for change in box_changes(a, b)] == [
        ("same", [0.0, 0.0, 0.2, 0.4]),
        ("removed", [0.01, 0.0, 0.21, 0.4]),
    ]


def test_images_are_paired_by_the_first_key_that_both_have() -> None:
    a = [("1", "x"), ("2", "y"), ("1", "z"), ("3", "w")]
    b = [("1", "z"), ("9", "y"), ("1", "x"), ("1", "v"), ("8", "u")]
    keys = (lambda image: image, itemgetter(0), itemgetter(1))
    assert pairs(a, b, keys) == [(2, 0), (1, 1), (0, 2), (None, 3), (None, 4), (3, None)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sets a and b: b lacks an image, and a box of the other is gone."""
    save_pictures(tmp_path / "images")
    coco(tmp_path)
    convert(ConvertOptions(tmp_path / "instances.json", tmp_path / "a/set"))
    return tmp_path


def test_two_sets(folder: Path) -> None:
    first = compare_sets(str(folder / "a/set"), str(folder / "a/set"))
    assert set().union(*first.counts().values()) == {"same"}
    assert (first.only_a, first.only_b, first.other_bytes) == (0, 0, 0)
    assert len(first.pairs) == len(first.images_a)
    total = len(first.pairs)
    for path in (folder / "images").iterdir():  # other bytes, the same names
        path.write_bytes(path.read_bytes() + b"\0")
    convert(ConvertOptions(folder / "instances.json", folder / "b/set", only="cat", no_negatives=True))
    result = compare_sets(str(folder / "a/set"), str(folder / "b/set"))
    both = len(result.images_b)
    assert (result.only_b, result.only_a, result.other_bytes) == (0, total - both, both)
    assert f"{both} of the same name have other bytes" in summary(result)
    counts, (a, b) = result.counts(), result.boxes()
    assert (counts["dog"]["removed"], b["dog"], b["cat"]) == (a["dog"], 0, a["cat"])
    for name, of_class in counts.items():
        assert b[name] == of_class["added"] + of_class["same"] + of_class["changed"]
        assert a[name] == of_class["removed"] + of_class["same"] + of_class["changed"]
    assert numbers(result).rows[-1].cells[:3] == ("all", str(a.total()), str(b.total()))
    assert write_page(folder / "page.html", result, 100) == total
    page = (folder / "page.html").read_bytes()
    assert data_of(page)["kinds"] == list(KINDS)
    assert all(box[1] & 1 for card in cards(page) for box in card["boxes"] if KINDS[box[1] >> 3] == "removed")


def test_what_is_no_records_is_told_of_the_flag(folder: Path) -> None:
    with pytest.raises(InputError, match="to compare models, give --records"):
        compare_sets(str(folder / "a/set"), str(folder / "images"))

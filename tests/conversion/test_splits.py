"""Splits: by a hash of the name, near the shares in every class, and the same when data is added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.conversion import splits
from tfrec_tools.conversion.splits import Group, Share
from tfrec_tools.dataset import partition
from tfrec_tools.errors import InputError

SHARES = (Share("train", 0.8), Share("val", 0.1), Share("test", 0.1))


def groups(count: int, classes: Sequence[str] = ("a",), start: int = 0) -> list[Group]:
    return [Group(str(i), frozenset({classes[i % len(classes)]})) for i in range(start, start + count)]


def test_shares_are_read() -> None:
    assert splits.parse_shares("train=0.8, val=0.1,test=.1") == SHARES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train", "expected NAME=SHARE"),
        ("train=x", "expected NAME=SHARE"),
        ("tr-ain=1", "letters, digits and _"),
        ("a=0.5,a=0.5", "different names"),
        ("a=1.0,b=0", "the share of 'b' is 0, expected a number above 0"),
        ("a=0.5,b=0.4", r"sum to 0.9, expected parts of 1, such as a=0.5556,b=0.4444"),
        ("a=nan", "the share of 'a' is nan"),
        ("a=inf,b=1", "the share of 'a' is inf"),
        ("train=80,val=20", "sum to 100, expected parts of 1, such as train=0.8,val=0.2"),
        ("train=7,val=2,test=1", "sum to 10, expected parts of 1, such as train=0.7,val=0.2,test=0.1"),
        ("train=80", "sum to 80, expected parts of 1, such as train=1$"),
        ("a=-1,b=2", "the share of 'a' is -1, expected"),
    ],
)
def test_shares_that_are_none(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        splits.parse_shares(text)


def test_positions_are_even_and_stay() -> None:
    counts = Counter(int(10 * partition.position(str(i), 0, "split")) for i in range(5000))
    assert min(counts.values()) > 430
    assert partition.position("17", 0, "split") == 0.624691894921389
    assert partition.position("17", 0, "split") != partition.position("17", 1, "split")


def test_images_stay_in_their_split_when_data_is_added() -> None:
    before = splits.assign(groups(1000), SHARES, 0)
    after = splits.assign(groups(1500), SHARES, 0)
    assert {key: after[key] for key in before} == before
    counts = Counter(before.values())
    assert 760 < counts["train"] < 840
    assert 70 < counts["val"] < 130


def test_every_class_has_its_share_in_every_split() -> None:
    members = groups(600, [f"class{i}" for i in range(20)])  # 30 images a class, 3 for val
    for seed in range(5):
        found = splits.assign(members, SHARES, seed)
        for name in {name for group in members for name in group.classes}:
            counts = Counter(found[group.key] for group in members if name in group.classes)
            assert counts["val"] >= 1
            assert counts["test"] >= 1
            assert counts["train"] >= 19


@given(st.lists(st.sets(st.sampled_from("abcdef")), max_size=40), st.integers(0, 5))
def test_every_group_gets_a_split_whatever_the_order(classes: list[set[str]], seed: int) -> None:
    members = [Group(f"image {i}", frozenset(names)) for i, names in enumerate(classes)]
    found = splits.assign(members, SHARES, seed)
    assert found == splits.assign(members[::-1], SHARES, seed)
    assert found.keys() == {group.key for group in members}
    assert set(found.values()) <= {"train", "val", "test"}

"""Checks of boxes: each fault has its code, what is left is sound, what is sound is untouched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tests.helpers.records import HEIGHT, WIDTH, record_of
from tfrec_tools.annotations.box_checks import check
from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.annotations.records import ImageRecord


def sound(record: ImageRecord) -> tuple[ImageRecord, tuple[Issue, ...]]:
    """What is left of a record of which something is, and its issues."""
    checked, issues = check(record, WIDTH, HEIGHT)
    assert checked is not None
    return checked, issues


@pytest.mark.parametrize(
    ("box", "code", "left"),
    [
        ([0, 0, 98, 50], None, [0, 0, 98, 50]),
        ([-2, 3, 10, 60], "box-outside", [0, 3, 10, 50]),
        ([10, 10, 100.5, 20], "box-outside", [10, 10, 100, 20]),
        ([10, 10, 100 + 1e-9, 20], None, [10, 10, 100, 20]),
        ([5, 5, 5, 9], "box-empty", None),
        ([5, 5, 5, 5], "box-empty", None),
        ([120, 5, 130, 9], "box-empty", None),
        ([-9, -9, -1, -1], "box-empty", None),
        ([100, 5, 130, 9], "box-empty", None),
        ([20, 5, 10, 9], "box-inverted", None),
        ([5, 9, 10, 5], "box-inverted", None),
        ([math.nan, 5, 10, 9], "box-not-finite", None),
        ([0, 5, math.inf, 9], "box-not-finite", None),
        ([-math.inf, 5, 10, math.nan], "box-not-finite", None),
    ],
)
def test_each_fault_has_its_code(box: list[float], code: str | None, left: list[float] | None) -> None:
    checked, issues = sound(record_of([1, 1, 2, 2], box))
    assert [issue.code for issue in issues] == ([code] if code else [])
    assert checked.boxes_xyxy.tolist() == [[1, 1, 2, 2]] + ([left] if left else [])
    assert checked.names == (("class0", "class1") if left else ("class0",))
    if issues:
        assert (issues[0].source, issues[0].box, issues[0].fixed) == ("x.json images[0]", 1, True)
        assert "class1 [" in issues[0].message


def test_what_belongs_to_a_box_goes_with_it() -> None:
    record = record_of(
        [5, 5, 5, 5],
        [1, 1, 2, 2],
        crowd=[0, 1],
        difficult=[1, 0],
        truncated=[0, 1],
        area=[3, 4],
        labeled=frozenset({"z"}),
    )
    checked, _ = sound(record)
    assert checked.crowd.tolist() == checked.truncated.tolist() == [True]
    assert checked.difficult.tolist() == [False]
    assert checked.area.tolist() == [4]
    assert checked.labeled == {"z"}


def test_sound_and_empty_records_come_back_themselves() -> None:
    for record in (record_of(), record_of([1, 1, 2, 2])):
        assert check(record, WIDTH, HEIGHT) == (record, ())


COORDINATES = st.floats(-200, 200) | st.sampled_from([0.0, 50.0, 100.0, math.nan, math.inf, -math.inf])


@given(arrays.arrays(np.float64, st.tuples(st.integers(0, 9), st.just(4)), elements=COORDINATES))
def test_what_is_left_is_sound_and_nothing_vanishes_silently(boxes_xyxy: NDArray[np.float64]) -> None:
    record = record_of(*boxes_xyxy)
    checked, issues = sound(record)
    left = checked.boxes_xyxy
    assert np.isfinite(left).all()
    assert (left[:, :2] >= 0).all()
    assert (left[:, :2] < left[:, 2:]).all()
    assert (left[:, 2:] <= [WIDTH, HEIGHT]).all()
    dropped = [issue for issue in issues if issue.fixed and issue.code != "box-outside"]
    assert len(left) + len(dropped) == len(boxes_xyxy)
    again, odd = check(checked, WIDTH, HEIGHT)
    assert again is checked
    assert {issue.code for issue in odd} <= {"box-whole", "box-tiny", "box-duplicate"}
    assert set(checked.names) == set(record.names) - {
        record.names[issue.box] for issue in dropped if issue.box is not None
    }


def test_an_issue_has_a_public_code() -> None:
    assert all(CODES.values())
    with pytest.raises(ValueError, match="box-empty"):
        Issue("box-odd", "a.xml", None, "", True)

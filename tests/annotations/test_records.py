"""Records in part, and two joined to one."""

from __future__ import annotations

import pytest

from tests.helpers.records import cat_and_dog
from tfrec_tools.annotations.records import image_record, joined, subset
from tfrec_tools.errors import InputError


def test_a_subset_has_everything_of_its_boxes() -> None:
    record = cat_and_dog(
        masks=(b"1", b"2"), poses=("Left", ""), occluded=[True, False], group_of=[False, True]
    )
    second = subset(record, [1])
    assert (second.names, second.masks, second.poses) == (("dog",), (b"2",), ("",))
    assert (second.occluded.tolist(), second.group_of.tolist()) == ([False], [True])
    assert subset(record, []).boxes_xyxy.shape == (0, 4)
    with pytest.raises(ValueError, match="masks has 1 values, expected 2 or none"):
        cat_and_dog(masks=(b"1",))


def test_joined_records_have_the_boxes_of_both() -> None:
    first = cat_and_dog(width=60, height=40, masks=(b"1", b"2"))
    second = cat_and_dog(poses=("Left", ""), occluded=[True, False])
    both = joined(first, second)
    assert both.names == ("cat", "dog") * 2
    assert both.masks == (b"1", b"2", b"", b"")
    assert both.poses == ("", "", "Left", "")
    assert both.occluded.tolist() == [False, False, True, False]
    fractions = image_record(
        image_id="a", filename="a", source="t", names=("cow",), boxes_xyxy=[(0, 0, 1, 1)], relative=True
    )
    mixed = joined(fractions, cat_and_dog(width=60, height=40))
    assert mixed.boxes_xyxy.tolist()[1] == [10 / 60, 5 / 40, 30 / 60, 25 / 40]
    weighed = cat_and_dog(weights=(0.5, 0.0))
    assert joined(cat_and_dog(), weighed).weights == (1, 1, 0.5, 0)
    assert joined(weighed, cat_and_dog()).weights == (0.5, 0, 1, 1)
    assert subset(weighed, [1]).weights == (0,)
    for other in (cat_and_dog(), first):
        with pytest.raises(InputError, match="s: cannot be joined with fractions"):
            joined(other, fractions)

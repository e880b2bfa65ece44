"""Records in part, and two joined to one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.records import cat_and_dog
from tfrec_tools.annotations.records import image_record, joined, scaled, subset
from tfrec_tools.errors import InputError


def test_a_subset_has_everything_of_its_boxes() -> None:
    record = cat_and_dog(
        masks=(b"1", b"2"), poses=("Left", ""), occluded=[True, False], group_of=[False, True]
    )
    second = subset(record, [1])
    assert (second.names, second.masks, second.poses) == (("dog",), (b"2",), ("",))
    assert (second.occluded.tolist(), second.group_of.tolist()) == ([False], [True])
    assert subset(record, []).boxes_xyxy.shape == (0, 4)
    with pytest.raises(ValueError, match="masks has 1 value, expected 2 or none"):
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


@pytest.mark.parametrize("stated_wh", [(60, 40), (30, 80), (0, 0)])
@pytest.mark.parametrize("is_first", [False, True])
def test_boxes_of_any_size_are_joined_in_the_size_that_the_other_record_states(
    stated_wh: tuple[int, int], is_first: bool
) -> None:
    own = cat_and_dog(width=60, height=40, of_any_size=True)
    width, height = stated_wh
    other = cat_and_dog(width=width, height=height)
    scale_xy = (width / 60, height / 40) if width else (1.0, 1.0)
    both = joined(own, other) if is_first else joined(other, own)
    expected = [scaled(own, scale_xy).boxes_xyxy, other.boxes_xyxy]
    np.testing.assert_allclose(both.boxes_xyxy, np.concatenate(expected if is_first else expected[::-1]))
    assert (both.width, both.height, both.of_any_size) == (width or 60, height or 40, False)
    again = joined(own, replace(scaled(own, (2, 3)), width=120, height=120))
    assert (again.boxes_xyxy[:2].tolist(), again.of_any_size) == (again.boxes_xyxy[2:].tolist(), True)


POINTS = np.array([[[1, 2, 2], [0, 0, 0]], [[3, 4, 1], [5, 6, 2]]], np.float64)  # (boxes, keypoints, 3)


def test_keypoints_follow_their_boxes() -> None:
    record = cat_and_dog(keypoints=POINTS)
    last = subset(record, [1]).keypoints
    assert last is not None
    assert last.tolist() == [[[3, 4, 1], [5, 6, 2]]]
    twice = scaled(record, (2, 10)).keypoints
    assert twice is not None
    assert twice.tolist() == [[[2, 20, 2], [0, 0, 0]], [[6, 40, 1], [10, 60, 2]]]
    with pytest.raises(ValueError, match=r"keypoints has shape \(1, 2, 3\), expected \(2, K, 3\)"):
        cat_and_dog(keypoints=POINTS[:1])


def test_joined_records_have_the_keypoints_of_both() -> None:
    assert joined(cat_and_dog(), cat_and_dog()).keypoints is None
    both = joined(cat_and_dog(keypoints=POINTS[:, :1]), cat_and_dog(keypoints=POINTS)).keypoints
    assert both is not None
    assert both[:2].tolist() == [[[1, 2, 2], [0, 0, 0]], [[3, 4, 1], [0, 0, 0]]]
    assert both[2:].tolist() == POINTS.tolist()
    behind = joined(cat_and_dog(), cat_and_dog(keypoints=POINTS)).keypoints
    assert behind is not None
    assert (behind[:2].any(), behind[2:].tolist()) == (False, POINTS.tolist())
    fractions = image_record(
        image_id="a", filename="a", source="t", names=("cow",), boxes_xyxy=[(0, 0, 1, 1)], relative=True
    )
    mixed = joined(fractions, cat_and_dog(width=60, height=40, keypoints=POINTS)).keypoints
    assert mixed is not None
    assert mixed[1:].tolist() == [
        [[1 / 60, 2 / 40, 2], [0, 0, 0]],
        [[3 / 60, 4 / 40, 1], [5 / 60, 6 / 40, 2]],
    ]

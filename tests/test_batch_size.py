"""The largest batch that fits."""

from __future__ import annotations

import pytest

from tfrec_tools.detector.running.batch_size import largest
from tfrec_tools.errors import TfrecError


@pytest.mark.parametrize(
    ("room", "expected"), [(1, 1), (3, 2), (8, 8), (15, 8), (16, 16), (70, 64), (10**6, 128)]
)
def test_the_largest_batch_that_fits(room: int, expected: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= room

    assert largest(fits) == expected
    assert len(set(tried)) == len(tried)


def test_no_room_for_one_picture() -> None:
    with pytest.raises(TfrecError, match="not even one picture"):
        largest(lambda _: False)

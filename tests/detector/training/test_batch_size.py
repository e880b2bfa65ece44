"""The largest batch that fits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.helpers import strategies, tiny
from tfrec_tools.detector.training.batch_size import USUAL, fitted, largest
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.trainer import Trainer
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
    with pytest.raises(TfrecError, match="not even one image"):
        largest(lambda _: False)


def test_what_was_found_is_kept_with_the_run(tmp_path: Path) -> None:
    asked = replace(strategies.TRAINING, batch_size=0)
    noted = tmp_path / "batch_size.txt"

    def make(_config: TrainConfig) -> Trainer:
        raise AssertionError("a CPU is not tried out")

    assert fitted(replace(asked, batch_size=5), make, noted).batch_size == 5
    assert fitted(asked, make, noted).batch_size == USUAL
    noted.write_text("32\n")
    assert fitted(asked, make, noted).batch_size == 32


def test_a_small_batch_fits() -> None:
    make = partial(Trainer, tiny.detector("red"))
    assert make(replace(strategies.TRAINING, batch_size=1, freeze_backbone=True)).stepper.fits()

"""The losses of a run, in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tfrec_tools.detector.training import history, validation
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.errors import InputError


def test_losses_are_read_back(tmp_path: Path) -> None:
    curve = [StepLosses(1, 0.1, 1 / 3, 2.5, 0.0), StepLosses(2, 0.05, 1e-9, 2.4, 0.7)]
    history.write_losses(tmp_path / "losses.csv", curve)
    assert history.read_losses(tmp_path / "losses.csv") == curve


@pytest.mark.parametrize("read", [history.read_losses, validation.read_validations])
@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\x00", b"step,loss\n4,1\n", b"step\nx\n", b'step\n"4\0']
)
def test_what_a_run_noted_and_is_damaged_is_a_line(
    tmp_path: Path, read: Callable[[Path], list[object]], content: bytes | None
) -> None:
    file = tmp_path / "noted.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"noted\.csv: cannot be read as what the run noted") as caught:
        read(file)
    assert "\n" not in str(caught.value)

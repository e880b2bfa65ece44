"""The losses of a run, in a file."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.detector.training import history
from tfrec_tools.detector.training.train_step import StepLosses


def test_losses_are_read_back(tmp_path: Path) -> None:
    curve = [StepLosses(1, 0.1, 1 / 3, 2.5, 0.0), StepLosses(2, 0.05, 1e-9, 2.4, 0.7)]
    history.write_losses(tmp_path / "losses.csv", curve)
    assert history.read_losses(tmp_path / "losses.csv") == curve

"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Tests are never timed: a busy machine is no fault of the code. In CI the same examples come every time.
settings.register_profile("tfrec", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tfrec")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data sets and golden files that are not part of the repository."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("real data sets and golden files (../shared) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return ROOT / "sample_data"

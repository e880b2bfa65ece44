"""What every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers.places import SAMPLE, SHARED

# Tests are never timed: a busy machine is no fault of the code. In CI the same examples come every time.
settings.register_profile("tfrec", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tfrec")

# As wide as where no terminal is, wherever the tests run: workers of pytest-xdist are told 80 columns.
os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data sets and golden files that are not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("real data sets and golden files (../shared) are not on this machine")
    return SHARED


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C is heard by this process and those that it starts, also where the tests run in the background: a
    shell starts such commands, as nohup does, with SIGINT ignored, which Python and its children keep."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return SAMPLE

"""Files that go to the disk beside other work: what the disk refuses is said, and does not stay."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from tfrec_tools.system import flushing


def test_all_are_synced_when_the_block_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(flushing, "sync", synced.append)
    paths = [tmp_path / name for name in "abc"]
    before = set(threading.enumerate())  # other tests' libraries may have left some
    with flushing.flushing() as flush:
        for path in paths:
            flush(path)
    assert synced == paths
    assert set(threading.enumerate()) <= before


def test_what_the_disk_refuses_is_removed_and_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        if path.name == "b":
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(flushing, "sync", refused)
    for name in "abc":
        (tmp_path / name).touch()

    def flush_all() -> None:
        with flushing.flushing() as flush:
            for name in "abc":
                flush(tmp_path / name)

    with pytest.raises(OSError, match="Input/output error") as caught:
        flush_all()
    assert caught.value.filename == str(tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_without_files_there_is_no_thread() -> None:
    before = set(threading.enumerate())
    with flushing.flushing():
        assert set(threading.enumerate()) <= before

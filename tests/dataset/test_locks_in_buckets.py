"""Two runs that write one set in a store: fsspec's own store in memory, which can write only what is not
there, as S3 and Google's do."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.system import locks, store_locks
from tfrec_tools.system.fsspec_path import BucketOutput

SET = BucketOutput("memory://bucket/set")
LOCK = BucketOutput("memory://bucket/.set.lock")


@pytest.fixture(autouse=True)
def store() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)


def holder(**other: object) -> dict[str, object]:
    """What the lock of a run elsewhere says, but for what it says otherwise."""
    return {"id": "a", "pid": 7, "host": "elsewhere", "since": "noon", "renewed": time.time()} | other


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    options = ConvertOptions(coco(tmp_path), str(SET), workers=1)
    with locks.held(SET, "set"):
        line = rf"^memory://bucket/set: another run \(process {os.getpid()} on .* UTC\) is writing this set; "
        with pytest.raises(InputError, match=line):
            convert(options)
        assert [path.name for path in LOCK.parent.iterdir()] == [LOCK.name]
    assert convert(options).outcome == "made"
    assert not LOCK.exists()


@pytest.mark.parametrize(
    "said",
    [
        holder(renewed=time.time() - 601),
        holder(host=os.uname().nodename, pid=2**22 + 1),  # more than Linux has
        holder(host=os.uname().nodename, pid=os.getpid()),
        {},
        ["nonsense"],
    ],
)
def test_a_lock_whose_run_has_ended_is_void(said: object) -> None:
    LOCK.write_bytes(json.dumps(said).encode())
    with locks.held(SET, "set"):
        assert json.loads(LOCK.read_bytes())["pid"] == os.getpid()
    assert not LOCK.exists()


def test_a_lock_of_another_machine_holds() -> None:
    LOCK.write_bytes(json.dumps(holder()).encode())
    before = LOCK.read_bytes()
    with (
        pytest.raises(InputError, match=r"another run \(process 7 on elsewhere, since noon\)"),
        locks.held(SET, "set"),
    ):
        pass
    assert LOCK.read_bytes() == before


def test_a_long_run_renews_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_locks, "_RENEWED_EVERY_S", 0.01)
    with locks.held(SET, "set"):
        first = json.loads(LOCK.read_bytes())
        for _ in range(1000):
            if (now := json.loads(LOCK.read_bytes()))["renewed"] > first["renewed"]:
                break
            time.sleep(0.01)
        assert now["id"] == first["id"]
        assert now["renewed"] > first["renewed"]


def test_a_store_that_cannot_say_whether_it_was_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that overwrites what is there all the same, and one whose library knows no such writing."""
    files = type(fsspec.filesystem("memory"))
    monkeypatch.setattr(
        files,
        "pipe_file",
        lambda self, path, value, mode="": self.open(path, "wb", data=value if mode else b""),
    )
    with locks.held(SET, "set"):
        assert LOCK.exists()
    monkeypatch.setattr(files, "pipe_file", lambda self, path, value: self.open(path, "wb", data=value))
    with locks.held(SET, "set"):
        assert not LOCK.exists()

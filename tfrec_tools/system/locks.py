"""Which run works on something: a locked file beside it, which says whose run that is."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.system import store_locks
from tfrec_tools.system.atomic import named_as
from tfrec_tools.system.remote_path import RemotePath

if sys.platform != "win32":
    import fcntl

_TRIES = 10
_MOST_BYTES = 1000  # of what a lock says


def take(lock: Path, subject: Path, what: str, make_room: Callable[[], None]) -> int | None:
    """Returns the open lock, which ends with the process and is not that of its forks; None where the system
    has none. `make_room` makes its folder, which the run before may be removing just now. Raises InputError
    of `subject` where another run holds it; `what` says what that run is writing."""
    holder = ""
    for _ in range(_TRIES):
        make_room()
        if sys.platform == "win32":
            return None
        with suppress(FileNotFoundError):
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            if not _is_taken(file):
                holder = _holder(file)
                os.close(file)
                break
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), lock.stat()):
                    _say_who(file)
                    return file
            os.close(file)
    reason = f"another run{holder} is writing this {what}"
    raise InputError(subject, f"{reason}; wait until it ends, or choose another --out")


def release(lock: Path, file: int | None) -> None:
    """The lock goes, before it is free, so that who waits for it finds none rather than one that is gone."""
    with suppress(FileNotFoundError):
        lock.unlink()
    if file is not None:
        os.close(file)


@contextmanager
def held(subject: Path, what: str) -> Iterator[None]:
    """No other run writes `subject` until the block ends; the lock is the hidden file .NAME.lock beside it.
    Raises InputError where another run does. Of stores, those have locks that can write only what is not
    there."""
    lock = subject.with_name(f".{subject.name}.lock")
    if isinstance(lock, RemotePath):
        with named_as(subject, lock), store_locks.held(lock, subject, what, _now()):
            yield
        return
    with named_as(subject, lock):
        file = take(lock, subject, what, lambda: lock.parent.mkdir(parents=True, exist_ok=True))
    try:
        yield
    finally:
        release(lock, file)


def _is_taken(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return fault.errno not in (errno.EACCES, errno.EAGAIN)  # others: this file system has no locks
    return True


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _say_who(file: int) -> None:
    who = {"pid": os.getpid(), "host": os.uname().nodename, "since": _now()}
    with suppress(OSError):  # a disk that is full keeps nobody from holding a lock
        os.ftruncate(file, 0)
        os.write(file, json.dumps(who).encode())


def _holder(file: int) -> str:
    """Returns what a lock says of who holds it, in brackets; "" where that is not written yet."""
    try:
        who = json.loads(os.read(file, _MOST_BYTES))
        return f" (process {int(who['pid'])} on {who['host']}, since {who['since']})"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""

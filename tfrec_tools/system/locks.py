"""Which run works on something: a locked file beside it, which says whose run that is."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tfrec_tools.system import lock_holders, store_locks
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
    said: dict[str, Any] = {}
    for _ in range(_TRIES):
        make_room()
        if sys.platform == "win32":
            return None
        with suppress(FileNotFoundError):
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            if not _is_taken(file):
                said = _said(file)
                os.close(file)
                break
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), lock.stat()):
                    _say_who(file)
                    return file
            os.close(file)
    raise lock_holders.taken(subject, what, said)


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
        with named_as(subject, lock), store_locks.held(lock, subject, what):
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


def _say_who(file: int) -> None:
    with suppress(OSError):  # a disk that is full keeps nobody from holding a lock
        os.ftruncate(file, 0)
        os.write(file, json.dumps(lock_holders.ourselves()).encode())


def _said(file: int) -> dict[str, Any]:
    """Returns what a lock says; {} where nothing that is understood is written yet."""
    try:
        said = json.loads(os.read(file, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}

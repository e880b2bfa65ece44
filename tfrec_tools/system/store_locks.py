"""Which run works on something in a store: an object beside it, written only where there is none (S3's
If-None-Match, Google's ifGenerationMatch), that says whose run that is and is renewed while that goes on.

Unlike the lock of a file it does not end with its process. So it is void when nobody has renewed it for a
while, or when its process is of this machine and has ended.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.system import lock_holders
from tfrec_tools.system.remote_path import RemotePath

_RENEWED_EVERY_S = 60
_VOID_AFTER_S = 600  # clocks of machines may differ by minutes
_TRIES = 10

_ours: set[str] = set()  # ids of the locks that this process holds


@dataclass(frozen=True, slots=True)
class _Lock:
    """The object, the id of who holds it, and who that is."""

    path: RemotePath
    owner: str
    who: Mapping[str, Any]

    def content(self) -> bytes:
        return json.dumps({"id": self.owner, "renewed": time.time(), **self.who}).encode()

    def is_held(self) -> bool:
        return (_said(self.path) or {}).get("id") == self.owner

    def renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(_RENEWED_EVERY_S):
            with suppress(OSError):  # the next time may do
                if self.is_held():
                    self.path.write_bytes(self.content())


@contextmanager
def held(path: RemotePath, subject: Path, what: str) -> Iterator[None]:
    """No other run holds the lock until the block ends. Raises InputError of `subject` where another run
    does; `what` says what that run is writing. A store that cannot write only what is not there has none."""
    lock = _Lock(path, uuid.uuid4().hex, lock_holders.ourselves())
    if not _take(lock, subject, what):
        yield
        return
    _ours.add(lock.owner)
    ended = threading.Event()
    renewing = threading.Thread(target=lock.renew_until, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        _ours.discard(lock.owner)
        with suppress(OSError):
            if lock.is_held():
                path.unlink(missing_ok=True)


def _take(lock: _Lock, subject: Path, what: str) -> bool:
    """Returns whether the lock was taken; False where the store has none."""
    said: dict[str, Any] | None = {}
    for _ in range(_TRIES):
        created = lock.path.create(lock.content())
        if created is None:
            return False
        if created and lock.is_held():  # a server that does not know the condition overwrites
            return True
        said = _said(lock.path)
        if said is None:
            continue
        if not _is_void(said):
            break
        lock.path.unlink(missing_ok=True)
    until = f" ({_VOID_AFTER_S // 60} minutes, if it was killed)"
    raise lock_holders.taken(subject, what, said or {}, until)


def _said(path: RemotePath) -> dict[str, Any] | None:
    """Returns what a lock says; None where there is none, {} where it says nothing that is understood."""
    try:
        said = json.loads(path.read_part(0, None))
        return said if isinstance(said, dict) else {}
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return {}


def _is_void(said: dict[str, Any]) -> bool:
    renewed, pid = said.get("renewed"), said.get("pid")
    if not isinstance(renewed, int | float) or time.time() - renewed > _VOID_AFTER_S:
        return True
    return said.get("host") == os.uname().nodename and isinstance(pid, int) and _has_ended(pid, said)


def _has_ended(pid: int, said: dict[str, Any]) -> bool:
    """Returns whether a process of this machine is no more; of this one, whether it has let the lock go."""
    if pid == os.getpid():
        return said.get("id") not in _ours
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False

"""Who holds a lock: what the lock says of them, and what others are told who want it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tfrec_tools.errors import InputError


def ourselves() -> dict[str, Any]:
    """What a lock is to say from now on: {"pid", "host", "since"}, as JSON has it."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return {"pid": os.getpid(), "host": os.uname().nodename, "since": since}


def taken(subject: Path, what: str, said: Mapping[str, Any], until: str = "") -> InputError:
    """Of `subject`, of which another run writes `what`; `said` is what its lock says, nothing where that
    is not known, and `until` when the lock is free at the latest."""
    known = isinstance(said.get("pid"), int) and {"host", "since"} <= said.keys()
    holder = f" (process {said['pid']} on {said['host']}, since {said['since']})" if known else ""
    reason = f"another run{holder} is writing this {what}"
    return InputError(subject, f"{reason}; wait until it ends{until}, or choose another --out")

"""Work that might hang, or take all memory, in a process of its own that can do neither."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

_SECONDS = 60
_BYTES = 4 << 30  # of addresses, of which libraries map many that they never use


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))


def contained(*words: object) -> subprocess.CompletedProcess[str]:
    """Runs the command; raises TimeoutExpired where it does not end."""
    return _run("-m", "tfrec_tools", *map(str, words))


def contained_code(code: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code."""
    return _run("-c", code)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"COLUMNS": "400", "NO_COLOR": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        preexec_fn=_limited,
    )

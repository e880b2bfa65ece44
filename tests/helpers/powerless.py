"""A call as one makes it who is not root, for whom permissions hold."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable

_VERSION_3 = 0x20080522  # of capset(2): two sets of three words, for which all zeros are no capability


def powerless(call: Callable[[], object]) -> tuple[str, str]:
    """Returns what a call raises in a process of its own that has no capabilities: the class and the text;
    nothing where it raises nothing."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _drop()
            call()
            os.write(write, json.dumps(["", ""]).encode())
        except BaseException as fault:
            os.write(write, json.dumps([type(fault).__name__, str(fault)]).encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as said:
        kind, text = json.loads(said.read())
    return kind, text


def can_drop() -> bool:
    return sys.platform == "linux"


def _drop() -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")

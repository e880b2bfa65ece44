"""Work for processes: what is done, what fails, what never ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from tfrec_tools.errors import InputError

Tick = Callable[[], None]


def square(job: int, tick: Tick) -> int:
    tick()
    tick()
    time.sleep(0.01 * (job % 2))
    return job * job


def fault(job: int, tick: Tick) -> int:
    if job == 3:
        raise InputError("a.jpg", "is damaged", where=f"job {job}")
    return square(job, tick)


def faults(job: int, tick: Tick) -> int:
    """The second of two jobs of the same time fails long before the first."""
    if job in (2, 3):
        time.sleep(0.5 * (job == 2))
        raise InputError("a.jpg", "is damaged", where=f"job {job}")
    return square(job, tick)


def death(job: int, tick: Tick) -> int:
    if job == 3:
        os._exit(9)
    return square(job, tick)


def sleeper(job: int, tick: Tick) -> None:  # noqa: ARG001
    os.write(1, f"{os.getpid()}\n".encode())  # at once: two write at the same time
    time.sleep(60)

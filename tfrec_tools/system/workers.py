"""Jobs done by processes beside this one.

On Linux a worker is a fork: it has the jobs and all modules from the start, so that nothing is imported or
sent twice. Elsewhere, and where threads run (a fork would inherit their locks, but not them), it is a new
interpreter, to which each job is sent.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

from tfrec_tools.errors import TfrecError

Tick = Callable[[], None]
Work = Callable[[Any, Tick], Any]  # (job, to be called after each of its parts) -> result
Link = Any  # multiprocessing's Connection, whose class differs between systems

_TELL_EVERY_S = 0.1


def cores() -> int:
    """Returns the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unheard(_: int) -> None:
    """Nobody waits for a single job."""


def spread(
    work: Work,
    jobs: Sequence[Any],
    count: int,
    ticked: Callable[[int], None],
    ended: Callable[[int], None] = _unheard,
) -> list[Any]:
    """Returns the jobs' results in order, done by `count` processes; `ticked` is called meanwhile with how
    many more parts are done, `ended` with the number of each job when it is. A TfrecError or OSError of a
    job, the first in order that has one, is raised here and ends all, as the death of a worker does."""
    results: dict[int, Any] = {}
    faults: dict[int, Exception] = {}
    forks = _may_fork()
    names = range(len(jobs)) if forks else jobs  # what a worker is told a job by
    left = iter(range(len(jobs)))
    with _started(work, jobs if forks else None, count) as idle:
        doing = dict(zip(idle, left, strict=False))
        for link, number in doing.items():
            link.send(names[number])
        while doing and not (faults and min(faults) < min(doing.values())):
            ready: Any = wait(list(doing))
            for link in ready:
                parts, result, fault = _heard(link)
                ticked(parts)
                if fault is not None:
                    faults[doing.pop(link)] = fault
                elif result is not None:
                    done = doing.pop(link)
                    results[done] = result
                    if not faults and (number := next(left, None)) is not None:
                        link.send(names[number])
                        doing[link] = number
                    ended(done)
    if faults:
        raise faults[min(faults)]
    return [results[number] for number in range(len(jobs))]


def each(
    work: Callable[[Any], Any], jobs: Sequence[Any], count: int, ended: Callable[[int], None] = _unheard
) -> list[Any]:
    """Returns the results of jobs that are too short for new interpreters, in order: done by `count` forks,
    or here. `ended` and errors as of `spread`."""
    if min(count, len(jobs)) < 2 or not _may_fork():
        results = []
        for number, job in enumerate(jobs):
            results.append(work(job))
            ended(number)
        return results
    return spread(lambda job, _: work(job), jobs, min(count, len(jobs)), _unheard, ended)


def _heard(link: Link) -> tuple[int, Any, Exception | None]:
    """Returns (parts done since, the job's result, its fault); neither of these where it goes on."""
    try:
        return link.recv()  # type: ignore[no-any-return]
    except (EOFError, ConnectionError):
        raise TfrecError("a worker process died (out of memory?); try fewer --workers") from None


@contextmanager
def _started(work: Work, jobs: Sequence[Any] | None, count: int) -> Iterator[list[Link]]:
    """Yields the links to workers, which end with the block. Ctrl-C reaches every process of the terminal,
    but this one alone decides what then happens."""
    context: Any = get_context("spawn" if jobs is None else "fork")
    links, processes = [], []
    try:
        with _held_interrupts():
            for _ in range(count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, work, jobs), daemon=True)
                process.start()
                theirs.close()
                links.append(ours)
                processes.append(process)
        yield links
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _may_fork() -> bool:
    """Python does not see the threads of TensorFlow's libraries."""
    return sys.platform == "linux" and threading.active_count() == 1 and "tensorflow" not in sys.modules


@contextmanager
def _held_interrupts() -> Iterator[None]:
    """A process that is started meanwhile never takes one."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(link: Link, work: Work, jobs: Sequence[Any] | None) -> None:
    """Runs a worker: it does the jobs that it receives, by number where it has them all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # a collection would touch, and so copy, all that is shared with the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        job = link.recv()
        link.send(_answer(link, work, job if jobs is None else jobs[job]))


def _answer(link: Link, work: Work, job: Any) -> tuple[int, Any, Exception | None]:
    parts = 0
    told_at = time.monotonic()

    def tick() -> None:
        nonlocal parts, told_at
        parts += 1
        if time.monotonic() - told_at > _TELL_EVERY_S:
            link.send((parts, None, None))
            parts, told_at = 0, time.monotonic()

    try:
        result = work(job, tick)
    except (TfrecError, OSError) as fault:
        return parts, None, fault
    return parts, result, None


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for jobs forever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

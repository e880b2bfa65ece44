"""Shard-sized jobs, done here and by workers: each reads, checks, encodes and writes its own shard."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence, Sized
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

from tfrec_tools import checks, tfrecord, work
from tfrec_tools.atomic import published
from tfrec_tools.errors import TfrecError
from tfrec_tools.example import encode_example, without_picture
from tfrec_tools.fit import fit
from tfrec_tools.images import Picture
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord
from tfrec_tools.sharing import Item
from tfrec_tools.work import Done, Job

Progress = Callable[[int, int], None]  # (images done, images in all)
Tick = Callable[[], None]
Perform = Callable[[Any, Path | None, Tick | None], Done]  # does a job, as `perform` below


class Task(Protocol):
    """What there is to know of a job to have it done: its shard's final name, split and images."""

    @property
    def file(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def items(self) -> Sized: ...
    @property
    def fingerprint(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Pool:
    """Processes that work beside this one."""

    processes: ProcessPoolExecutor
    count: int


@contextmanager
def workers(count: int | None, soon: bool) -> Iterator[Pool | None]:
    """Processes for `run` beside this one; None where one is enough. `soon` starts the first at once, so
    that it is ready when the sources are read."""
    helpers = (count or _cores()) - 1
    if helpers < 1:
        yield None
        return
    with ProcessPoolExecutor(helpers, get_context("spawn"), _begin_worker) as pool:
        if soon:
            with ThreadPoolExecutor(1, initializer=_hold_interrupts) as threads:
                threads.submit(pool.submit, os.getpid)
        yield Pool(pool, helpers)


def run(
    jobs: Sequence[Task],
    folder: Path | None,
    pool: Pool | None,
    progress: Progress,
    do: Perform | None = None,
) -> list[Done]:
    """The jobs' results in order, each done by `do` (`perform` unless it is given): shards written to the
    work folder `folder`, or with None only checked. Those that lie finished in the folder are not done
    again. This process takes part in the work of the pool's."""
    does: Perform = do or perform
    ticked = _ticker(sum(len(job.items) for job in jobs), progress)
    results = _finished(jobs, folder)
    left = deque(job for job in jobs if job.fingerprint not in results)
    ticked(sum(len(job.items) for job in jobs if job.fingerprint in results))
    with _helped(pool, left, folder, results, ticked, does):
        for job in _taken(left):
            results[job.fingerprint] = does(job, folder, lambda: ticked(1))
    return [results[job.fingerprint] for job in jobs]


def perform(job: Job, folder: Path | None, tick: Tick | None = None) -> Done:
    """Does a job; its images are read, checked and encoded one by one, each followed by a tick."""
    boxes: Counter[str] = Counter()
    having: Counter[str] = Counter()
    found: list[tuple[int, Issue]] = []
    images_ = 0
    negatives = 0

    def checked() -> Iterator[tuple[ImageRecord, Picture]]:
        nonlocal images_, negatives
        for index, item in enumerate(job.items):
            record, picture, issues = _look(job, item)
            found.extend((index, issue) for issue in issues)
            if record is not None and picture is not None:
                boxes.update(record.names)
                having.update(set(record.names))
                images_ += 1
                negatives += not record.names
                yield record, picture
            if tick is not None:
                tick()

    def done(written: tfrecord.Written, sha256: str) -> Done:
        return Done(written, sha256, images_, negatives, dict(boxes), dict(having), tuple(found))

    if folder is None:
        for _ in checked():
            pass
        return done(tfrecord.Written(images_, 0, 0), "")
    digest = hashlib.sha256()

    def examples() -> Iterator[bytes]:
        for record, picture in checked():
            example = encode_example(record, picture, job.ids)
            digest.update(without_picture(example, picture.data))
            yield example

    with published(work.shard_path(folder, job.fingerprint)) as (part,):
        written = tfrecord.write(part, examples(), job.compression)
    finished = done(written, digest.hexdigest())
    work.note(folder, job.fingerprint, finished)
    return finished


def _look(job: Job, item: Item) -> tuple[ImageRecord | None, Picture | None, list[Issue]]:
    """The image as it is to be stored, None where it is not, and what was found."""
    fitted = fit(item.record, item.place, job.rules)
    odd = [replace(issue, fixed=issue.fixed or _drops(job, issue.code)) for issue in fitted.issues]
    if fitted.pair is None:
        return None, None, odd
    record, picture = fitted.pair
    checked, faults = checks.check(record, picture.width, picture.height, job.checks)
    if any(_drops(job, issue.code) for issue in odd):
        checked = None
    return checked, picture, [*odd, *faults]


def _drops(job: Job, code: str) -> bool:
    return job.checks.policies.action(code) == "drop-image"


def _finished(jobs: Sequence[Task], folder: Path | None) -> dict[str, Done]:
    if folder is None:
        return {}
    found = ((job.fingerprint, work.finished(folder, job.fingerprint, job.file)) for job in jobs)
    return {fingerprint: done for fingerprint, done in found if done is not None}


def _ticker(total: int, progress: Progress) -> Callable[[int], None]:
    """Counts images from any thread."""
    lock = threading.Lock()
    finished = 0

    def ticked(images: int) -> None:
        nonlocal finished
        with lock:
            finished += images
            if images:
                progress(finished, total)

    return ticked


def _taken(left: deque[Task]) -> Iterator[Task]:
    """Jobs until none is left; several threads may take from one deque."""
    while True:
        try:
            yield left.popleft()
        except IndexError:
            return


@contextmanager
def _helped(
    pool: Pool | None,
    left: deque[Task],
    folder: Path | None,
    results: dict[str, Done],
    ticked: Callable[[int], None],
    do: Perform,
) -> Iterator[None]:
    """The pool's processes take jobs from `left` while the block does, each fed by a thread; at its end
    all jobs are done. The first fault of any ends all."""
    if pool is None or len(left) < 2:
        yield
        return

    def feed() -> None:
        for job in _taken(left):
            try:
                results[job.fingerprint] = pool.processes.submit(do, job, folder, None).result()
            except BaseException:
                left.clear()
                raise
            ticked(len(job.items))

    count = min(pool.count, len(left) - 1)
    with ThreadPoolExecutor(count, initializer=_hold_interrupts) as threads:
        feeding = [threads.submit(feed) for _ in range(count)]
        try:
            yield
            for one in feeding:
                one.result()
        except BrokenProcessPool as fault:
            raise TfrecError("a worker process died (out of memory?); try fewer --workers") from fault
        finally:
            left.clear()


def _hold_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the parent's main thread alone decides what then
    happens. Processes that this thread starts inherit that it takes none."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for jobs forever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

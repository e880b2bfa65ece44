"""Shard-sized jobs, done here and by workers: each reads, encodes and writes its own shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import Done
from tfrec_tools.system import workers
from tfrec_tools.system.workers import Tick

Progress = Callable[[int, int], None]  # (images done, images in all)


class Perform(Protocol):
    """Does a job, each of whose items is followed by a tick; with None for a folder it only checks."""

    def __call__(self, job: Any, tick: Tick, folder: Path | None) -> Done: ...


class Engine(Protocol):
    """Has jobs done by `do` and their shards written to the work folder `folder`; their results in order."""

    def __call__(self, jobs: Sequence[Task], folder: Path, progress: Progress, do: Perform) -> list[Done]: ...


class Task(Protocol):
    """What there is to know of a job to have it done: its shard's final name and split, its images."""

    @property
    def file(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def items(self) -> Sized: ...
    @property
    def fingerprint(self) -> str: ...


def run(
    jobs: Sequence[Task],
    folder: Path | None,
    progress: Progress,
    do: Perform,
    processes: int | None = None,
) -> list[Done]:
    """The jobs' results in order, each done by `do`: shards written to the work folder `folder`, or with None
    only checked. Those that lie finished in the folder are not done again. None for processes: as many as
    cores."""
    results = {} if folder is None else finished(jobs, folder)
    left = [job for job in jobs if job.fingerprint not in results]
    ticked = ticker(sum(len(job.items) for job in jobs), progress)
    ticked(sum(len(job.items) for job in jobs if job.fingerprint in results))
    count = min(processes or workers.cores(), len(left))
    if count > 1:
        done = workers.spread(partial(do, folder=folder), left, count, ticked)
    else:
        done = [do(job, lambda: ticked(1), folder) for job in left]
    results.update((job.fingerprint, one) for job, one in zip(left, done, strict=True))
    return [results[job.fingerprint] for job in jobs]


def finished(jobs: Sequence[Task], folder: Path) -> dict[str, Done]:
    """{fingerprint: result} of the jobs whose shards are finished."""
    found = ((job.fingerprint, staging.finished(folder, job.fingerprint, job.file)) for job in jobs)
    return {fingerprint: done for fingerprint, done in found if done is not None}


def ticker(total: int, progress: Progress) -> Callable[[int], None]:
    """Counts images, of `total`."""
    count = 0

    def ticked(images: int) -> None:
        nonlocal count
        count += images
        if images:
            progress(count, total)

    return ticked

"""Shard-sized jobs, done here and by workers: each reads, encodes and writes its own shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.system import workers
from tfrec_tools.system.flushing import flushing
from tfrec_tools.system.workers import Tick

ImageProgress = Callable[[int, int], None]  # (images done, images in all)


class Engine(Protocol):
    """Has jobs performed and their shards written to the work folder `folder`; their results in order."""

    def __call__(self, jobs: Sequence[Job], folder: Path, progress: ImageProgress) -> list[ShardResult]: ...


class Job(Protocol):
    """A shard to be written: its final name and split, its images, and a fingerprint of all that its bytes
    depend on."""

    @property
    def file(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def items(self) -> Sized: ...
    @property
    def fingerprint(self) -> str: ...

    def order(self, index: int) -> Any:
        """Where an item stands among all of the set's sources; to sort issues by."""

    def perform(self, tick: Tick, folder: Path | None) -> ShardResult:
        """Reads, checks and writes the items, each followed by a tick; with None for a folder it only
        checks."""


def run(
    jobs: Sequence[Job],
    folder: Path | None,
    progress: ImageProgress,
    processes: int | None = None,
    durable: bool = False,
) -> list[ShardResult]:
    """The jobs' results in order: shards are written to the work folder `folder`, or with None only checked.
    Those that lie finished in the folder are not written again. None for processes: as many as cores.
    `durable`: each goes to the disk while the next are made."""
    results = {} if folder is None else finished(jobs, folder)
    left = [job for job in jobs if job.fingerprint not in results]
    ticked = ticker(sum(len(job.items) for job in jobs), progress)
    ticked(sum(len(job.items) for job in jobs if job.fingerprint in results))
    count = min(processes or workers.cores(), len(left))
    with flushing() as flush:

        def ended(number: int) -> None:
            if folder is not None and durable:
                flush(staging.shard_path(folder, left[number].fingerprint))

        if count > 1:
            done = workers.spread(partial(_perform, folder=folder), left, count, ticked, ended)
        else:
            done = []
            for number, job in enumerate(left):
                done.append(job.perform(lambda: ticked(1), folder))
                ended(number)
    results.update((job.fingerprint, result) for job, result in zip(left, done, strict=True))
    return [results[job.fingerprint] for job in jobs]


def finished(jobs: Sequence[Job], folder: Path) -> dict[str, ShardResult]:
    """{fingerprint: result} of the jobs whose shards are finished."""
    noted = ((job.fingerprint, staging.finished(folder, job.fingerprint, job.file)) for job in jobs)
    return {fingerprint: done for fingerprint, done in noted if done is not None}


def _perform(job: Job, tick: Tick, folder: Path | None) -> ShardResult:
    return job.perform(tick, folder)


def ticker(total: int, progress: ImageProgress) -> Callable[[int], None]:
    """Counts images, of `total`."""
    count = 0

    def ticked(images: int) -> None:
        nonlocal count
        count += images
        if images:
            progress(count, total)

    return ticked

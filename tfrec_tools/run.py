"""Shard-sized jobs, done here and by workers: each reads, checks, encodes and writes its own shard."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tfrec_tools import checks, tfrecord, work, workers
from tfrec_tools.atomic import published
from tfrec_tools.checks import Checks
from tfrec_tools.example import encode_example, without_picture
from tfrec_tools.fit import fit
from tfrec_tools.images import Picture, Rules
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord, Place
from tfrec_tools.work import Done, Job
from tfrec_tools.workers import Tick

Progress = Callable[[int, int], None]  # (images done, images in all)


class Perform(Protocol):
    """Does a job, as `perform` below."""

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


def perform(job: Job, tick: Tick, folder: Path | None) -> Done:
    """Does a job; its images are read, checked and encoded one by one, each followed by a tick."""
    boxes: list[str] = []  # the class of each box
    having: list[str] = []  # the classes of each image
    found: list[tuple[int, Issue]] = []
    images_ = 0
    negatives = 0

    def checked() -> Iterator[tuple[ImageRecord, Picture]]:
        nonlocal images_, negatives
        for index, item in enumerate(job.items):
            record, picture, issues = look(item.record, item.place, job.checks, job.rules)
            found.extend((index, issue) for issue in issues)
            if record is not None and picture is not None:
                boxes.extend(record.names)
                having.extend(set(record.names))
                images_ += 1
                negatives += not record.names
                yield record, picture
            tick()

    def done(written: tfrecord.Written, sha256: str) -> Done:
        counts = dict(Counter(boxes)), dict(Counter(having))
        return Done(written, sha256, images_, negatives, *counts, tuple(found))

    if folder is None:
        for _ in checked():
            pass
        return done(tfrecord.Written(images_, 0, 0), "")
    examples = ((encode_example(record, picture, job.ids), picture.data) for record, picture in checked())
    result = done(*write_shard(work.shard_path(folder, job.fingerprint), examples, job.compression))
    work.note(folder, job.fingerprint, result)
    return result


def write_shard(
    path: Path, examples: Iterable[tuple[bytes, bytes | memoryview]], compression: str
) -> tuple[tfrecord.Written, str]:
    """Writes Examples, each given with the bytes of its picture; what the file holds, and the SHA-256 of its
    records as ShardInfo says."""
    digest = hashlib.sha256()

    def records() -> Iterator[bytes]:
        for example, picture in examples:
            digest.update(without_picture(example, picture))
            yield example

    with published(path, alone=False) as (part,):
        written = tfrecord.write(part, records(), compression)
    return written, digest.hexdigest()


def look(
    record: ImageRecord, place: Place, how: Checks, rules: Rules
) -> tuple[ImageRecord | None, Picture | None, list[Issue]]:
    """The image as it is to be stored, None where it is not, and what was found."""
    fitted = fit(record, place, rules)
    policies = how.policies
    odd = [replace(issue, fixed=issue.fixed or policies.drops(issue.code)) for issue in fitted.issues]
    if fitted.pair is None:
        return None, None, odd
    in_pixels, picture = fitted.pair
    checked, faults = checks.check(in_pixels, picture.width, picture.height, how, fitted.damaged_masks)
    if any(policies.drops(issue.code) for issue in odd):
        checked = None
    return checked, picture, [*odd, *faults]


def finished(jobs: Sequence[Task], folder: Path) -> dict[str, Done]:
    """{fingerprint: result} of the jobs whose shards are finished."""
    found = ((job.fingerprint, work.finished(folder, job.fingerprint, job.file)) for job in jobs)
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

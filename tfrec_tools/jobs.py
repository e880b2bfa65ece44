"""Shards of images, each written by one process that reads, checks and encodes its images."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tfrec_tools import checks, tfrecord, work
from tfrec_tools.atomic import published
from tfrec_tools.checks import Checks
from tfrec_tools.example import encode_example, without_picture
from tfrec_tools.fit import fit
from tfrec_tools.images import Picture, Rules
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord
from tfrec_tools.sharing import Item
from tfrec_tools.work import Done
from tfrec_tools.workers import Tick


@dataclass(frozen=True, slots=True)
class Job:
    """A shard to write.

    file, split   the shard's final name, and its split ("" where there is none)
    items         its images in order
    content       of all that its bytes depend on, except the pictures' own bytes
    fingerprint   the same with the pictures' files and their times of change
    """

    file: str
    split: str
    items: tuple[Item, ...]
    ids: Mapping[str, int]
    checks: Checks
    rules: Rules
    compression: str
    content: str
    fingerprint: str


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
            record, picture, issues = _look(job, item)
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
    digest = hashlib.sha256()

    def examples() -> Iterator[bytes]:
        for record, picture in checked():
            example = encode_example(record, picture, job.ids)
            digest.update(without_picture(example, picture.data))
            yield example

    with published(work.shard_path(folder, job.fingerprint)) as (part,):
        size = sum(item.size for item in job.items)
        written = tfrecord.write(part, examples(), job.compression, size)
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
    checked, faults = checks.check(record, picture.width, picture.height, job.checks, fitted.damaged_masks)
    if any(_drops(job, issue.code) for issue in odd):
        checked = None
    return checked, picture, [*odd, *faults]


def _drops(job: Job, code: str) -> bool:
    return job.checks.policies.action(code) == "drop-image"

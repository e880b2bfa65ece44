"""Shards of images, each written by one process that reads, checks and encodes its images."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tfrec_tools.annotations import box_checks
from tfrec_tools.annotations.box_checks import Checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Place
from tfrec_tools.conversion.sharing import Item
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import Done
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import Picture, Rules
from tfrec_tools.system.atomic import published
from tfrec_tools.system.workers import Tick
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example, without_picture


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
            record, picture, issues = look(item.record, item.place, job.checks, job.rules)
            found.extend((index, issue) for issue in issues)
            if record is not None and picture is not None:
                boxes.extend(record.names)
                having.extend(set(record.names))
                images_ += 1
                negatives += not record.names
                yield record, picture
            tick()

    def done(written: framing.Written, sha256: str) -> Done:
        counts = dict(Counter(boxes)), dict(Counter(having))
        return Done(written, sha256, images_, negatives, *counts, tuple(found))

    if folder is None:
        for _ in checked():
            pass
        return done(framing.Written(images_, 0, 0), "")
    examples = ((encode_example(record, picture, job.ids), picture.data) for record, picture in checked())
    size = sum(item.size for item in job.items)
    result = done(*write_shard(staging.shard_path(folder, job.fingerprint), examples, job.compression, size))
    staging.note(folder, job.fingerprint, result)
    return result


def write_shard(
    path: Path, examples: Iterable[tuple[bytes, bytes | memoryview]], compression: str, expected: int
) -> tuple[framing.Written, str]:
    """Writes Examples, each given with the bytes of its picture, about `expected` bytes in all; what the file
    holds, and the SHA-256 of its records as ShardInfo says."""
    digest = hashlib.sha256()

    def records() -> Iterator[bytes]:
        for example, picture in examples:
            digest.update(without_picture(example, picture))
            yield example

    with published(path, alone=False) as (part,):
        written = framing.write(part, records(), compression, expected)
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
    checked, faults = box_checks.check(in_pixels, picture.width, picture.height, how, fitted.damaged_masks)
    if any(policies.drops(issue.code) for issue in odd):
        checked = None
    return checked, picture, [*odd, *faults]

"""Shards of images, each written by one process that reads, checks and encodes its images."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfrec_tools.annotations import box_checks
from tfrec_tools.annotations.accounts import Tally
from tfrec_tools.annotations.box_checks import Checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.annotations.records import ByteRange, ImageRecord
from tfrec_tools.conversion.sharing import SourceImage
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.images.fitting import fit
from tfrec_tools.images.loading import EncodedImage, ImageOptions
from tfrec_tools.labels.keypoints import KeypointLayout
from tfrec_tools.system.atomic import published
from tfrec_tools.system.workers import Tick
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example, without_image


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a set as its records have them: {name: id}, and how their keypoints lie."""

    ids: Mapping[str, int]
    keypoints: KeypointLayout


@dataclass(frozen=True, slots=True)
class ConversionJob:
    """A shard to write.

    file, split   the shard's final name, and its split ("" where there is none)
    items         its images in order
    content       of all that its bytes depend on, except the images' own bytes
    fingerprint   the same with the images' files and their times of change
    """

    file: str
    split: str
    items: tuple[SourceImage, ...]
    classes: Classes
    checks: Checks
    rules: ImageOptions
    compression: str
    content: str
    fingerprint: str

    def order(self, index: int) -> int:
        return self.items[index].order

    def perform(self, tick: Tick, folder: Path | None) -> ShardResult:
        """Reads, checks and encodes the images one by one, each followed by a tick; with None for a folder
        nothing is written."""
        return _perform(self, tick, folder)


def _perform(job: ConversionJob, tick: Tick, folder: Path | None) -> ShardResult:
    boxes: list[str] = []  # the class of each box
    classes_of_images: list[str] = []  # the classes of each image
    issues_by_index: list[tuple[int, Issue]] = []
    tallies = dict[int, Tally]()
    whole_images, whole_boxes = Counter[int](), Counter[int]()  # of images without issues, by source
    images_ = 0
    negatives = 0

    def checked() -> Iterator[tuple[ImageRecord, EncodedImage]]:
        nonlocal images_, negatives
        for index, item in enumerate(job.items):
            record, image, issues = load_checked(item.record, item.place, job.checks, job.rules)
            if issues or item.others:
                issues_by_index.extend((index, issue) for issue in issues)
                for source, tally in _tallies(item, record, issues, job.checks.policies):
                    tallies[source] = tallies.get(source, Tally()) + tally
            else:  # nothing is lost, which is counted at once
                whole_images[item.source] += 1
                whole_boxes[item.source] += len(item.record.names)
            if record is not None and image is not None:
                boxes.extend(record.names)
                classes_of_images.extend(set(record.names))
                images_ += 1
                negatives += not record.names
                yield record, image
            tick()

    def done(written: framing.Written, sha256: str) -> ShardResult:
        counts = dict(Counter(boxes)), dict(Counter(classes_of_images))
        for source, images in whole_images.items():
            tallies[source] = tallies.get(source, Tally()) + Tally(images, whole_boxes[source])
        return ShardResult(written, sha256, images_, negatives, *counts, tuple(issues_by_index), tallies)

    if folder is None:
        for _ in checked():
            pass
        return done(framing.Written(images_, 0, 0), "")
    ids, keypoints = job.classes.ids, job.classes.keypoints
    examples = ((encode_example(record, image, ids, keypoints), image.data) for record, image in checked())
    size = sum(item.size for item in job.items)
    result = done(*write_shard(staging.shard_path(folder, job.fingerprint), examples, job.compression, size))
    staging.note(folder, job.fingerprint, result)
    return result


def _tallies(
    item: SourceImage, kept: ImageRecord | None, issues: Sequence[Issue], policies: Policies
) -> Iterator[tuple[int, Tally]]:
    """Yields what became of an image, of which `kept` is left, for each source that has boxes of it, by its
    number. The image itself is its first source's."""
    lost_images, lost = _lost(item.record, kept, issues, policies)
    first = 0
    for place, (source, boxes) in enumerate(item.shares):
        codes = Counter(lost[box] for box in range(first, first + boxes) if box in lost) if lost else {}
        yield source, Tally(int(not place), boxes, {} if place else lost_images, dict(codes))
        first += boxes


def _lost(
    given: ImageRecord, kept: ImageRecord | None, issues: Sequence[Issue], policies: Policies
) -> tuple[dict[str, int], dict[int, str]]:
    """Returns {code: 1} where the image is not kept; and {box: code} of the boxes that are not."""
    boxes = len(given.names)
    if kept is None:
        fatal = (issue.code for issue in issues if policies.drops(issue.code))
        code = next(fatal, issues[0].code)  # a file that is damaged is left out whatever the policy says
        return {code: 1}, dict.fromkeys(range(boxes), code)
    codes: dict[int, str] = {}
    if len(kept.names) < boxes:
        for issue in issues:
            if issue.box is not None and policies.treatment(issue.code) == "drop-box":
                codes.setdefault(issue.box, issue.code)
    return {}, codes


def write_shard(
    path: Path, examples: Iterable[tuple[bytes, bytes | memoryview]], compression: str, expected: int
) -> tuple[framing.Written, str]:
    """Writes Examples, each given with the bytes of its image, about `expected` bytes in all; what the file
    holds, and the SHA-256 of its records as ShardInfo says."""
    digest = hashlib.sha256()

    def records() -> Iterator[bytes]:
        for example, image in examples:
            digest.update(without_image(example, image))
            yield example

    with published(path, alone=False, durable=False) as (part,):
        written = framing.write(part, records(), compression, expected)
    return written, digest.hexdigest()


def load_checked(
    record: ImageRecord, place: ByteRange, how: Checks, rules: ImageOptions
) -> tuple[ImageRecord | None, EncodedImage | None, list[Issue]]:
    """Returns the image as it is to be stored, None where it is not, and what was found."""
    fitted = fit(record, place, rules)
    policies = how.policies
    odd = [replace(issue, fixed=issue.fixed or policies.drops(issue.code)) for issue in fitted.issues]
    if fitted.pair is None:
        return None, None, odd
    in_pixels, image = fitted.pair
    checked, faults = box_checks.check(in_pixels, image.width, image.height, how, fitted.damaged_masks)
    if any(policies.drops(issue.code) for issue in odd):
        checked = None
    return checked, image, [*odd, *faults]

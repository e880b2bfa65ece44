"""Shards of remapped records, each written by one process that reads its records wherever they are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from tfrec_tools.annotations.accounts import Tally
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import InputError
from tfrec_tools.remapping import examples
from tfrec_tools.remapping.classes import Classes
from tfrec_tools.remapping.examples import Remapped
from tfrec_tools.remapping.sources import File, Record, place_of
from tfrec_tools.system.atomic import published
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.counting import boxes_in
from tfrec_tools.tfrecords.framing import Pieces

_OPEN = 200  # files at a time


@dataclass(frozen=True, slots=True)
class RemapJob:
    """A shard to write.

    file, split   its final name, and its split ("" where there is none)
    items         its records in order
    files         of all sets; classes: of each set
    content       of all that its bytes depend on
    fingerprint   the same with the files and their times of change
    """

    file: str
    split: str
    items: tuple[Record, ...]
    files: tuple[File, ...]
    classes: tuple[Classes, ...]
    policies: Policies
    compression: str
    content: str
    fingerprint: str

    def order(self, index: int) -> tuple[int, int]:
        return self.items[index].file, self.items[index].number

    def perform(self, tick: Callable[[], None], folder: Path | None) -> ShardResult:
        """Reads, checks and remaps the records one by one, each followed by a tick."""
        if folder is None:
            raise ValueError("remapping only checks nothing")
        return _perform(self, tick, folder)


@dataclass(slots=True)
class _Tally:
    """What a shard holds, noted while it is written: the classes of its boxes, those of each image."""

    images: int = 0
    negatives: int = 0
    boxes: list[str] = field(default_factory=list)
    images_per_class: list[str] = field(default_factory=list)
    issues: list[tuple[int, Issue]] = field(default_factory=list)
    of_sets: dict[int, Tally] = field(default_factory=dict)

    def add(self, names: tuple[str, ...]) -> None:
        self.images += 1
        self.negatives += not names
        self.boxes += names
        self.images_per_class += set(names)


def _perform(job: RemapJob, tick: Callable[[], None], folder: Path) -> ShardResult:
    tally, digest = _Tally(), hashlib.sha256()

    def records() -> Iterator[Pieces]:
        for index, pieces in enumerate(_read(job)):
            remapped = _remapped(job, index, pieces, tally)
            if remapped is not None:
                tally.add(remapped.names)
                digest.update(remapped.hashed)
                yield remapped.pieces
            tick()

    with published(staging.shard_path(folder, job.fingerprint), alone=False, durable=False) as (part,):
        size = sum(record.length for record in job.items)
        written = framing.write(part, records(), job.compression, size)
    done = ShardResult(
        written,
        digest.hexdigest(),
        tally.images,
        tally.negatives,
        dict(Counter(tally.boxes)),
        dict(Counter(tally.images_per_class)),
        tuple(tally.issues),
        tally.of_sets,
    )
    staging.note(folder, job.fingerprint, done)
    return done


def _read(job: RemapJob) -> Iterator[Pieces]:
    """Yields the job's records, from wherever they are: what comes before the image's bytes, these, the
    rest."""
    with ExitStack() as stack:
        opened: dict[int, FileIO] = {}
        for record in job.items:
            file = job.files[record.file]
            if record.file not in opened:
                if len(opened) == _OPEN:
                    stack.close()
                    opened.clear()
                opened[record.file] = stack.enter_context(FileIO(file.plain))
            place, size = record.image
            sizes = place, size, record.length - place - size
            where = f"record {record.number}"
            yield framing.read_at(opened[record.file], record.offset, sizes, record.crc, file.path, where)


def _remapped(job: RemapJob, index: int, pieces: Pieces, tally: _Tally) -> Remapped | None:
    """Returns None where the policies drop it. Raises InputError where its class is none of the new map."""
    record = job.items[index]
    file = job.files[record.file]

    def count(boxes: int, lost: dict[str, int], dropped_for: str = "") -> None:
        lost_images = {dropped_for: 1} if dropped_for else {}
        of_record = Tally(1, boxes, lost_images, {code: number for code, number in lost.items() if number})
        tally.of_sets[file.owner] = tally.of_sets.get(file.owner, Tally()) + of_record

    def note(code: str, box: int | None, message: str, fixed: bool) -> bool:
        """Returns whether the record is to be dropped."""
        drops = job.policies.action(code) == "drop-image"
        source = place_of(file, record.number)
        tally.issues.append((index, Issue(code, source, box, message, fixed or drops)))
        return drops

    first, image, last = pieces
    try:
        taken = len(first), image
        remapped = examples.remap(first + last, job.classes[file.owner], record.source_id, taken)
    except examples.UnknownClassError as fault:
        raise InputError(file.path, str(fault), where=f"record {record.number}") from fault
    except ValueError as fault:
        note("annotation-damaged", None, str(fault), False)
        boxes = boxes_in(b"".join(pieces))
        count(boxes, {"annotation-damaged": boxes}, "annotation-damaged")
        return None
    dropped = [note("class-mismatch", box, message, True) for box, message in remapped.faults]
    kept, left_out = len(remapped.names), remapped.left_out
    if any(dropped):
        count(kept + left_out, {"class-left-out": left_out, "class-mismatch": kept}, "class-mismatch")
        return None
    count(kept + left_out, {"class-left-out": left_out})
    return remapped

"""Shards of remapped records, each written by one process that reads its records wherever they are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.staging import Done
from tfrec_tools.errors import InputError
from tfrec_tools.remapping import examples
from tfrec_tools.remapping.classes import Classes
from tfrec_tools.remapping.examples import Remapped
from tfrec_tools.remapping.sources import File, Record, place_of
from tfrec_tools.system.atomic import published
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.framing import Pieces

_OPEN = 200  # files at a time


@dataclass(frozen=True, slots=True)
class Job:
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


@dataclass(slots=True)
class _Tally:
    """What a shard holds, noted while it is written: the classes of its boxes, those of each image."""

    images: int = 0
    negatives: int = 0
    boxes: list[str] = field(default_factory=list)
    having: list[str] = field(default_factory=list)
    issues: list[tuple[int, Issue]] = field(default_factory=list)

    def add(self, names: tuple[str, ...]) -> None:
        self.images += 1
        self.negatives += not names
        self.boxes += names
        self.having += set(names)


def perform(job: Job, tick: Callable[[], None], folder: Path | None) -> Done:
    """Does a job: its records are read, checked and remapped one by one, each followed by a tick."""
    if folder is None:
        raise ValueError("remapping only checks nothing")
    tally, digest = _Tally(), hashlib.sha256()

    def records() -> Iterator[Pieces]:
        for index, pieces in enumerate(_read(job)):
            found = _remapped(job, index, pieces, tally)
            if found is not None:
                tally.add(found.names)
                digest.update(found.hashed)
                yield found.pieces
            tick()

    with published(staging.shard_path(folder, job.fingerprint), alone=False) as (part,):
        size = sum(record.length for record in job.items)
        written = framing.write(part, records(), job.compression, size)
    done = Done(
        written,
        digest.hexdigest(),
        tally.images,
        tally.negatives,
        dict(Counter(tally.boxes)),
        dict(Counter(tally.having)),
        tuple(tally.issues),
    )
    staging.note(folder, job.fingerprint, done)
    return done


def _read(job: Job) -> Iterator[Pieces]:
    """The job's records, from wherever they are: what comes before the picture's bytes, these, the rest."""
    with ExitStack() as stack:
        opened: dict[int, FileIO] = {}
        for record in job.items:
            file = job.files[record.file]
            if record.file not in opened:
                if len(opened) == _OPEN:
                    stack.close()
                    opened.clear()
                opened[record.file] = stack.enter_context(FileIO(file.plain))
            place, size = record.picture
            sizes = place, size, record.length - place - size
            where = f"record {record.number}"
            yield framing.read_at(opened[record.file], record.offset, sizes, record.crc, file.path, where)


def _remapped(job: Job, index: int, pieces: Pieces, tally: _Tally) -> Remapped | None:
    """None where the policies drop it. InputError where its class is none of the new map."""
    record = job.items[index]
    file = job.files[record.file]

    def note(code: str, box: int | None, message: str, fixed: bool) -> bool:
        """Whether the record is to be dropped."""
        drops = job.policies.action(code) == "drop-image"
        source = place_of(file, record.number)
        tally.issues.append((index, Issue(code, source, box, message, fixed or drops)))
        return drops

    first, picture, last = pieces
    try:
        taken = len(first), picture
        found = examples.remap(first + last, job.classes[file.owner], record.source_id, taken)
    except examples.UnknownClassError as fault:
        raise InputError(file.path, str(fault), where=f"record {record.number}") from fault
    except ValueError as fault:
        note("annotation-damaged", None, str(fault), False)
        return None
    dropped = [note("class-mismatch", box, message, True) for box, message in found.faults]
    return None if any(dropped) else found

"""Some hundred images of an extraction, written by one process: the images and what stands in files of their
own into the folder in the making; what stands in files of all images into a note of the job, by which a run
that was stopped knows that the job is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tfrec_tools.errors import InputError
from tfrec_tools.extraction.plan import Item, Plan
from tfrec_tools.formats.writers import WRITERS
from tfrec_tools.formats.writing import Outgoing, unsaid
from tfrec_tools.images.headers import read_header
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published
from tfrec_tools.system.workers import Tick

_IMAGES = 200  # of a job


@dataclass(frozen=True, slots=True)
class Done:
    """What a job wrote: images, boxes, of how many boxes the format cannot say what, {path below the folder:
    bytes} of its files, and its texts by part of the files of all images."""

    images: int
    boxes: int
    unsaid: dict[str, int]
    sizes: dict[str, int]
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExtractJob:
    """Images of one split, in order, and the job's number among all."""

    number: int
    kind: str
    labels: LabelMap
    split: str
    items: tuple[Item, ...]

    def perform(self, tick: Tick, content: Path, notes: Path) -> None:
        """Writes the images below `content`, each followed by a tick, then the note."""
        done = _written(self, tick, content)
        with published(_note(notes, self.number), alone=False, durable=False) as (part,):
            part.write_bytes(msgspec.json.encode(done))


def jobs_of(plan: Plan) -> tuple[ExtractJob, ...]:
    parts: list[tuple[str, Sequence[Item]]] = []
    for split in plan.splits:
        members = [item for item in plan.items if (item.record.split or "") == split]
        parts += [(split, members[at : at + _IMAGES]) for at in range(0, len(members), _IMAGES)]
    return tuple(
        ExtractJob(number, plan.kind, plan.labels, split, tuple(items))
        for number, (split, items) in enumerate(parts)
    )


def noted(notes: Path, job: ExtractJob) -> Done | None:
    """Returns what a job wrote, None where it is not done. A note that is lost or cut off costs the job
    only."""
    try:
        return msgspec.json.decode(_note(notes, job.number).read_bytes(), type=Done)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def is_finished(notes: Path, content: Path, job: ExtractJob) -> bool:
    """Returns whether a job is done, and its files are whole: after a power failure they may be none."""
    done = noted(notes, job)
    return done is not None and all(_has_size(content / path, size) for path, size in done.sizes.items())


def _note(notes: Path, number: int) -> Path:
    return notes / f"{number:06d}.json"


def _written(job: ExtractJob, tick: Tick, content: Path) -> Done:
    writer = WRITERS[job.kind]
    boxes, missing, texts = 0, Counter[str](), dict[str, list[str]]()
    sizes: dict[str, int] = {}
    for item in job.items:
        assert item.record.place is not None
        data = item.record.place.read()
        image = _outgoing(job, item, data)
        told = writer.of_image(image, job.labels)
        files = {writer.image_path(item.name, job.split): data, **told.files}
        for path, bytes_ in files.items():
            _write(content / path, bytes_)
            sizes[path] = len(bytes_)
        for part, text in told.texts.items():
            texts.setdefault(part, []).append(text)
        boxes += told.boxes
        missing += unsaid(image, writer.says) + Counter(told.unsaid)
        tick()
    joined = {part: "".join(_lines(of_part)) for part, of_part in texts.items()}
    return Done(len(job.items), boxes, dict(missing), sizes, joined)


def _lines(texts: Sequence[str]) -> Iterator[str]:
    """Yields each with a line end."""
    for text in texts:
        if text:
            yield text if text.endswith("\n") else f"{text}\n"


def _outgoing(job: ExtractJob, item: Item, data: bytes) -> Outgoing:
    """Returns an image with the size of its pixels; with that of the record where nobody can read it. Raises
    InputError where neither says it."""
    record = item.record
    try:
        header = read_header(data, Path(record.source), None)
        width, height = header.width, header.height
    except InputError as fault:
        width, height = record.width, record.height
        if not (width > 0 and height > 0):
            raise InputError(
                record.source, f"has no size, and its image says none: {fault.reason}"
            ) from fault
    return Outgoing(record, item.name, width, height, item.image_id, item.first_box, job.split)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

"""The record files that are to be remapped, as sets, and where each of their records is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset import label_maps, shards
from tfrec_tools.errors import InputError
from tfrec_tools.formats import classes
from tfrec_tools.remapping import examples
from tfrec_tools.system import workers
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.counting import boxes_in
from tfrec_tools.tfrecords.features import FEATURES, IMAGE_ENCODED, IMAGE_FILENAME, IMAGE_SOURCE_ID
from tfrec_tools.tfrecords.framing import Frame
from tfrec_tools.tfrecords.spans import OddLayoutError, Spans, find_around, guess

# What TFDS needs of every record; of boxes there may be none.
_NEEDED = frozenset(key.encode() for key, feature in FEATURES.items() if feature.shape == "()")
_IMAGE = IMAGE_ENCODED.encode()
_IDS = IMAGE_SOURCE_ID.encode(), IMAGE_FILENAME.encode()
_LEAST_CUT = 4096  # bytes of an image that is worth reads of its own


@dataclass(frozen=True, slots=True)
class File:
    """A file of records: where it is, the plain file that can be read in any order (itself, unless it is
    packed), its split, time of change, and the number of its set."""

    path: Path
    plain: Path
    split: str
    mtime_ns: int
    owner: int


@dataclass(frozen=True, slots=True)
class Set:
    """Files that belong together, and the label map {id: name} of theirs; empty where there is none. Of the
    classes that have keypoints, {name: (place among the values of a box, name) of each}."""

    path: Path
    files: tuple[File, ...]
    own: dict[int, str]
    own_subject: str
    keypoints: dict[str, tuple[tuple[int, str], ...]]


class Record(NamedTuple):
    """Where a record is: its file (number in the list of all) and number in it, offset and length in bytes,
    its masked CRC; (place, size) of its image's bytes in it, size 0 where they are not read by themselves;
    the id of its image, which says its place in the order, and the source_id to write in place of its own, if
    any."""

    file: int
    number: int
    offset: int
    length: int
    crc: int
    image: tuple[int, int]
    image_id: str
    source_id: bytes | None = None


@dataclass(slots=True)
class RecordIndex:
    """The records of a file or set; names of classes that they use, where the set has no label map; records
    that are none, and how many boxes these seem to have; whether all have what TFDS needs."""

    records: list[Record] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    complete: bool = True
    boxes_of_damaged: int = 0


def find_sets(patterns: Sequence[str], record_labels: Path | None) -> list[Set]:
    """Returns the files that the patterns name, set by set. Raises InputError where one names none."""
    groups: dict[Path, list[Path]] = {}
    for file in shards.record_files(patterns):
        groups.setdefault(_set_path(file), []).append(file)
    return [_set(number, path, files, record_labels) for number, (path, files) in enumerate(groups.items())]


def find_records(sets: Sequence[Set], processes: int) -> list[RecordIndex]:
    """Returns each set's records; images are not read. Raises InputError where a file is cut off or none of
    records."""
    files = [(file, not record_set.own) for record_set in sets for file in record_set.files]
    of_files = workers.each(_find, [(number, *file) for number, file in enumerate(files)], processes)
    left = iter(of_files)
    return [_joined(list(islice(left, len(record_set.files)))) for record_set in sets]


def _joined(indexes: Sequence[RecordIndex]) -> RecordIndex:
    return RecordIndex(
        [record for index in indexes for record in index.records],
        {name: None for index in indexes for name in index.names},
        [issue for index in indexes for issue in index.issues],
        all(index.complete for index in indexes),
        sum(index.boxes_of_damaged for index in indexes),
    )


def _set_path(file: Path) -> Path:
    """Returns DIR/NAME of the set that a file is a shard of, else the file."""
    manifest = shards.manifest_of(file)
    return file.with_name(manifest.name if manifest else shards.name_of(file))


def _set(number: int, path: Path, files: Sequence[Path], record_labels: Path | None) -> Set:
    manifest = shards.manifest_of(files[0])
    splits = {info.file: info.split for info in manifest.shards} if manifest else {}
    if record_labels is None:
        own, subject = label_maps.names_of(files[0], manifest)
        keypoints = label_maps.keypoints_of(files[0], manifest)
    else:
        label_map = classes.read_map(record_labels)
        own, subject = label_map.name_by_id, record_labels.name
        keypoints = {label.name: label.keypoints for label in label_map.labels if label.keypoints}
    listed = (
        File(file, framing.unpacked(file), splits.get(file.name, ""), file.stat().st_mtime_ns, number)
        for file in files
    )
    return Set(path, tuple(listed), own, subject, keypoints)


def _find(job: tuple[int, File, bool]) -> RecordIndex:
    """Returns the records of a file, given its number; with the names of their classes or not."""
    file_number, file, with_names = job
    index = RecordIndex()
    with FileIO(file.plain) as opened:
        for number, frame in enumerate(framing.frames(opened, file.path)):
            try:
                example, spans, image = _example(opened, frame)
                image_id = _image_id(example, spans) or place_of(file, number)
                if with_names:
                    index.names.update(dict.fromkeys(examples.names_of(example, spans)))
            except ValueError as fault:
                index.issues.append(
                    Issue("annotation-damaged", place_of(file, number), None, str(fault), False)
                )
                index.boxes_of_damaged += boxes_in(_end(opened, frame, frame.length))
                continue
            index.complete &= spans.keys() >= _NEEDED
            place = frame.offset, frame.length, frame.crc, image
            index.records.append(Record(file_number, number, *place, image_id))
    return index


def place_of(file: File, number: int) -> str:
    """Returns a record, as issues name it."""
    return f"{file.path.name} record {number}"


def _example(file: FileIO, frame: Frame) -> tuple[bytes, Spans, tuple[int, int]]:
    """Returns the Example, its entries, and (place, size) of its image's bytes where they are left out of
    it."""
    start, stop = guess(frame.first, _IMAGE) or (0, 0)
    if stop - start >= _LEAST_CUT and stop <= frame.length:
        data = frame.first[:start] + _end(file, frame, frame.length - stop)
        try:
            spans = find_around(data, start, stop - start)
        except OddLayoutError:
            spans = {}
        if _IMAGE in spans and spans[_IMAGE][2] == start:
            return data, spans, (start, stop - start)
    return *examples.in_layout(_end(file, frame, frame.length)), (0, 0)


def _end(file: FileIO, frame: Frame, size: int) -> bytes:
    """Returns the record's last `size` bytes."""
    if size <= len(frame.last):
        return frame.last[len(frame.last) - size :]
    file.seek(frame.offset + frame.length - size)
    return file.read(size)


def _image_id(data: bytes, spans: Spans) -> str:
    for key in _IDS:
        value = examples.values(data, spans, key)
        if value and value[0]:
            return str(value[0], errors="replace")
    return ""


def splits_of(sets: Sequence[Set]) -> tuple[str, ...]:
    """Returns the splits of the sets, none where they have none. Raises InputError where only some are
    divided."""
    splits = {file.split: file.path for record_set in sets for file in record_set.files}
    if len(splits) > 1 and "" in splits:
        named = next(split for split in splits if split)
        reason = f"is of no split, but {splits[named].name} is of {named!r}; remap them to sets of their own"
        raise InputError(splits[""], reason)
    return tuple(split for split in splits if split)

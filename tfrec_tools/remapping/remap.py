"""Records to records under a merged label map: their class ids and names are written anew, their pictures
never decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

from tfrec_tools import __version__
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import DEFAULT, Policies
from tfrec_tools.dataset import partition, publish, shards
from tfrec_tools.dataset.engine import Progress, run
from tfrec_tools.dataset.manifest import SourceInfo
from tfrec_tools.dataset.publish import Finished, Layout
from tfrec_tools.dataset.staging import Done
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_map
from tfrec_tools.labels.id_tables import find_tables
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.remapping.classes import Classes, classes_of
from tfrec_tools.remapping.jobs import Job, perform
from tfrec_tools.remapping.sources import File, Found, Record, Set, find_records, find_sets, splits_of
from tfrec_tools.system import workers
from tfrec_tools.tfrecords.features import source_id


@dataclass(frozen=True, slots=True)
class Options:
    """Which records to remap and where to: `out` is DIR/NAME of the new set.

    records        patterns of record files
    labels         the merged map; `table` merge-labels' tables, else those beside it
    record_labels  the label map of records that name no classes, else that of their set
    labeled        the classes that images were annotated for, one for all sets or one a set; None takes what
                   the records say, else their sets' label maps
    shards         None: by size; workers None: as many as cores
    """

    records: Sequence[str]
    labels: Path
    out: Path
    table: Path | None = None
    record_labels: Path | None = None
    labeled: Sequence[frozenset[str]] | None = None
    seed: int = 0
    shards: int | None = None
    compression: str = ""
    policies: Policies = DEFAULT
    workers: int | None = None
    overwrite: bool = False


def remap(options: Options, progress: Progress) -> Finished:
    """Remaps sets of records into one; the same input gives the same bytes, whatever the number of workers.
    When it is killed, the same call does the rest. InputError where the input cannot be used."""
    publish.require_name(options.out)
    engine = partial(run, processes=options.workers)
    return publish.finish(_layout(options), options.policies, engine, progress)


def _layout(options: Options) -> Layout:
    label_map = read_map(options.labels)
    sets = find_sets(options.records, options.record_labels)
    parts = splits_of(sets)
    found = _find(sets, options.workers or workers.cores())
    classes = _classes(options, label_map, sets, found)
    records, clashing = _told_apart(sets, [one.records for one in found])
    files = tuple(file for one in sets for file in one.files)
    jobs = _jobs(options, parts or ("",), records, files, classes)
    before = (*chain.from_iterable(one.issues for one in found), *clashing)
    inputs = [file.path for file in files]
    inputs += [path for one in sets if (path := shards.manifest_path(one.path)).exists()]
    return Layout(
        out=options.out,
        overwrite=options.overwrite,
        label_map=label_map,
        splits=parts,
        jobs=jobs,
        perform=perform,
        sources=_sources(label_map, sets, found, classes),
        inputs=tuple(inputs),
        given=(options.labels,),
        options=_given(options),
        versions={},
        digest=_digest(label_map, options.seed, jobs),
        issues_of=lambda done: (*before, *_of_records(jobs, done), *publish.of_set(label_map, done)),
        page=lambda issues: _page(options.out.name, issues),
        for_tfds=all(one.complete for one in found),
    )


def _find(sets: Sequence[Set], processes: int) -> list[Found]:
    found = find_records(sets, processes)
    if not any(one.records for one in found):
        raise InputError(sets[0].path, "the record files hold no examples")
    return found


def _classes(
    options: Options, label_map: LabelMap, sets: Sequence[Set], found: Sequence[Found]
) -> tuple[Classes, ...]:
    tables = find_tables(options.table, options.labels, label_map)
    labeled: Sequence[frozenset[str] | None] = options.labeled or (None,)
    if len(labeled) not in (1, len(sets)):
        listed = ", ".join(str(one.path) for one in sets)
        reason = f"given {len(labeled)} times for {len(sets)} sets ({listed}); give one, or one each"
        raise InputError("--labeled", reason)
    each = [*labeled] * len(sets) if len(labeled) == 1 else labeled
    return tuple(
        classes_of(one.own, one.own_subject, tables, label_map, of.names, always)
        for one, of, always in zip(sets, found, each, strict=True)
    )


def _told_apart(
    sets: Sequence[Set], records: Sequence[Sequence[Record]]
) -> tuple[list[Record], tuple[Issue, ...]]:
    """All records; of image ids that several sets use, each gets a source_id made from set and id."""
    seen: set[str] = set()
    clashing: set[str] = set()
    for of_set in records:
        ids = {record.image_id for record in of_set}
        clashing |= ids & seen
        seen |= ids
    told = [
        _renamed(record, f"{number} {one.path.name}/{record.image_id}")
        if record.image_id in clashing
        else record
        for number, (one, of_set) in enumerate(zip(sets, records, strict=True))
        for record in of_set
    ]
    if not clashing:
        return told, ()
    message = (
        f"{len(clashing)} image id(s) are used by several sets, the first {min(clashing)!r}: their source_id "
        "is a number made from set and id"
    )
    return told, (Issue("image-id-shared", sets[-1].path.name, None, message, True),)


def _renamed(record: Record, image_id: str) -> Record:
    return record._replace(image_id=image_id, source_id=source_id(image_id).encode())


def _jobs(
    options: Options,
    parts: Sequence[str],
    records: Sequence[Record],
    files: tuple[File, ...],
    classes: tuple[Classes, ...],
) -> tuple[Job, ...]:
    """The shards of each split, of records in seeded order and nearly equal numbers."""
    jobs: list[Job] = []
    for split in parts:
        members = [record for record in records if files[record.file].split == split]
        members.sort(key=lambda record: partition.position(record.image_id, options.seed, "order"))
        if not members:
            continue
        count = partition.shard_count(options.shards, len(members), sum(record.length for record in members))
        bounds = [len(members) * i // count for i in range(count + 1)]
        paths = shards.shard_paths(options.out, count, split, options.compression)
        jobs += [
            _job(options, path.name, split, tuple(members[start:end]), files, classes)
            for path, (start, end) in zip(paths, pairwise(bounds), strict=True)
        ]
    return tuple(jobs)


def _job(
    options: Options,
    file: str,
    split: str,
    records: tuple[Record, ...],
    files: tuple[File, ...],
    classes: tuple[Classes, ...],
) -> Job:
    """Of a record's bytes its CRC and length stand for them."""
    policies, compression = options.policies, options.compression
    how = (__version__, [of.facts() for of in classes], policies, compression)
    digest = hashlib.blake2b(repr(how).encode(), digest_size=16)
    names = [repr(file.path.name) for file in files]
    facts = [
        f"({names[record.file]}, {record.number}, {record.length}, {record.crc}, {record.source_id!r})"
        for record in records
    ]
    digest.update("".join(facts).encode())
    content = digest.hexdigest()
    for number in sorted({record.file for record in records}):
        digest.update(f"{files[number].path} {files[number].mtime_ns}".encode())
    return Job(file, split, records, files, classes, policies, compression, content, digest.hexdigest())


def _digest(label_map: LabelMap, seed: int, jobs: Sequence[Job]) -> str:
    facts = [repr(label_map.labels), str(seed), *(f"{job.file} {job.content}" for job in jobs)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _page(name: str, issues: Sequence[Issue]) -> bytes:
    from tfrec_tools.drawing.page import (
        issues_page,  # which needs numpy and Pillow, as nothing else here does
    )

    return issues_page(name, (), issues)


def _of_records(jobs: Sequence[Job], done: Sequence[Done]) -> list[Issue]:
    """The issues of the records in the order of the files."""
    placed = [
        ((job.items[index].file, job.items[index].number), issue)
        for job, one in zip(jobs, done, strict=True)
        for index, issue in one.issues
    ]
    return [issue for _, issue in sorted(placed, key=lambda pair: pair[0])]


def _sources(
    label_map: LabelMap, sets: Sequence[Set], found: Sequence[Found], classes: Sequence[Classes]
) -> tuple[SourceInfo, ...]:
    labeled = (of.labeled if of.always is None else of.always for of in classes)
    return tuple(
        SourceInfo(
            str(one.path),
            "tfrecord",
            len(of.records),
            tuple(name for name in label_map.names if name in names),
        )
        for one, of, names in zip(sets, found, labeled, strict=True)
    )


def _given(options: Options) -> Mapping[str, str]:
    policies = options.policies.chosen
    labeled = [",".join(sorted(names)) for names in options.labeled or ()]
    return publish.words(
        {
            "labels": options.labels,
            "table": options.table,
            "record_labels": options.record_labels,
            "labeled": labeled or None,
            "shards": options.shards,
            "seed": options.seed or None,
            "compression": options.compression or None,
            "on": " ".join(f"{code}={action}" for code, action in policies.items()) or None,
        }
    )

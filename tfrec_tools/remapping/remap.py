"""Records to records under a merged label map: their class ids and names are written anew, their images
never decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

from tfrec_tools import __version__
from tfrec_tools.annotations import policies
from tfrec_tools.annotations.accounts import Account, Reading, Tally, added
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.dataset import partition, publish, shards
from tfrec_tools.dataset.engine import run
from tfrec_tools.dataset.identity import clash_issues, unlike_ids
from tfrec_tools.dataset.manifest import SourceInfo
from tfrec_tools.dataset.options import class_sets
from tfrec_tools.dataset.publish import Finished, SetPlan
from tfrec_tools.errors import InputError, readable
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.remapping import keypoints, target
from tfrec_tools.remapping.classes import Classes, classes_of
from tfrec_tools.remapping.jobs import RemapJob
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.remapping.sources import File, Record, RecordIndex, Set, find_records, find_sets, splits_of
from tfrec_tools.system import stores, workers
from tfrec_tools.system.options import as_path, as_texts, recorded_texts, several
from tfrec_tools.tfrecords.features import source_id


def remap(options: RemapOptions) -> Finished:
    """Remaps sets of records into one; the same input gives the same bytes, whatever the number of workers.
    When it is killed, the same call does the rest. InputError where the input cannot be used."""
    options = _in_stores(options)
    publish.require_name(options.prefix)
    engine = partial(run, processes=options.workers, durable=not options.no_fsync)
    progress = partial(options.progress, "remapping records")
    return publish.finish(_set_plan(options), policies_of(options), engine, progress)


def _in_stores(options: RemapOptions) -> RemapOptions:
    """The options with files of stores where they name URLs."""
    named = {name: getattr(options, name) for name in ("labels", "table", "record_labels")}
    read: dict[str, Any] = {
        name: stores.of_url(as_path(path)) for name, path in named.items() if path is not None
    }
    return replace(options, out=stores.written(options.prefix), **read)


def policies_of(options: RemapOptions) -> Policies:
    """InputError where --on names what is none."""
    return policies.parse(options.policy, several(options.on))


def _set_plan(options: RemapOptions) -> SetPlan:
    record_labels = None if options.record_labels is None else as_path(options.record_labels)
    sets = find_sets(as_texts(options.records), record_labels)
    parts = splits_of(sets)
    indexes = _find(sets, options.workers or workers.cores())
    label_map, renamed = target.found(options, sets, indexes)
    label_map, moves = keypoints.planned(sets, renamed, label_map, options.keypoints != "none")
    classes = _classes(options, label_map, sets, indexes, renamed)
    classes = tuple(replace(of, keypoints=of_set) for of, of_set in zip(classes, moves, strict=True))
    records, clashing = _apart(sets, [index.records for index in indexes])
    files = tuple(file for a_set in sets for file in a_set.files)
    jobs = _jobs(options, parts or ("",), records, files, classes)
    inputs = [file.path for file in files]
    inputs += [path for a_set in sets if (path := shards.manifest_path(a_set.path)).exists()]
    return SetPlan(
        out=options.prefix,
        overwrite=options.overwrite,
        if_changed=options.if_changed,
        label_map=label_map,
        splits=parts,
        jobs=jobs,
        sources=_sources(label_map, sets, indexes, classes),
        inputs=tuple(inputs),
        replaceable=(options.labels_path,) if options.labels_path else (),
        options=recorded_texts(options),
        versions={},
        digest=_digest(label_map, options.seed, jobs),
        issues=(
            *chain.from_iterable(index.issues for index in indexes),
            *_left_out(sets, classes),
            *keypoints.left_out(sets, moves),
            *clashing,
        ),
        readings=tuple(map(_reading, sets, indexes)),
        for_tfds=all(index.complete for index in indexes),
        durable=not options.no_fsync,
    )


def _reading(a_set: Set, index: RecordIndex) -> Reading:
    """Boxes are counted while the records are written: before, none is read but those of damaged records."""
    damaged, boxes = len(index.issues), index.boxes_of_damaged
    account = Account(
        files=len(a_set.files),
        found=boxes,
        dropped=added({"annotation-damaged": boxes}),
        images=len(index.records) + damaged,
        images_dropped=added({"annotation-damaged": damaged}),
    )
    return Reading(account, Tally(images=len(index.records)), is_counted_by_jobs=True)


def _left_out(sets: Sequence[Set], classes: Sequence[Classes]) -> Iterator[Issue]:
    for a_set, of in zip(sets, classes, strict=True):
        for name in (old for old, new in of.renamed.items() if new is None):
            yield Issue("class-left-out", a_set.path.name, None, f"{name!r} is left out", True)


def _find(sets: Sequence[Set], processes: int) -> list[RecordIndex]:
    indexes = find_records(sets, processes)
    if not any(index.records for index in indexes):
        raise InputError(sets[0].path, "the record files hold no examples")
    return indexes


def _classes(
    options: RemapOptions,
    label_map: LabelMap,
    sets: Sequence[Set],
    indexes: Sequence[RecordIndex],
    renamed: Sequence[Mapping[str, str | None]],
) -> tuple[Classes, ...]:
    labeled: Sequence[frozenset[str] | None] = class_sets(options.labeled) or (None,)
    if len(labeled) not in (1, len(sets)):
        listed = ", ".join(str(a_set.path) for a_set in sets)
        reason = f"given {len(labeled)} times for {len(sets)} sets ({listed}); give one, or one each"
        raise InputError("--labeled", reason)
    each = [*labeled] * len(sets) if len(labeled) == 1 else labeled
    return tuple(
        classes_of(a_set.own, a_set.own_subject, new_names, label_map, index.names, always)
        for a_set, index, always, new_names in zip(sets, indexes, each, renamed, strict=True)
    )


def _apart(
    sets: Sequence[Set], records: Sequence[Sequence[Record]]
) -> tuple[list[Record], tuple[Issue, ...]]:
    """All records; of those that share an image id, each gets a source_id made from set and id."""
    listed = [(number, record) for number, of_set in enumerate(records) for record in of_set]

    def longer(i: int) -> list[str]:
        number, record = listed[i]
        return [f"{number} {sets[number].path.name}/{record.image_id}", f"{record.file} {record.number}"]

    ids, changed = unlike_ids([record.image_id for _, record in listed], range(len(listed)), longer)
    apart = [
        record if record.image_id == image_id else _renamed(record, image_id)
        for (_, record), image_id in zip(listed, ids, strict=True)
    ]
    return apart, clash_issues(changed, sets[-1].path.name)


def _renamed(record: Record, image_id: str) -> Record:
    return record._replace(image_id=image_id, source_id=source_id(image_id).encode())


def _jobs(
    options: RemapOptions,
    parts: Sequence[str],
    records: Sequence[Record],
    files: tuple[File, ...],
    classes: tuple[Classes, ...],
) -> tuple[RemapJob, ...]:
    """The shards of each split, of records in seeded order and nearly equal numbers."""
    jobs: list[RemapJob] = []
    for split in parts:
        members = [record for record in records if files[record.file].split == split]
        size = sum(record.length for record in members)
        laid_out = partition.shards_of(options, split, members, attrgetter("image_id"), size)
        jobs += [_job(options, file, split, of_shard, files, classes) for file, of_shard in laid_out]
    return tuple(jobs)


def _job(
    options: RemapOptions,
    file: str,
    split: str,
    records: tuple[Record, ...],
    files: tuple[File, ...],
    classes: tuple[Classes, ...],
) -> RemapJob:
    """Of a record's bytes its CRC and length stand for them."""
    policies_, compression = policies_of(options), options.codec
    names = [file.path.name for file in files]
    numbers = sorted({record.file for record in records})
    digests = partition.digests(
        (__version__, [of.facts() for of in classes], policies_, compression),
        (_content(record, names[record.file]) for record in records),
        (f"{files[number].path} {files[number].mtime_ns} {files[number].owner}" for number in numbers),
    )
    return RemapJob(file, split, records, files, classes, policies_, compression, *digests)


def _content(record: Record, file: str) -> bytes:
    facts = file, record.number, record.length, record.crc, record.source_id
    return repr(facts).encode()


def _digest(label_map: LabelMap, seed: int, jobs: Sequence[RemapJob]) -> str:
    facts = [repr(label_map.labels), str(seed), *(f"{job.file} {job.content}" for job in jobs)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _sources(
    label_map: LabelMap, sets: Sequence[Set], indexes: Sequence[RecordIndex], classes: Sequence[Classes]
) -> tuple[SourceInfo, ...]:
    labeled = (of.labeled if of.always is None else of.always for of in classes)
    return tuple(
        SourceInfo(
            readable(str(a_set.path)),
            "tfrecord",
            len(index.records),
            tuple(name for name in label_map.names if name in names),
        )
        for a_set, index, names in zip(sets, indexes, labeled, strict=True)
    )

"""What a conversion will write, decided before the first byte: images, splits, shards, label map."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import PIL

from tfrec_tools import __version__
from tfrec_tools.annotations import set_checks
from tfrec_tools.annotations.box_checks import Checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord, Place, Source
from tfrec_tools.conversion import sharing, splits
from tfrec_tools.conversion.jobs import Job
from tfrec_tools.conversion.sharing import Item
from tfrec_tools.dataset import partition
from tfrec_tools.dataset.partition import shard_count
from tfrec_tools.dataset.shards import shard_paths
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.classes import read_map
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import lookup
from tfrec_tools.images.loading import Rules
from tfrec_tools.labels.label_map import LabelMap, from_names

SOURCE_SPLIT = "source"


@dataclass(frozen=True, slots=True)
class Options:
    """What to convert and where to: `out` is DIR/NAME of the set.

    Of images, format and labeled there is one for all sources or one a source. None means: found out by
    itself (images, format, labeled), made from the data (labels), by size (shards), as many as cores
    (workers), one set (split: "train=0.8,val=0.2", or "source"), each image for itself (group_by: "sha256" or
    "prefix:REGEX").
    """

    sources: Path | Sequence[Path]
    out: Path
    images: Path | Sequence[Path] | None = None
    format: str | Sequence[str] | None = None
    labels: Path | None = None
    shards: int | None = None
    workers: int | None = None
    overwrite: bool = False
    labeled: Sequence[frozenset[str]] | None = None
    split: str | None = None
    seed: int = 0
    group_by: str | None = None
    compression: str = ""
    checks: Checks = Checks()  # noqa: RUF009  frozen
    read: ReadOptions = ReadOptions()  # noqa: RUF009
    rules: Rules = Rules()  # noqa: RUF009
    negatives: bool = True

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.sources,) if isinstance(self.sources, Path) else tuple(self.sources)


def with_paths(options: Options, opened: Callable[[Path], Path]) -> Options:
    """The options with all that is read as `opened` gives it."""
    images = options.images
    folders = [images] if isinstance(images, Path) else images
    return replace(
        options,
        sources=tuple(map(opened, options.paths)),
        images=folders and tuple(map(opened, folders)),
        labels=options.labels and opened(options.labels),
    )


@dataclass(frozen=True, slots=True)
class Input:
    """A source that was read: its path and format, the folder of its images, what it holds."""

    path: Path
    format: str
    folder: Path
    source: Source


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written. `digest` is of all that the set's content depends on, the same wherever and
    whenever the same input lies; `issues` are those found on the way."""

    inputs: tuple[Input, ...]
    label_map: LabelMap
    shares: tuple[splits.Share, ...]
    items: tuple[Item, ...]
    jobs: tuple[Job, ...]
    issues: tuple[Issue, ...]
    digest: str

    @property
    def pictures(self) -> Iterator[tuple[ImageRecord, Place]]:
        """The records with the places of their pictures."""
        return ((item.record, item.place) for item in self.items)


def make_plan(options: Options) -> Plan:
    """Reads the sources and lays out the set. InputError where they cannot be used or do not fit."""
    inputs = read_inputs(options)
    label_map = _label_map(options, inputs)
    items, issues = _items(options, inputs, frozenset(label_map.names))
    shares = _shares(options, items)
    jobs = _jobs(options, shares, items, label_map)
    digest = hashlib.sha256("\n".join(_facts(options, label_map, jobs)).encode()).hexdigest()
    found = (*(issue for one in inputs for issue in one.source.issues), *issues)
    alike = set_checks.similar(label_map.names, "classes")
    return Plan(inputs, label_map, shares, items, jobs, (*found, *alike), digest)


def read_inputs(options: Options) -> tuple[Input, ...]:
    """The sources, each in its format."""
    paths = options.paths
    kinds = _each("--format", options.format, len(paths))
    folders = _each("--images", options.images, len(paths))
    labeled = _each("--labeled", options.labeled, len(paths))
    given = zip(paths, kinds, folders, labeled, strict=True)
    return tuple(_read(options, *one) for one in given)


def _each(option: str, given: object, count: int) -> list[Any]:
    """A value a source: the one given for all, or as many as there are sources."""
    values = list(given) if isinstance(given, list | tuple) else [given]
    if len(values) not in (1, count):
        raise InputError(option, f"given {len(values)} times for {count} sources; give one, or one each")
    return values * count if len(values) == 1 else values


def _read(
    options: Options, path: Path, kind: str | None, folder: Path | None, labeled: frozenset[str] | None
) -> Input:
    kind = kind or registry.detect(path)
    source = registry.read(path, kind, options.read)
    if not options.negatives:
        source = replace(source, records=[record for record in source.records if record.names])
    if not source.records:
        raise InputError(path, "has no images")
    if not source.classes:
        raise InputError(path, "has no classes")
    if labeled is not None:
        records = [replace(record, labeled=labeled | set(record.names)) for record in source.records]
        classes = tuple(dict.fromkeys((*source.classes, *sorted(labeled))))
        source = replace(source, classes=classes, records=records)
    return Input(path, kind, folder or registry.images_folder(path), source)


def _label_map(options: Options, inputs: Sequence[Input]) -> LabelMap:
    """The map given, which must have every class that has a box; else one made of the sources' classes."""
    if options.labels is None:
        return from_names(dict.fromkeys(name for one in inputs for name in one.source.classes))
    label_map = read_map(options.labels)
    for one in inputs:
        used = {name for record in one.source.records for name in record.names}
        require_classes(options.labels, one.path, used, label_map.id_by_name)
    return label_map


def require_classes(
    labels_: Path | None, source: Path | str, used: Iterable[str], ids: Mapping[str, int]
) -> None:
    """InputError where a label map lacks a class that has a box."""
    if labels_ is not None and (lacking := sorted(name for name in used if name not in ids)):
        listed = ", ".join(map(repr, lacking))
        reason = f"lacks {listed} of {source}; add them with `tfrec merge-labels`, or drop --labels"
        raise InputError(labels_, reason)


def _items(
    options: Options, inputs: Sequence[Input], names: frozenset[str]
) -> tuple[tuple[Item, ...], list[Issue]]:
    """The images of all sources in order with their files, those of several sources joined."""
    items: list[Item] = []
    issues: list[Issue] = []
    for number, one in enumerate(inputs):
        records = _labeled_within(options, one, names)
        issues += set_checks.repeats(records)
        places, odd = lookup.places(records, one.folder)
        issues += odd
        found = ((record, place) for record, place in zip(records, places, strict=True) if place is not None)
        items += [sharing.item(record, place, number) for record, place in found]
    if len(inputs) > 1:
        items, shared = sharing.join(items, options.checks.policies)
        items, clashing = sharing.tell_apart(items, [one.path.name for one in inputs])
        issues += [*shared, *clashing]
    return tuple(items), issues


def _labeled_within(options: Options, one: Input, names: frozenset[str]) -> list[ImageRecord]:
    """The records with `labeled` cut to the label map's names."""
    given = {record.labeled for record in one.source.records if record.labeled is not None}
    within = {labeled: within_map(options.labels, one.path, labeled, names) for labeled in given}
    return [
        record
        if record.labeled is None or record.labeled <= names
        else replace(record, labeled=within[record.labeled])
        for record in one.source.records
    ]


def within_map(
    labels_: Path | None, source: Path | str, labeled: frozenset[str], names: frozenset[str]
) -> frozenset[str]:
    """What images were annotated for, cut to the names of the label map. InputError where nothing is left."""
    if not labeled & names:
        raise InputError(source, f"has none of the classes {', '.join(sorted(names))} of {labels_}")
    return labeled & names


def _shares(options: Options, items: Sequence[Item]) -> tuple[splits.Share, ...]:
    """As given, or as the sources say."""
    if options.split != SOURCE_SPLIT:
        return splits.parse_shares(options.split) if options.split else ()
    if unsaid := [item.record.source for item in items if item.record.split is None]:
        reason = f"{unsaid[0]} is in no split that its source names ({len(unsaid)} of {len(items)} images)"
        raise InputError("--split", reason, where=SOURCE_SPLIT)
    counts = Counter(str(item.record.split) for item in items)
    return tuple(splits.Share(name, count / len(items)) for name, count in sorted(counts.items()))


def _jobs(
    options: Options, shares: Sequence[splits.Share], items: Sequence[Item], label_map: LabelMap
) -> tuple[Job, ...]:
    """The shards of each split, of images in seeded order and nearly equal numbers."""
    by_split = _by_split(options, shares, items)
    made: list[Job] = []
    for split, members in by_split.items():
        if not members and shares:
            reason = f"no image falls to {split!r}, of {len(items)} images; choose other shares or --seed"
            raise InputError("--split", reason, where=options.split or "")
        ordered = sorted(
            members, key=lambda item: partition.position(item.record.image_id, options.seed, "order")
        )
        if not ordered:
            continue
        count = shard_count(options.shards, len(ordered), sum(item.size for item in ordered))
        bounds = [len(ordered) * i // count for i in range(count + 1)]
        files = shard_paths(options.out, count, split, options.compression)
        made += [
            _job(options, file, split, tuple(ordered[start:end]), label_map)
            for file, (start, end) in zip(files, pairwise(bounds), strict=True)
        ]
    return tuple(made)


def _by_split(
    options: Options, shares: Sequence[splits.Share], items: Sequence[Item]
) -> dict[str, list[Item]]:
    if not shares:
        return {"": list(items)}
    if options.split == SOURCE_SPLIT:
        return {share.name: [item for item in items if item.record.split == share.name] for share in shares}
    keys = sharing.group_keys(items, options.group_by)
    groups: dict[str, list[Item]] = {}
    for key, item in zip(keys, items, strict=True):
        groups.setdefault(key, []).append(item)
    found = splits.assign(
        [
            splits.Group(key, frozenset(name for one in members for name in one.record.names))
            for key, members in groups.items()
        ],
        shares,
        options.seed,
    )
    by_split: dict[str, list[Item]] = {share.name: [] for share in shares}
    for key, item in zip(keys, items, strict=True):
        by_split[found[key]].append(item)
    return by_split


def _job(options: Options, file: Path, split: str, items: tuple[Item, ...], label_map: LabelMap) -> Job:
    ids, checks, rules, compression = (
        label_map.id_by_name,
        options.checks,
        options.rules,
        options.compression,
    )
    how = (__version__, PIL.__version__, ids, checks, rules, compression)
    digest = hashlib.blake2b(repr(how).encode(), digest_size=16)
    for item in items:
        digest.update(sharing.content(item))
    content = digest.hexdigest()
    for item in items:
        digest.update(f"{item.place.path} {item.mtime_ns}".encode())
    return Job(file.name, split, items, ids, checks, rules, compression, content, digest.hexdigest())


def _facts(options: Options, label_map: LabelMap, jobs: Sequence[Job]) -> list[str]:
    shards_ = [f"{job.file} {job.content}" for job in jobs]
    return [repr(label_map.labels), str(options.split), str(options.seed), *shards_]

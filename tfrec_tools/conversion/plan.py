"""What a conversion will write, decided before the first byte: images, splits, shards, label map."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import PIL

from tfrec_tools import __version__
from tfrec_tools.annotations import policies, set_checks
from tfrec_tools.annotations.accounts import Reading, Tally
from tfrec_tools.annotations.box_checks import Checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, ImageRecord, Source
from tfrec_tools.conversion import accounting, choosing, sharing, splits
from tfrec_tools.conversion.jobs import Classes, ConversionJob
from tfrec_tools.conversion.options import ConvertOptions, SourceOptions, column_pairs, numbered_names
from tfrec_tools.conversion.sharing import SourceImage
from tfrec_tools.dataset import class_choice, partition
from tfrec_tools.dataset.class_choice import Choice
from tfrec_tools.dataset.options import class_sets
from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats import parts, registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.registry import Layout
from tfrec_tools.images import lookup
from tfrec_tools.images.loading import ImageOptions
from tfrec_tools.labels import keypoints, spelling
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.system.options import StrPath, as_path, as_paths, several

SOURCE_SPLIT = "source"


def with_paths(options: ConvertOptions, opened: Callable[[Path], Path]) -> ConvertOptions:
    """The options with all that is read as `opened` gives it."""
    return replace(
        options,
        sources=tuple(map(opened, options.source_paths)),
        images=tuple(map(opened, as_paths(several(options.images)))) or None,
        labels=options.labels_path and opened(options.labels_path),
        record_labels=options.record_labels and opened(as_path(options.record_labels)),
    )


def checks_of(options: SourceOptions) -> Checks:
    """InputError where --on names what is none."""
    return Checks(policies.parse(options.policy, several(options.on)), options.min_side)


def read_options_of(options: SourceOptions) -> ReadOptions:
    record_labels = _optional_path(options.record_labels)
    masks = options.masks != "none"
    columns = column_pairs(options.columns)
    writes = options.prefix if isinstance(options, ConvertOptions) else None
    return ReadOptions(
        masks=masks,
        keypoints=options.keypoints != "none",
        voc_origin=options.voc_origin,
        columns=columns,
        label_map=record_labels,
        yolo=options.yolo,
        coordinates=options.coordinates,
        boxes_from=options.boxes_from,
        keyframes=options.keyframes,
        class_attribute=options.class_attribute,
        class_names=numbered_names(options.class_names),
        box_format=options.box_format,
        class_descriptions=_optional_path(options.class_descriptions),
        image_labels=_optional_path(options.image_labels),
        writes=writes,
    )


def _optional_path(path: StrPath | None) -> Path | None:
    return None if path is None else as_path(path)


def image_options_of(options: SourceOptions) -> ImageOptions:
    return ImageOptions(
        rescale=options.rescale,
        max_side=options.max_side,
        jpeg_quality=options.jpeg_quality,
        max_pixels=options.max_pixels,
        verify=options.verify_images,
        exif=options.exif,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """A source as its reader gave it, its folder of images where that is given, and what becomes of its
    classes."""

    layout: Layout
    folder: Path | None
    source: Source
    choice: Choice


@dataclass(frozen=True, slots=True)
class Input:
    """A source that was read: its path and format, the folder of its images, what it holds and what became of
    that so far."""

    path: Path
    format: str
    folder: Path
    annotations: Source
    reading: Reading


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written. `digest` is of all that the set's content depends on, the same wherever and
    whenever the same input lies; `issues` are those found on the way."""

    inputs: tuple[Input, ...]
    label_map: LabelMap
    shares: tuple[splits.Share, ...]
    items: tuple[SourceImage, ...]
    jobs: tuple[ConversionJob, ...]
    issues: tuple[Issue, ...]
    digest: str

    @property
    def images(self) -> Iterator[tuple[ImageRecord, ByteRange]]:
        """The records with the places of their images."""
        return ((item.record, item.place) for item in self.items)


def make_plan(options: ConvertOptions) -> Plan:
    """Reads the sources and lays out the set. InputError where they cannot be used or do not fit."""
    inputs = read_inputs(options)
    label_map = _label_map(options, inputs)
    points = keypoints.joined({str(source.path): source.annotations.keypoints for source in inputs})
    label_map = keypoints.with_keypoints(label_map, points)
    items, issues, inputs = _items(options, inputs, frozenset(label_map.names))
    shares = _shares(options, items)
    layout = keypoints.NONE if options.keypoints == "none" else keypoints.layout_of(label_map, points)
    classes = Classes(label_map.id_by_name, layout)
    jobs = _jobs(options, shares, items, classes)
    digest = hashlib.sha256("\n".join(_facts(options, label_map, jobs)).encode()).hexdigest()
    before = (*(issue for source in inputs for issue in source.annotations.issues), *issues)
    alike = spelling.similar(label_map.names, "classes")
    return Plan(inputs, label_map, shares, items, jobs, (*before, *alike), digest)


def read_inputs(options: ConvertOptions) -> tuple[Input, ...]:
    """The sources, each in its format."""
    paths = options.source_paths
    kinds = _each("--format", options.format, len(paths))
    folders = _each("--images", as_paths(several(options.images)), len(paths))
    labeled = _each("--labeled", class_sets(options.labeled), len(paths))
    each_kind = zip(paths, kinds, strict=True)
    layouts = [registry.laid_out(path, kind, options.prefix) for path, kind in each_kind]
    how = read_options_of(options)
    registry.require_read([layout.kind for layout in layouts], how)
    sources = [registry.read_layout(layout, how) for layout in layouts]
    choices = class_choice.choices(options, [source.classes for source in sources])
    each = zip(layouts, folders, sources, strict=True)
    found = [Found(*of, choice) for of, choice in zip(each, choices, strict=True)]
    return tuple(_input(options, of, names) for of, names in zip(found, labeled, strict=True))


def _each(option: str, values: Any, count: int) -> list[Any]:
    """A value for each source: the same for all, or as many as there are sources."""
    values = list(several(values)) or [None]
    if len(values) not in (1, count):
        raise InputError(
            option, f"given {len(values)} times for {counted(count, 'source')}; give one, or one each"
        )
    return [*values] * count if len(values) == 1 else values


def _input(options: ConvertOptions, found: Found, labeled: frozenset[str] | None) -> Input:
    path, read, choice = found.layout.path, found.source, found.choice
    source, lost = accounting.judged(read, checks_of(options).policies)
    if source.classes and not choice.names(source.classes):
        listed = ", ".join(map(repr, source.classes[:5]))
        reason = f"none of its classes ({listed}) is left by {class_choice.flags_of(options)}"
        raise InputError(path, f"{reason}; leave the source out, or choose others")
    source, left_out = choosing.chosen(path, source, choice, labeled)
    lost += left_out
    if options.no_negatives:
        source, negatives = accounting.without_negatives(source)
        lost += negatives
    if options.split == SOURCE_SPLIT:
        records = [replace(record, split=parts.split_of(record, path)) for record in source.records]
        source = replace(source, records=records)
    if not source.records:
        raise InputError(path, _why_empty(source, options.no_negatives and bool(read.records)))
    if not source.classes and labeled is None:
        raise InputError(path, f"has no classes{_first_of(source)}")
    if labeled is not None:
        words, labeled = labeled, frozenset(choice.names(sorted(labeled)))
        if not labeled:
            reason = f"{class_choice.flags_of(options)} leaves none of {', '.join(sorted(words))} of {path}"
            raise InputError("--labeled", reason)
        records = [replace(record, labeled=labeled | set(record.names)) for record in source.records]
        classes = tuple(dict.fromkeys((*source.classes, *sorted(labeled))))
        source = replace(source, classes=classes, records=records)
    reading = accounting.reading(path, read.account, read.records, lost)
    return Input(
        path,
        found.layout.kind,
        found.folder or registry.images_folder(found.layout),
        source,
        reading,
    )


def _why_empty(source: Source, has_negatives: bool) -> str:
    """Returns what there is instead of images: the first of the issues says why there are none."""
    if has_negatives:
        return "has no images with boxes, and --no-negatives leaves out the others"
    return f"has no images that can be used{_first_of(source)}" if source.issues else "has no images"


def _first_of(source: Source) -> str:
    """Returns the first of a source's issues, which may say why something is lacking, and how many follow."""
    if not source.issues:
        return ""
    first, *others = source.issues
    more = f" (and {counted(len(others), 'more issue')})" if others else ""
    return f"; {first.source}: {first.code}: {first.message}{more}"


def _label_map(options: ConvertOptions, inputs: Sequence[Input]) -> LabelMap:
    """The user's map, which must have every class that has a box; else one made of the sources' classes."""
    if options.labels_path is None:
        return from_names(dict.fromkeys(name for source in inputs for name in source.annotations.classes))
    from tfrec_tools.formats.classes import read_map

    label_map = read_map(options.labels_path)
    for source in inputs:
        used = {name for record in source.annotations.records for name in record.names}
        require_classes(options.labels_path, source.path, used, label_map.id_by_name)
    return label_map


def require_classes(
    labels_: Path | None, source: Path | str, used: Iterable[str], ids: Mapping[str, int]
) -> None:
    """InputError where a label map lacks a class that has a box."""
    if labels_ is not None and (lacking := sorted(name for name in used if name not in ids)):
        listed = ", ".join(map(repr, lacking))
        reason = f"lacks {listed} of {source}; call them by names that it has with --rename OLD=NEW"
        raise InputError(labels_, f"{reason}, add them with `tfrec merge-labels`, or drop --labels")


def _items(
    options: ConvertOptions, inputs: Sequence[Input], names: frozenset[str]
) -> tuple[tuple[SourceImage, ...], list[Issue], tuple[Input, ...]]:
    """The images of all sources in order with their files, those of several sources joined; and the sources
    with what was lost on the way."""
    items: list[SourceImage] = []
    issues: list[Issue] = []
    lost: list[Tally] = []
    for number, source in enumerate(inputs):
        records = _labeled_within(options, source, names)
        places, odd = lookup.places(records, source.folder)
        nowhere = [record for record, place in zip(records, places, strict=True) if place is None]
        lost.append(accounting.unfound(nowhere, odd))
        if source.format == "csv":  # whose rows name an image each, in whatever spelling
            images = len(records)
            records, places, otherwise = sharing.of_one_file(records, places)
            issues += otherwise
            lost[-1] += accounting.repeated(images - len(records))
        found = [
            (record if place is None else sharing.named_by_file(record, place, source.folder), place)
            for record, place in zip(records, places, strict=True)
        ]
        issues += [*set_checks.repeats(found), *odd, *sharing.escaped_names(found)]
        for record, place in found:
            if place is not None:
                items.append(sharing.item(record, place, number, len(items)))
    if len(inputs) > 1:
        items, shared, of_joined = sharing.join(items, checks_of(options).policies)
        lost = [tally + of_joined.get(number, Tally()) for number, tally in enumerate(lost)]
        issues += shared
    items, clashing = sharing.tell_apart(items, [source.path for source in inputs])
    return tuple(items), [*issues, *clashing], tuple(map(_with_losses, inputs, lost))


def _with_losses(source: Input, lost: Tally) -> Input:
    return replace(source, reading=replace(source.reading, tally=source.reading.tally + lost))


def _labeled_within(options: ConvertOptions, source: Input, names: frozenset[str]) -> list[ImageRecord]:
    """The records with `labeled` cut to the label map's names."""
    sets = {record.labeled for record in source.annotations.records if record.labeled is not None}
    within = {labeled: within_map(options.labels_path, source.path, labeled, names) for labeled in sets}
    return [
        record
        if record.labeled is None or record.labeled <= names
        else replace(record, labeled=within[record.labeled])
        for record in source.annotations.records
    ]


def within_map(
    labels_: Path | None, source: Path | str, labeled: frozenset[str], names: frozenset[str]
) -> frozenset[str]:
    """What images were annotated for, cut to the names of the label map. InputError where nothing is left."""
    if not labeled & names:
        raise InputError(source, f"has none of the classes {', '.join(sorted(names))} of {labels_}")
    return labeled & names


def _shares(options: ConvertOptions, items: Sequence[SourceImage]) -> tuple[splits.Share, ...]:
    """As given, or as the sources say."""
    if options.split != SOURCE_SPLIT:
        return splits.parse_shares(options.split) if options.split else ()
    if unsaid := [item.record.source for item in items if item.record.split is None]:
        nowhere = "is in no split that its source, a file or a folder is called after"
        reason = f"{unsaid[0]} {nowhere} ({len(unsaid)} of {counted(len(items), 'image')})"
        raise InputError("--split", reason, where=SOURCE_SPLIT)
    if odd := [item.record for item in items if not splits.is_name(str(item.record.split))]:
        reason = f"{odd[0].source} is in split {odd[0].split!r}; {splits.NAMED_BY}"
        raise InputError("--split", reason, where=SOURCE_SPLIT)
    counts = Counter(str(item.record.split) for item in items)
    return tuple(splits.Share(name, count / len(items)) for name, count in sorted(counts.items()))


def _jobs(
    options: ConvertOptions, shares: Sequence[splits.Share], items: Sequence[SourceImage], classes: Classes
) -> tuple[ConversionJob, ...]:
    """The shards of each split, of images in seeded order and nearly equal numbers."""
    by_split = _by_split(options, shares, items)
    made: list[ConversionJob] = []
    for split, members in by_split.items():
        if not members and shares:
            reason = f"no image falls to {split!r}, of {counted(len(items), 'image')}"
            raise InputError("--split", f"{reason}; choose other shares or --seed", where=options.split or "")
        laid_out = partition.shards_of(
            options, split, members, lambda item: item.record.image_id, sum(item.size for item in members)
        )
        made += [_job(options, file, split, of_shard, classes) for file, of_shard in laid_out]
    return tuple(made)


def _by_split(
    options: ConvertOptions, shares: Sequence[splits.Share], items: Sequence[SourceImage]
) -> dict[str, list[SourceImage]]:
    if not shares:
        return {"": list(items)}
    if options.split == SOURCE_SPLIT:
        return {share.name: [item for item in items if item.record.split == share.name] for share in shares}
    keys = sharing.group_keys(items, options.group_by)
    groups: dict[str, list[SourceImage]] = {}
    for key, item in zip(keys, items, strict=True):
        groups.setdefault(key, []).append(item)
    split_of = splits.assign(
        [
            splits.Group(key, frozenset(name for item in members for name in item.record.names))
            for key, members in groups.items()
        ],
        shares,
        options.seed,
    )
    by_split: dict[str, list[SourceImage]] = {share.name: [] for share in shares}
    for key, item in zip(keys, items, strict=True):
        by_split[split_of[key]].append(item)
    return by_split


def _job(
    options: ConvertOptions, file: str, split: str, items: tuple[SourceImage, ...], classes: Classes
) -> ConversionJob:
    compression = options.codec
    checks, rules = checks_of(options), image_options_of(options)
    digests = partition.digests(
        (__version__, PIL.__version__, classes, checks, rules, compression),
        (sharing.content(item) for item in items),
        (f"{item.place.path} {item.mtime_ns} {item.source} {item.others}" for item in items),
    )
    return ConversionJob(file, split, items, classes, checks, rules, compression, *digests)


def _facts(options: ConvertOptions, label_map: LabelMap, jobs: Sequence[ConversionJob]) -> list[str]:
    shards_ = [f"{job.file} {job.content}" for job in jobs]
    return [repr(label_map.labels), str(options.split), str(options.seed), *shards_]

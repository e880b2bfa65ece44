"""Annotations and images to a set of shards: read, check, encode, write."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, pairwise
from multiprocessing import get_context
from pathlib import Path

import msgspec

from tfrec_tools import __version__, checks, formats, labels, lookup, shards, tfrecord
from tfrec_tools.atomic import published
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.example import encode_example
from tfrec_tools.fit import fit
from tfrec_tools.issues import CODES, Issue
from tfrec_tools.labels import LabelMap
from tfrec_tools.records import ImageRecord, Place, Source
from tfrec_tools.shards import ClassInfo, Manifest, ShardInfo, SourceInfo
from tfrec_tools.tfrecord import Written

_GRAVE = frozenset({"image-missing", "image-ambiguous", "annotation-damaged"})
SHARD_BYTES = 150_000_000

Progress = Callable[[int, int], None]  # (images done, images in all)


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to convert and where to: `out` is DIR/NAME of the set. None means: found out by itself (format,
    the folder of images), made from the data (labels), by size (shards), as many as cores (workers)."""

    source: Path
    out: Path
    images: Path | None = None
    format: str | None = None
    labels: Path | None = None
    shards: int | None = None
    workers: int | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Converted:
    """A finished set, and every issue in the order of the source."""

    manifest: Manifest
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written: the source's images in order with their files, and the label map."""

    format: str
    source: Source
    label_map: LabelMap
    items: tuple[tuple[ImageRecord, Place], ...]
    shard_count: int


@dataclass(frozen=True, slots=True)
class Job:
    """A shard to write: images in order with their files, and the label map {name: id}."""

    path: Path
    items: tuple[tuple[ImageRecord, Place], ...]
    ids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Done:
    """A written shard, which is all that a worker sends back: boxes of each class, images that have a box
    of it, images without any box."""

    written: Written
    boxes: Counter[str]
    images: Counter[str]
    negatives: int
    issues: tuple[Issue, ...]


def convert(options: Options, progress: Progress = _silent) -> Converted:
    """Converts a source to a finished set; the same input gives the same bytes, whatever the number of
    workers. A TfrecError leaves the output folder as it was."""
    _require_free(options)
    plan = _plan(options)
    out = options.out
    out.parent.mkdir(parents=True, exist_ok=True)
    paths = shards.shard_paths(out, plan.shard_count)
    sidecars = (shards.label_map_path(out), shards.issues_path(out), shards.manifest_path(out))
    with published(*paths, *sidecars) as parts:
        done = _run(_jobs(plan, parts[: len(paths)]), options.workers or _cores(), progress)
        issues = (*plan.source.issues, *checks.repeats(plan.source.records), *_issues_of(done))
        manifest = _manifest(options, plan, paths, done, issues)
        texts = (
            labels.format_label_map(plan.label_map).encode(),
            _lines(issues),
            shards.format_manifest(manifest),
        )
        for part, text in zip(parts[len(paths) :], texts, strict=True):
            part.write_bytes(text)
        for stale in shards.set_files(out):
            stale.unlink()
    return Converted(manifest, issues)


def write_shard(job: Job, tick: Callable[[], None] | None = None) -> Done:
    """Writes a shard; its images are read, checked and encoded one by one, each followed by a tick."""
    boxes: Counter[str] = Counter()
    having: Counter[str] = Counter()
    issues: list[Issue] = []
    negatives = 0

    def examples() -> Iterator[bytes]:
        nonlocal negatives
        for record, file in job.items:
            fitted = fit(record, file)
            if fitted.pair is None:
                raise InputError(record.source, "", fitted.issues[-1].message)
            fitting, picture = fitted.pair
            checked, faults = checks.check(fitting, picture.width, picture.height)
            issues.extend((*fitted.issues, *faults))
            boxes.update(checked.names)
            having.update(set(checked.names))
            negatives += not checked.names
            yield encode_example(checked, picture, job.ids)
            if tick is not None:
                tick()

    written = tfrecord.write(job.path, examples())
    return Done(written, boxes, having, negatives, tuple(issues))


def _require_free(options: Options) -> None:
    """The output is named DIR/NAME and holds no set of that name, unless it may be overwritten."""
    if not options.out.name or options.out.is_dir():
        raise InputError(
            options.out, "", "is a folder; --out is DIR/NAME, the folder and first part of file names"
        )
    given = options.labels.resolve() if options.labels else None
    there = [path for path in shards.set_files(options.out) if path.resolve() != given]
    if there and not options.overwrite:
        raise InputError(
            there[0], "", "exists already; replace the set with --overwrite or choose another --out"
        )


def _plan(options: Options) -> Plan:
    kind = options.format or formats.detect(options.source)
    source = formats.read(options.source, kind)
    if not source.records:
        raise InputError(options.source, "", "has no images")
    label_map = _label_map(options, source)
    folder = options.images or formats.images_folder(options.source)
    files, odd = _places(source, folder)
    source = replace(source, issues=(*source.issues, *odd))
    records = _labeled_within(options, source.records, frozenset(label_map.names))
    items = tuple(zip(records, files, strict=True))
    return Plan(kind, source, label_map, items, _shard_count(options, files))


def _places(source: Source, folder: Path) -> tuple[list[Place], tuple[Issue, ...]]:
    """The pictures of the source's records, and what is odd about their names; InputError where one is
    missing or ambiguous."""
    found, issues = lookup.places(source.records, folder)
    grave = [issue for issue in (*source.issues, *issues) if issue.code in _GRAVE]
    if grave:
        more = f" (and {len(grave) - 1} more such)" if len(grave) > 1 else ""
        raise InputError(grave[0].source, "", grave[0].message + more)
    return [place for place in found if place is not None], issues


def _label_map(options: Options, source: Source) -> LabelMap:
    """The map given, which must have every class that has a box; else one made of the source's classes."""
    if not source.classes:
        raise InputError(options.source, "", "has no classes")
    if options.labels is None:
        return labels.from_names(source.classes)
    label_map = labels.read_label_map(options.labels)
    used = {name for record in source.records for name in record.names}
    lacking = sorted(used - set(label_map.names))
    if lacking:
        listed = ", ".join(map(repr, lacking))
        reason = f"lacks {listed} of {options.source}; add them with `tfrec merge-labels`, or drop --labels"
        raise InputError(options.labels, "", reason)
    return label_map


def _labeled_within(
    options: Options, records: Sequence[ImageRecord], names: frozenset[str]
) -> list[ImageRecord]:
    """The records with `labeled` cut to the label map's names."""
    within = {
        labeled: labeled & names for labeled in {record.labeled for record in records} if labeled is not None
    }
    if not all(within.values()):
        raise InputError(
            options.source, "", f"has none of the classes {', '.join(sorted(names))} of {options.labels}"
        )
    return [
        record
        if record.labeled is None or record.labeled <= names
        else replace(record, labeled=within[record.labeled])
        for record in records
    ]


def _shard_count(options: Options, files: Sequence[Place]) -> int:
    """As given, else one a SHARD_BYTES of images."""
    if options.shards is None:
        size = sum(file.size for file in files)
        return min(len(files), -(-size // SHARD_BYTES) or 1)
    if options.shards > len(files):
        raise InputError(
            "--shards", "", f"{options.shards} shards for {len(files)} images; give at most as many"
        )
    return options.shards


def _jobs(plan: Plan, parts: Sequence[Path]) -> list[Job]:
    """A job a shard, of consecutive images and nearly equal numbers."""
    ids = plan.label_map.id_by_name
    bounds = [len(plan.items) * i // len(parts) for i in range(len(parts) + 1)]
    return [
        Job(part, plan.items[start:end], ids)
        for part, (start, end) in zip(parts, pairwise(bounds), strict=True)
    ]


def _run(jobs: Sequence[Job], workers: int, progress: Progress) -> list[Done]:
    """The jobs' results in order, in this process where one worker is enough."""
    total = sum(len(job.items) for job in jobs)
    if min(workers, len(jobs)) == 1:
        return _run_here(jobs, total, progress)
    context = get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context, _leave_interrupts_to_parent) as pool:
        with _interrupts_held():
            futures = [pool.submit(write_shard, job) for job in jobs]
        finished = 0
        try:
            for future in as_completed(futures):
                finished += future.result().written.records
                progress(finished, total)
        except BrokenProcessPool as fault:
            raise TfrecError("a worker process died (out of memory?); try fewer --workers") from fault
        finally:
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures]


def _run_here(jobs: Sequence[Job], total: int, progress: Progress) -> list[Done]:
    finished = count(1)
    return [write_shard(job, lambda: progress(next(finished), total)) for job in jobs]


def _leave_interrupts_to_parent() -> None:
    """Ctrl-C reaches every process of the terminal; the parent alone decides what then happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C comes only at the end of the block, and not at all to processes started in it, which have no
    handler of their own until they have started."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _issues_of(done: Sequence[Done]) -> Iterator[Issue]:
    return (issue for one in done for issue in one.issues)


def _manifest(
    options: Options, plan: Plan, paths: Sequence[Path], done: Sequence[Done], issues: Sequence[Issue]
) -> Manifest:
    boxes = sum((one.boxes for one in done), Counter[str]())
    having = sum((one.images for one in done), Counter[str]())
    found = Counter(issue.code for issue in issues)
    names = set(plan.label_map.names)
    labeled = tuple(name for name in plan.source.classes if name in names)
    written = [one.written for one in done]
    return Manifest(
        format_version=shards.FORMAT_VERSION,
        tool_version=__version__,
        name=options.out.name,
        label_map=shards.label_map_path(options.out).name,
        images=len(plan.items),
        negatives=sum(one.negatives for one in done),
        boxes=boxes.total(),
        classes=tuple(
            ClassInfo(label.id, label.name, having[label.name], boxes[label.name])
            for label in plan.label_map.labels
        ),
        sources=(SourceInfo(str(options.source), plan.format, len(plan.items), labeled),),
        shards=tuple(
            ShardInfo(path.name, one.records, one.bytes, one.sha256)
            for path, one in zip(paths, written, strict=True)
        ),
        issues={code: found[code] for code in CODES if code in found},
        options=_given(options),
    )


def _given(options: Options) -> dict[str, str]:
    """The options that change the set's content, as given."""
    given = {"images": options.images, "labels": options.labels, "shards": options.shards}
    return {name: str(value) for name, value in given.items() if value is not None}


def _lines(issues: Sequence[Issue]) -> bytes:
    """A JSON object an issue and line."""
    return b"".join(msgspec.json.encode(issue) + b"\n" for issue in issues)

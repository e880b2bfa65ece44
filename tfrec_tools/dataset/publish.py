"""A set of shards that was laid out becomes files: its jobs are run, its issues judged, its old files
removed, and all is published, the manifest last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tfrec_tools import __version__
from tfrec_tools.annotations import set_checks
from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.annotations.policies import Policies
from tfrec_tools.dataset import shards, staging, tfds
from tfrec_tools.dataset.engine import Engine, Perform, Progress, Task
from tfrec_tools.dataset.manifest import (
    FORMAT_VERSION,
    ClassInfo,
    Manifest,
    ShardInfo,
    SourceInfo,
    SplitInfo,
    format_manifest,
    read_manifest,
)
from tfrec_tools.dataset.staging import Done
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.labels import pbtxt
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.remote_path import require_writable


@dataclass(frozen=True, slots=True)
class Layout:
    """A set that is to be written.

    out        DIR/NAME; `overwrite` where another set of that name may be replaced
    splits     names; none where the set is not divided
    jobs       a shard each, which `perform` writes
    sources    what it is made of; `inputs` are files that it is read from and that must stay, `given`
               others of them that the set may replace, as it does with a label map that is its own
    options    what else it depends on, as given; versions of libraries likewise
    digest     of all input and options
    issues_of  {what the jobs found: all issues in order}
    page       {issues: the page of them}
    for_tfds   whether TFDS can read its records
    """

    out: Path
    overwrite: bool
    label_map: LabelMap
    splits: tuple[str, ...]
    jobs: Sequence[Task]
    perform: Perform
    sources: tuple[SourceInfo, ...]
    inputs: tuple[Path, ...]
    given: tuple[Path, ...]
    options: Mapping[str, str]
    versions: Mapping[str, str]
    digest: str
    issues_of: Callable[[Sequence[Done]], tuple[Issue, ...]]
    page: Callable[[Sequence[Issue]], bytes]
    for_tfds: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished set, and every issue in the order of the source. `again`: it was finished before by the
    same command, and nothing was done."""

    manifest: Manifest
    issues: tuple[Issue, ...]
    again: bool = False


class Refused(TfrecError):  # noqa: N818
    """Issues that the policies do not allow; nothing was written."""

    def __init__(self, issues: tuple[Issue, ...], refused: tuple[Issue, ...]) -> None:
        self.issues, self.refused = issues, refused
        first = refused[0]
        more = f" (and {len(refused) - 1} more that may not be)" if len(refused) > 1 else ""
        message = f"{first.source}: {first.code}: {first.message}{more}; nothing was written"
        super().__init__(message)


def require_name(out: Path) -> None:
    require_writable(out)
    if not out.name or out.is_dir():
        raise InputError(out, "is a folder; --out is DIR/NAME, the folder and first part of file names")


def finish(layout: Layout, policies: Policies, engine: Engine, progress: Progress) -> Finished:
    """The set, its shards written by `engine`, or found finished. When it is killed, the same call does the
    rest. A fault of the input leaves the output folder as it was: InputError, or Refused by the policies."""
    out, folder = layout.out, staging.folder_of(layout.out)
    if (before := _finished_before(layout)) is not None:
        staging.discard(folder)
        return before
    old = _old_files(layout)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = engine(layout.jobs, folder, progress, layout.perform)
        issues = layout.issues_of(done)
        if refused := policies.refused(issues):
            raise Refused(issues, refused)
        if not layout.jobs:
            raise InputError(out, "no image is left to write; see what the policies drop")
    except (InputError, Refused):
        staging.discard(folder)
        raise
    manifest = _manifest(layout, done, issues)
    sidecars = {
        shards.label_map_path(out): pbtxt.format_label_map(layout.label_map).encode(),
        shards.issues_path(out): issue_lines(issues),
        **({shards.page_path(out): layout.page(issues)} if issues else {}),
        **(tfds.sidecars(out, manifest) if layout.for_tfds else {}),
        shards.manifest_path(out): format_manifest(manifest),
    }
    staging.publish(folder, {job.file: job.fingerprint for job in layout.jobs}, sidecars, old)
    return Finished(manifest, issues)


def of_set(label_map: LabelMap, done: Iterable[Done]) -> tuple[Issue, ...]:
    """The issues that only the whole set shows."""
    boxes = sum((Counter(one.boxes) for one in done), Counter[str]())
    return set_checks.few({name: boxes[name] for name in label_map.names}, "classes")


def issue_lines(issues: Iterable[Issue]) -> bytes:
    """A JSON object an issue and line."""
    return b"".join(msgspec.json.encode(issue) + b"\n" for issue in issues)


def words(given: Mapping[str, Any]) -> dict[str, str]:
    """Options as a manifest notes them, without those that are None."""
    return {name: _words(value) for name, value in given.items() if value is not None}


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _finished_before(layout: Layout) -> Finished | None:
    """The set as it stands, if the same command on the same input has finished it."""
    try:
        manifest = read_manifest(shards.manifest_path(layout.out))
    except (InputError, OSError):
        return None
    files = [(layout.out.with_name(info.file), info.bytes) for info in manifest.shards]
    whole = all(path.is_file() and path.stat().st_size == size for path, size in files)
    redo = layout.overwrite and not staging.names(staging.folder_of(layout.out))
    if redo or not whole or manifest.digest != layout.digest:
        return None
    lines = shards.issues_path(layout.out).read_bytes().splitlines()
    return Finished(manifest, tuple(msgspec.json.decode(line, type=Issue) for line in lines), True)


def _old_files(layout: Layout) -> list[Path]:
    """The files of the set that is there, to be removed before the new one appears; but not the label map
    if it is the one given. InputError unless they may be overwritten."""
    moving = staging.names(staging.folder_of(layout.out))
    inputs = {path.resolve() for path in layout.inputs}
    staying = {*inputs, *(path.resolve() for path in layout.given)}
    found = shards.set_files(layout.out, layout.splits)
    if any(path.resolve() in inputs for path in found):
        raise InputError(layout.out, "is also a source; choose another --out")
    there = [path for path in found if path.resolve() not in staying]
    if there and not layout.overwrite and not moving:
        raise InputError(there[0], "exists already; replace the set with --overwrite or choose another --out")
    left = (layout.out.with_name(name) for name in moving)
    return [*there, *left]


def _manifest(layout: Layout, done: Sequence[Done], issues: Sequence[Issue]) -> Manifest:
    boxes = sum((Counter(one.boxes) for one in done), Counter[str]())
    having = sum((Counter(one.having) for one in done), Counter[str]())
    found = Counter(issue.code for issue in issues)
    return Manifest(
        format_version=FORMAT_VERSION,
        tool_version=__version__,
        name=layout.out.name,
        label_map=shards.label_map_path(layout.out).name,
        images=sum(one.images for one in done),
        negatives=sum(one.negatives for one in done),
        boxes=boxes.total(),
        classes=tuple(
            ClassInfo(label.id, label.name, having[label.name], boxes[label.name])
            for label in layout.label_map.labels
        ),
        sources=layout.sources,
        splits=tuple(_split(name, layout.jobs, done) for name in layout.splits),
        shards=tuple(
            ShardInfo(
                job.file, job.split, one.images, one.written.bytes, one.records_sha256, one.written.crc32c
            )
            for job, one in zip(layout.jobs, done, strict=True)
        ),
        issues={code: found[code] for code in CODES if code in found},
        options=dict(layout.options),
        versions=dict(layout.versions),
        digest=layout.digest,
    )


def _split(name: str, jobs: Sequence[Task], done: Sequence[Done]) -> SplitInfo:
    of_split = [one for job, one in zip(jobs, done, strict=True) if job.split == name]
    boxes = sum((Counter(one.boxes) for one in of_split), Counter[str]())
    return SplitInfo(name, sum(one.images for one in of_split), boxes.total(), dict(sorted(boxes.items())))

"""A set of shards that was laid out becomes files: its jobs are run, its issues judged, its old files
removed, and all is published, the manifest last."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from tfrec_tools import __version__
from tfrec_tools.annotations import set_checks
from tfrec_tools.annotations.accounts import Reading
from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.annotations.policies import Policies, going_on
from tfrec_tools.dataset import accounting, freshness, replacing, shards, staging, tfds
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.engine import Engine, ImageProgress, Job
from tfrec_tools.dataset.manifest import (
    FORMAT_VERSION,
    ClassInfo,
    KeypointInfo,
    Manifest,
    ShardInfo,
    SourceAccount,
    SourceInfo,
    SplitInfo,
    format_manifest,
    sealed,
)
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import AccountError, InputError, Parts, TfrecError, readable
from tfrec_tools.labels import pbtxt
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.remote_path import RemotePath


@dataclass(frozen=True, slots=True)
class SetPlan:
    """A set that is to be written.

    out        DIR/NAME; `overwrite` where another set of that name is replaced, `if_changed` where it is if
               it was made of anything else
    splits     names; none where the set is not divided
    jobs       one for each shard
    sources    what it is made of; `inputs` are files that it is read from and that must stay, `replaceable`
               others of them that the set may replace, as it does with a label map that is its own
    options    what else it depends on, as the user said it; versions of libraries likewise
    digest     of all input and options
    issues     those that were found before the jobs
    readings   how each of the sources was read; None where nobody counted
    images     (ImageRecord, ByteRange) of each, for the page of issues
    for_tfds   whether TFDS can read its records
    durable    whether it is waited until the set is on the disk
    by_time    whether the digest does not see the bytes of the images, so that their files' times of change
               must be looked at before the set may be called finished
    """

    out: Path
    overwrite: bool
    label_map: LabelMap
    splits: tuple[str, ...]
    jobs: Sequence[Job]
    sources: tuple[SourceInfo, ...]
    readings: tuple[Reading | None, ...]
    inputs: tuple[Path, ...]
    replaceable: tuple[Path, ...]
    options: Mapping[str, str]
    versions: Mapping[str, str]
    digest: str
    issues: tuple[Issue, ...] = ()
    images: Iterable[tuple[Any, Any]] = ()
    if_changed: bool = False
    for_tfds: bool = True
    durable: bool = True
    by_time: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished set, and every issue in the order of the source.

    outcome   `unchanged` where the same command had finished it before, and nothing was done; `rebuilt` where
              it took the place of another
    changed   in what that one differed; nothing where that was not asked, or where nothing did
    """

    manifest: Manifest
    issues: tuple[Issue, ...]
    outcome: Outcome = "made"
    changed: tuple[Change, ...] = ()

    @property
    def again(self) -> bool:
        """Whether nothing was done."""
        return self.outcome == "unchanged"


class Refused(TfrecError):  # noqa: N818
    """Issues that the policies do not allow; nothing was written."""

    def __init__(self, issues: tuple[Issue, ...], refused: tuple[Issue, ...]) -> None:
        self.issues, self.refused = issues, refused
        first = refused[0]
        more = f" (and {len(refused) - 1} more that may not be)" if len(refused) > 1 else ""
        message = f"{first.source}: {first.code}: {first.message}{more}; nothing was written"
        super().__init__(f"{message}; {going_on(refused)} would go on")

    @property
    def parts(self) -> Parts:
        first = self.refused[0]
        return Parts(first.source, first.code, first.message, "", f"{going_on(self.refused)} would go on")


def require_name(out: Path) -> None:
    """Raises InputError where no set can be called that."""
    if isinstance(out, RemotePath) and out.is_outermost:
        raise InputError(out, "is a bucket; --out is DIR/NAME, the bucket or a folder in it and a name")
    if not out.name or out.is_dir():
        raise InputError(out, "is a folder; --out is DIR/NAME, the folder and first part of file names")
    if readable(out.name) != out.name:
        raise InputError(out, "the name of a set is written into files, and this one is no UTF-8")


def finish(set_plan: SetPlan, policies: Policies, engine: Engine, progress: ImageProgress) -> Finished:
    """The set, its shards written by `engine`, or found finished. When it is killed, the same call does the
    rest. A fault of the input leaves the output folder as it was: InputError, or Refused by the policies."""
    out = set_plan.out
    before = _finished_before(set_plan)
    if before is not None and not staging.is_there(out) and not _unsure(set_plan, before):
        return before
    with staging.claimed(out):
        return _finish(set_plan, policies, engine, progress)


def _finish(set_plan: SetPlan, policies: Policies, engine: Engine, progress: ImageProgress) -> Finished:
    """With the hidden folder claimed."""
    out, folder = set_plan.out, staging.folder_of(set_plan.out)
    try:
        known: tuple[Change, ...] = ()
        if (before := _finished_before(set_plan)) is not None:
            images = _changed_images(set_plan, before, engine, progress)
            if not images:
                staging.discard(folder)
                return before
            if not set_plan.if_changed:
                raise InputError(out, f"{images} after the set was finished; {replacing.HOW}")
            known = (Change("input", images),)
        old = replacing.old_set(set_plan, known)
        done = engine(set_plan.jobs, folder, progress)
        issues = all_issues(set_plan.issues, set_plan.label_map, set_plan.jobs, done)
        if refused := policies.refused(issues):
            raise Refused(issues, refused)
        if not set_plan.jobs:
            raise InputError(out, "no image is left to write; see what the policies drop")
        accounted = accounting.accounts(out, set_plan.readings, done)
    except (InputError, Refused, AccountError):
        if not staging.names(folder):  # else the shards of a set that is half moved would go, too
            staging.discard(folder)
        raise
    label_map, by_time = pbtxt.format_label_map(set_plan.label_map).encode(), set_plan.by_time
    manifest = _manifest(replace(set_plan, sources=_with(set_plan.sources, accounted)), done, issues)
    manifest = sealed(replace(manifest, label_map_sha256=hashlib.sha256(label_map).hexdigest()))
    sidecars = {
        shards.label_map_path(out): label_map,
        shards.issues_path(out): issue_lines(issues),
        **({shards.page_path(out): _page(set_plan, issues)} if issues else {}),
        **(tfds.sidecars(out, manifest) if set_plan.for_tfds else {}),
        **({freshness.state_path(out): freshness.state_of(manifest, set_plan.jobs)} if by_time else {}),
        shards.manifest_path(out): format_manifest(manifest),
    }
    staging.publish(
        folder, {job.file: job.fingerprint for job in set_plan.jobs}, sidecars, old, set_plan.durable
    )
    return Finished(manifest, issues, old.outcome, old.changed)


def _with(
    sources: tuple[SourceInfo, ...], accounted: tuple[SourceAccount | None, ...]
) -> tuple[SourceInfo, ...]:
    pairs = zip(sources, accounted, strict=True)
    return tuple(replace(source, accounting=account) for source, account in pairs)


def all_issues(
    before: Sequence[Issue], label_map: LabelMap, jobs: Sequence[Job], done: Sequence[ShardResult]
) -> tuple[Issue, ...]:
    """Those that were found before the jobs, then those of the images in the order of the sources, then those
    that only the whole set shows."""
    of_images = [
        (job.order(index), issue)
        for job, result in zip(jobs, done, strict=True)
        for index, issue in result.issues
    ]
    of_images.sort(key=itemgetter(0))
    boxes = sum((Counter(result.boxes) for result in done), Counter[str]())
    of_set = set_checks.few({name: boxes[name] for name in label_map.names}, "classes")
    return (*before, *(issue for _, issue in of_images), *of_set)


def _page(set_plan: SetPlan, issues: Sequence[Issue]) -> bytes:
    from tfrec_tools.drawing.gallery import issues_page  # which needs numpy and Pillow, as nothing else does

    return issues_page(set_plan.out.name, set_plan.images, issues, set_plan.label_map.names)


def issue_lines(issues: Iterable[Issue]) -> bytes:
    """Returns a JSON object an issue and line."""
    return b"".join(msgspec.json.encode(issue) + b"\n" for issue in issues)


def _finished_before(set_plan: SetPlan) -> Finished | None:
    """Returns the set as it stands, if the same command on the same input has finished it."""
    before = replacing.finished_before(set_plan)
    return None if before is None else Finished(*before, "unchanged")


def _unsure(set_plan: SetPlan, before: Finished) -> list[Job]:
    """The jobs that must be done again before the set may be called finished."""
    return freshness.unsure(set_plan.out, before.manifest, set_plan.jobs) if set_plan.by_time else []


def _changed_images(set_plan: SetPlan, before: Finished, engine: Engine, progress: ImageProgress) -> str:
    """Returns which image files were changed since the set was finished; "" where none was, which is then
    noted."""
    out, manifest = set_plan.out, before.manifest
    unsure = _unsure(set_plan, before)
    if not unsure:
        return ""
    done = engine(unsure, staging.folder_of(out), progress)
    if other := freshness.differing(out, manifest, before.issues, unsure, done):
        return other
    freshness.write_state(out, manifest, set_plan.jobs)
    return ""


def _manifest(set_plan: SetPlan, done: Sequence[ShardResult], issues: Sequence[Issue]) -> Manifest:
    boxes = sum((Counter(shard.boxes) for shard in done), Counter[str]())
    images_per_class = sum((Counter(shard.images_per_class) for shard in done), Counter[str]())
    issue_counts = Counter(issue.code for issue in issues)
    return Manifest(
        format_version=FORMAT_VERSION,
        tool_version=__version__,
        name=set_plan.out.name,
        label_map=shards.label_map_path(set_plan.out).name,
        images=sum(shard.images for shard in done),
        negatives=sum(shard.negatives for shard in done),
        boxes=boxes.total(),
        classes=tuple(
            ClassInfo(
                label.id,
                label.name,
                images_per_class[label.name],
                boxes[label.name],
                tuple(KeypointInfo(*keypoint) for keypoint in label.keypoints),
            )
            for label in set_plan.label_map.labels
        ),
        sources=set_plan.sources,
        splits=tuple(_split(name, set_plan.jobs, done) for name in set_plan.splits),
        shards=tuple(
            ShardInfo(
                job.file,
                job.split,
                shard.images,
                shard.written.bytes,
                shard.records_sha256,
                shard.written.crc32c,
            )
            for job, shard in zip(set_plan.jobs, done, strict=True)
        ),
        issues={code: issue_counts[code] for code in CODES if code in issue_counts},
        options=dict(set_plan.options),
        versions=dict(set_plan.versions),
        digest=set_plan.digest,
    )


def _split(name: str, jobs: Sequence[Job], done: Sequence[ShardResult]) -> SplitInfo:
    of_split = [shard for job, shard in zip(jobs, done, strict=True) if job.split == name]
    boxes = sum((Counter(shard.boxes) for shard in of_split), Counter[str]())
    return SplitInfo(
        name, sum(shard.images for shard in of_split), boxes.total(), dict(sorted(boxes.items()))
    )

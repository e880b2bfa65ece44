"""Annotations and images to a set of shards: plan, run, publish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import PIL

from tfrec_tools import __version__, labels, shards, survey, tfds, work
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.issues import CODES, Issue
from tfrec_tools.page import issues_page
from tfrec_tools.plan import Options, Plan, make_plan
from tfrec_tools.run import Progress, run
from tfrec_tools.shards import ClassInfo, Manifest, ShardInfo, SourceInfo, SplitInfo
from tfrec_tools.work import Done, Job


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A finished set, and every issue in the order of the source. `again`: it was finished before by the
    same command, and nothing was done."""

    manifest: Manifest
    issues: tuple[Issue, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What a conversion would give: its plan, every issue in the order of the source, those of them that
    would end it, and the boxes of each class."""

    plan: Plan
    issues: tuple[Issue, ...]
    refused: tuple[Issue, ...]
    boxes: dict[str, int]
    images: int


class Refused(TfrecError):  # noqa: N818
    """Issues that the policies do not allow; nothing was written."""

    def __init__(self, issues: tuple[Issue, ...], refused: tuple[Issue, ...]) -> None:
        self.issues, self.refused = issues, refused
        first = refused[0]
        more = f" (and {len(refused) - 1} more that may not be)" if len(refused) > 1 else ""
        message = f"{first.source}: {first.code}: {first.message}{more}; nothing was written"
        super().__init__(message)


def convert(options: Options, progress: Progress = _silent) -> Converted:
    """Converts sources to a finished set; the same input gives the same bytes, whatever the number of
    workers. When it is killed, the same call does the rest. A fault of the input leaves the output folder
    as it was."""
    _require_name(options)
    out, folder = options.out, work.folder_of(options.out)
    plan = make_plan(options)
    if (before := _finished_before(options, plan)) is not None:
        work.discard(folder)
        return before
    old = _old_files(options, plan)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = run(plan.jobs, folder, options.workers, progress)
        issues = all_issues(plan, done)
        if refused := options.checks.policies.refused(issues):
            raise Refused(issues, refused)
        if not plan.jobs:
            raise InputError(out, "", "no image is left to write; see what the policies drop")
    except (InputError, Refused):
        work.discard(folder)
        raise
    manifest = _manifest(options, plan, done, issues)
    sidecars = {
        shards.label_map_path(out): labels.format_label_map(plan.label_map).encode(),
        shards.issues_path(out): issue_lines(issues),
        **_page(out, plan, issues),
        **tfds.sidecars(out, manifest),
        shards.manifest_path(out): shards.format_manifest(manifest),
    }
    work.publish(folder, {job.file: job.fingerprint for job in plan.jobs}, sidecars, old)
    return Converted(manifest, issues)


def validate(options: Options, progress: Progress = _silent) -> Checked:
    """All checks of a conversion, without writing anything."""
    plan = make_plan(options)
    done = run(plan.jobs, None, options.workers, progress)
    issues = all_issues(plan, done)
    boxes = sum((Counter(one.boxes) for one in done), Counter[str]())
    refused = options.checks.policies.refused(issues)
    return Checked(plan, issues, refused, dict(boxes), sum(one.images for one in done))


def all_issues(plan: Plan, done: Sequence[Done]) -> tuple[Issue, ...]:
    """Those of the plan, then those of the images in the order of the source, then those of the set."""
    places = {id(item): place for place, item in enumerate(plan.items)}
    of_images = [
        (places[id(job.items[index])], issue)
        for job, one in zip(plan.jobs, done, strict=True)
        for index, issue in one.issues
    ]
    of_images.sort(key=lambda pair: pair[0])
    boxes = sum((Counter(one.boxes) for one in done), Counter[str]())
    few = survey.few({name: boxes[name] for name in plan.label_map.names}, "classes")
    return (*plan.issues, *(issue for _, issue in of_images), *few)


def issue_lines(issues: Iterable[Issue]) -> bytes:
    """A JSON object an issue and line."""
    return b"".join(msgspec.json.encode(issue) + b"\n" for issue in issues)


def report(checked: Checked, path: Path) -> bytes:
    """The issues as the file that its suffix asks for: .jsonl, or .html with pictures."""
    if path.suffix == ".html":
        name = ", ".join(one.path.name for one in checked.plan.inputs)
        return issues_page(name, checked.plan.items, checked.issues)
    if path.suffix == ".jsonl":
        return issue_lines(checked.issues)
    raise InputError(path, "", f"ends in {path.suffix!r}, expected .html or .jsonl")


def _page(out: Path, plan: Plan, issues: Sequence[Issue]) -> dict[Path, bytes]:
    """The page of issues, where there are any."""
    return {shards.page_path(out): issues_page(out.name, plan.items, issues)} if issues else {}


def _require_name(options: Options) -> None:
    if not options.out.name or options.out.is_dir():
        raise InputError(
            options.out, "", "is a folder; --out is DIR/NAME, the folder and first part of file names"
        )


def _finished_before(options: Options, plan: Plan) -> Converted | None:
    """The set as it stands, if the same command on the same input has finished it."""
    try:
        manifest = shards.read_manifest(shards.manifest_path(options.out))
    except (InputError, OSError):
        return None
    files = [(options.out.with_name(info.file), info.bytes) for info in manifest.shards]
    whole = all(path.is_file() and path.stat().st_size == size for path, size in files)
    redo = options.overwrite and not work.names(work.folder_of(options.out))
    if redo or not whole or manifest.digest != plan.digest:
        return None
    lines = shards.issues_path(options.out).read_bytes().splitlines()
    return Converted(manifest, tuple(msgspec.json.decode(line, type=Issue) for line in lines), True)


def _old_files(options: Options, plan: Plan) -> list[Path]:
    """The files of the set that is there, to be removed before the new one appears; but not the label map
    if it is the one given. InputError unless they may be overwritten."""
    moving = work.names(work.folder_of(options.out))
    given = {path.resolve() for path in (*options.paths, *([options.labels] if options.labels else []))}
    found = shards.set_files(options.out, (share.name for share in plan.shares))
    there = [path for path in found if path.resolve() not in given]
    if len(there) < len(found) and any(path.resolve() in given for path in found if path != options.labels):
        raise InputError(options.out, "", "is also a source; choose another --out")
    if there and not options.overwrite and not moving:
        raise InputError(
            there[0], "", "exists already; replace the set with --overwrite or choose another --out"
        )
    left = (options.out.with_name(name) for name in moving)
    return [*there, *left]


def _manifest(options: Options, plan: Plan, done: Sequence[Done], issues: Sequence[Issue]) -> Manifest:
    boxes = sum((Counter(one.boxes) for one in done), Counter[str]())
    having = sum((Counter(one.having) for one in done), Counter[str]())
    found = Counter(issue.code for issue in issues)
    return Manifest(
        format_version=shards.FORMAT_VERSION,
        tool_version=__version__,
        name=options.out.name,
        label_map=shards.label_map_path(options.out).name,
        images=sum(one.images for one in done),
        negatives=sum(one.negatives for one in done),
        boxes=boxes.total(),
        classes=tuple(
            ClassInfo(label.id, label.name, having[label.name], boxes[label.name])
            for label in plan.label_map.labels
        ),
        sources=_sources(plan),
        splits=tuple(_split(share.name, plan.jobs, done) for share in plan.shares),
        shards=tuple(
            ShardInfo(
                job.file, job.split, one.images, one.written.bytes, one.records_sha256, one.written.crc32c
            )
            for job, one in zip(plan.jobs, done, strict=True)
        ),
        issues={code: found[code] for code in CODES if code in found},
        options=_given(options),
        versions={"pillow": PIL.__version__},
        digest=plan.digest,
    )


def _sources(plan: Plan) -> tuple[SourceInfo, ...]:
    names = set(plan.label_map.names)
    return tuple(
        SourceInfo(
            str(one.path),
            one.format,
            len(one.source.records),
            tuple(name for name in one.source.classes if name in names),
        )
        for one in plan.inputs
    )


def _split(name: str, jobs: Sequence[Job], done: Sequence[Done]) -> SplitInfo:
    of_split = [one for job, one in zip(jobs, done, strict=True) if job.split == name]
    boxes = sum((Counter(one.boxes) for one in of_split), Counter[str]())
    return SplitInfo(name, sum(one.images for one in of_split), boxes.total(), dict(sorted(boxes.items())))


def _given(options: Options) -> dict[str, str]:
    """The options that change the set's content, as given."""
    policies = options.checks.policies.chosen
    given = {
        "images": options.images,
        "labels": options.labels,
        "shards": options.shards,
        "split": options.split,
        "seed": options.seed or None,
        "group_by": options.group_by,
        "compression": options.compression or None,
        "min_side": options.checks.min_side,
        "on": " ".join(f"{code}={action}" for code, action in policies.items()) or None,
    }
    return {name: _words(value) for name, value in given.items() if value is not None}


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

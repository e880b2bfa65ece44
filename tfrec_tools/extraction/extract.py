"""Records back to annotations and images: plan, jobs, and the folder, which appears whole.

Beside the folder DIR all is made in the hidden folder .DIR.part, which `dataset.staging` claims for one run:

    content/          what will be DIR
    notes/            of the jobs that are done
    extraction.json   the fingerprint of all that it depends on
    old/              what was in DIR before, while the two change places
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np

from tfrec_tools import __version__
from tfrec_tools.annotations import keypoint_checks
from tfrec_tools.annotations.accounts import added
from tfrec_tools.annotations.issues import CODES, Issue
from tfrec_tools.dataset import staging
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.dataset.engine import ticker
from tfrec_tools.dataset.made_folder import sizes_below
from tfrec_tools.dataset.manifest import SourceAccount
from tfrec_tools.errors import AccountError, InputError
from tfrec_tools.extraction import standing
from tfrec_tools.extraction.jobs import Done, ExtractJob, is_finished, jobs_of, noted
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.extraction.plan import Plan, make_plan
from tfrec_tools.extraction.standing import ADVICE, FILES, SUMMARY, Summary
from tfrec_tools.formats.split_names import split_named
from tfrec_tools.formats.writing import BOX_FACTS, Part
from tfrec_tools.labels import pbtxt
from tfrec_tools.system import workers
from tfrec_tools.system.atomic import published, sync
from tfrec_tools.system.options import recorded_texts
from tfrec_tools.system.workers import Tick

LABEL_MAP = "label_map.pbtxt"


@dataclass(frozen=True, slots=True)
class Extracted:
    """A finished extraction: its folder, what it holds, what is odd about the records, and the arguments of
    the `tfrec convert` that makes the same records of it. `outcome` and `changed` are as those of a finished
    set."""

    folder: Path
    summary: Summary
    issues: tuple[Issue, ...]
    convert: tuple[str, ...]
    outcome: Outcome = "made"
    changed: tuple[Change, ...] = ()


def extract(options: ExtractOptions) -> Extracted:
    """Writes images, annotations and label map of records into a folder, which appears when all is written;
    the same records give the same bytes. When it is killed, the same call does the rest. InputError where a
    record cannot be used or the folder is there already."""
    out = options.folder
    standing.require_name(out)
    standing.standing(out)
    plan = make_plan(options)
    _require_outside(out, plan.files)
    folder = staging.folder_of(out)
    with staging.claimed(out):
        try:
            _restore(out, folder / "old")
            return _extract(plan, options, folder)
        except (InputError, AccountError):
            _clear(folder)
            raise


def _restore(out: Path, old: Path) -> None:
    """What a run was killed over while it changed places with the new is there again."""
    if old.is_dir() and not out.exists():
        old.rename(out)


def _extract(plan: Plan, options: ExtractOptions, folder: Path) -> Extracted:
    out, content, notes = options.folder, folder / "content", folder / "notes"
    issues = (*plan.source.issues, *_not_finite(plan), *_damaged_keypoints(plan))
    arguments = tuple(_convert(plan, options))
    there, changed = standing.standing(out), tuple[Change, ...]()
    if there is not None:
        changed = standing.changes(out, there, recorded_texts(options), plan.digest)
        if not changed and there.summary is not None and not options.overwrite:
            _clear(folder)
            staging.discard(folder)
            return Extracted(out, there.summary, issues, arguments, "unchanged")
        how = {"overwrite": options.overwrite, "if_changed": options.if_changed}
        standing.require_replaceable(out, there, changed, **how)
    _begin(folder, plan.fingerprint)
    jobs = jobs_of(plan)
    _run(jobs, options, content, notes)
    done = [_counts(notes, job) for job in jobs]
    summary = _summary(plan, options, done, issues)
    for path, pieces in _documents(plan, summary, jobs, notes):
        (content / path).parent.mkdir(parents=True, exist_ok=True)
        with (content / path).open("wb") as file:
            file.writelines(pieces)
    _list(content)
    if not options.no_fsync:
        _sync(content)
    standing.standing(out)  # another program may have put something there meanwhile
    _publish(content, out, folder / "old")
    _clear(folder)
    staging.discard(folder)
    return Extracted(out, summary, issues, arguments, "rebuilt" if there else "made", changed)


def _list(content: Path) -> None:
    """The extraction says which files it has."""
    (content / FILES).unlink(missing_ok=True)
    sizes = sizes_below(content)
    (content / FILES).write_bytes(msgspec.json.format(msgspec.json.encode(sizes), indent=0) + b"\n")


def _require_outside(out: Path, files: Iterable[Path]) -> None:
    inside = next((file for file in files if file.resolve().is_relative_to(out.resolve())), None)
    if inside is not None:
        raise InputError(out, f"holds {inside.name}, which is to be read; {ADVICE}")


def _begin(folder: Path, fingerprint: str) -> None:
    """Leaves what an earlier run has made of the same records, and nothing else."""
    note = folder / SUMMARY
    try:
        same = msgspec.json.decode(note.read_bytes(), type=str) == fingerprint
    except (FileNotFoundError, msgspec.DecodeError):
        same = False
    if not same:
        _clear(folder)
        with published(note, durable=False) as (part,):
            part.write_bytes(msgspec.json.encode(fingerprint))
    for name in ("content", "notes"):
        (folder / name).mkdir(exist_ok=True)


def _clear(folder: Path) -> None:
    (folder / SUMMARY).unlink(missing_ok=True)
    for name in ("content", "notes", "old"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _run(jobs: Sequence[ExtractJob], options: ExtractOptions, content: Path, notes: Path) -> None:
    left = [job for job in jobs if not is_finished(notes, content, job)]
    total = sum(len(job.items) for job in jobs)
    ticked = ticker(total, partial(options.progress, "writing images"))
    ticked(total - sum(len(job.items) for job in left))
    count = min(options.workers or workers.cores(), len(left))
    if count > 1:
        workers.spread(partial(_perform, content=content, notes=notes), left, count, ticked)
    else:
        for job in left:
            job.perform(lambda: ticked(1), content, notes)


def _perform(job: ExtractJob, tick: Tick, content: Path, notes: Path) -> bool:
    job.perform(tick, content, notes)
    return True


def _counts(notes: Path, job: ExtractJob) -> Done:
    """Returns what a job wrote, without its files and texts."""
    done = _done(notes, job)
    return Done(done.images, done.boxes, done.unsaid, {})


def _done(notes: Path, job: ExtractJob) -> Done:
    done = noted(notes, job)
    if done is None:
        raise InputError(notes, "was changed by another program while it was being read; run this again")
    return done


def _not_finite(plan: Plan) -> Iterator[Issue]:
    """Yields an issue for each box that no format has numbers for."""
    for item in plan.items:
        finite = np.isfinite(item.record.boxes_xyxy).all(axis=1)  # (N,)
        for box in np.flatnonzero(~finite).tolist():
            message = f"{item.record.filename}: {item.record.names[box]} is not finite"
            yield Issue("box-not-finite", item.record.source, box, message, True)


def _damaged_keypoints(plan: Plan) -> Iterator[Issue]:
    """Yields an issue for each box that is written without its keypoints."""
    for item in plan.items:
        faults = keypoint_checks.faults(item.record, 1, 1)
        for box in np.flatnonzero(faults.get("keypoints-damaged", ())).tolist():
            message = f"{item.record.filename}: {item.record.names[box]} is written without its keypoints"
            yield Issue("keypoints-damaged", item.record.source, box, message, True)


def _summary(plan: Plan, options: ExtractOptions, done: Sequence[Done], issues: Sequence[Issue]) -> Summary:
    counted = plan.source.account
    not_finite = sum(issue.code == "box-not-finite" for issue in issues)
    account = SourceAccount(
        files=counted.files,
        litter=counted.litter,
        found=counted.found,
        written=sum(each.boxes for each in done),
        dropped=added(counted.dropped, {"box-not-finite": not_finite}),
        images=counted.images,
        images_written=sum(each.images for each in done),
        images_dropped=added(counted.images_dropped),
    )
    if not account.adds_up:
        dropped = sum(account.dropped.values())
        raise AccountError(options.folder, account.found, account.written, dropped, "boxes")
    boxes = Counter(name for item in plan.items for name in item.record.names)
    images = Counter(item.record.split for item in plan.items)
    codes = Counter(issue.code for issue in issues)
    unsaid = sum((Counter(each.unsaid) for each in done), plan.unsaid)
    return Summary(
        tool_version=__version__,
        format=plan.kind,
        options=recorded_texts(options),
        images=account.images_written,
        boxes=account.written,
        splits={split: images[split] for split in plan.splits if split},
        classes={name: boxes[name] for name in plan.labels.names},
        unsaid={what: unsaid[what] for what in (*BOX_FACTS, *plan.unsaid) if unsaid[what]},
        issues={code: codes[code] for code in CODES if code in codes},
        accounting=account,
        digest=plan.digest,
    )


def _documents(
    plan: Plan, summary: Summary, jobs: Sequence[ExtractJob], notes: Path
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yields the files of all images, the label map and the summary: path below the folder, content."""

    def texts(split: str, part: str) -> Iterator[str]:
        return (_done(notes, job).texts.get(part, "") for job in jobs if job.split == split)

    parts = [
        Part(
            split,
            [item.name for item in plan.items if (item.record.split or "") == split],
            partial(texts, split),
        )
        for split in plan.splits
    ]
    yield from plan.writer.documents(parts, plan.labels)
    yield LABEL_MAP, [pbtxt.format_label_map(plan.labels).encode()]
    yield SUMMARY, [msgspec.json.format(msgspec.json.encode(summary), indent=2), b"\n"]


def _sync(content: Path) -> None:
    """All files and folders below one are on the disk when it returns."""
    for folder, _, files in os.walk(content):
        for name in files:
            sync(Path(folder, name))
        sync(Path(folder))


def _publish(content: Path, out: Path, old: Path) -> None:
    """Gives the folder its final name, in the place of what is there."""
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    content.rename(out)
    sync(out.parent)


def _convert(plan: Plan, options: ExtractOptions) -> Iterator[str]:
    """Yields the arguments of the command that makes the same records again."""
    out = options.folder
    yield from (str(out / path) for path in plan.writer.sources(plan.splits))
    yield from ("--labels", str(out / LABEL_MAP))
    if plan.labeled:
        yield from ("--labeled", ",".join(plan.labeled))
    yield from plan.writer.flags
    if "mask" in plan.writer.says and any(item.record.masks for item in plan.items):
        yield from ("--masks", "png")
    if any(plan.splits) and _splits_come_back(plan):
        yield from ("--split", "source")


def _splits_come_back(plan: Plan) -> bool:
    """Returns whether `--split source` finds the splits: files are called after them, and no folder of
    an image after another."""
    if plan.writer.splits is not None:
        return not plan.unsaid["split"]
    files = dict(zip(plan.splits, plan.writer.sources(plan.splits), strict=True))
    folders = {(item.record.split or "", PurePosixPath(item.name).parent) for item in plan.items}
    return all(split_named(f"{files[split]}/{folder}") == split for split, folder in folders)

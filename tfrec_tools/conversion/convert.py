"""Annotations and images to a set of shards: plan, run, publish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import PIL

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.conversion import jobs
from tfrec_tools.conversion.plan import Options, Plan, make_plan, with_paths
from tfrec_tools.dataset import publish
from tfrec_tools.dataset.engine import Engine, Progress, run
from tfrec_tools.dataset.manifest import SourceInfo
from tfrec_tools.dataset.publish import Finished, Layout, issue_lines
from tfrec_tools.dataset.staging import Done
from tfrec_tools.drawing.page import issues_page
from tfrec_tools.errors import InputError
from tfrec_tools.system import fsspec_path


def _silent(done: int, total: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a conversion would give: its plan, every issue in the order of the source, those of them that
    would end it, and the boxes of each class."""

    plan: Plan
    issues: tuple[Issue, ...]
    refused: tuple[Issue, ...]
    boxes: dict[str, int]
    images: int


def convert(options: Options, progress: Progress = _silent, engine: Engine | None = None) -> Finished:
    """Converts sources to a finished set; the same input gives the same bytes, whatever the engine (None:
    processes of this machine) and the number of its workers. When it is killed, the same call does the rest.
    A fault of the input leaves the output folder as it was."""
    publish.require_name(options.out)
    options = with_paths(options, fsspec_path.located)
    layout = _layout(options, make_plan(options))
    engine = engine or partial(run, processes=options.workers)
    return publish.finish(layout, options.checks.policies, engine, progress)


def _layout(options: Options, plan: Plan) -> Layout:
    return Layout(
        out=options.out,
        overwrite=options.overwrite,
        label_map=plan.label_map,
        splits=tuple(share.name for share in plan.shares),
        jobs=plan.jobs,
        perform=jobs.perform,
        sources=_sources(plan),
        inputs=options.paths,
        given=(options.labels,) if options.labels else (),
        options=given_options(options),
        versions={"pillow": PIL.__version__},
        digest=plan.digest,
        issues_of=lambda done: all_issues(plan, done),
        page=lambda issues: issues_page(options.out.name, plan.pictures, issues),
    )


def validate(options: Options, progress: Progress = _silent) -> Checked:
    """All checks of a conversion, without writing anything."""
    plan = make_plan(with_paths(options, fsspec_path.located))
    done = run(plan.jobs, None, progress, jobs.perform, options.workers)
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
    return (*plan.issues, *(issue for _, issue in of_images), *publish.of_set(plan.label_map, done))


def report(checked: Checked, path: Path) -> bytes:
    """The issues as the file that its suffix asks for: .jsonl, or .html with pictures."""
    if path.suffix == ".html":
        name = ", ".join(one.path.name for one in checked.plan.inputs)
        return issues_page(name, checked.plan.pictures, checked.issues)
    if path.suffix == ".jsonl":
        return issue_lines(checked.issues)
    raise InputError(path, f"ends in {path.suffix!r}, expected .html or .jsonl")


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


def given_options(options: Options) -> dict[str, str]:
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
    return publish.words(given)

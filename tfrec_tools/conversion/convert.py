"""Annotations and images to a set of shards: plan, run, publish."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import PIL

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.conversion.plan import Plan, checks_of, make_plan, with_paths
from tfrec_tools.dataset import accounting, publish
from tfrec_tools.dataset.engine import Engine, run
from tfrec_tools.dataset.manifest import SourceAccount, SourceInfo
from tfrec_tools.dataset.neighbours import differing_ids
from tfrec_tools.dataset.publish import Finished, SetPlan, issue_lines
from tfrec_tools.errors import InputError, readable
from tfrec_tools.system import stores
from tfrec_tools.system.options import recorded_texts


@dataclass(frozen=True, slots=True)
class Checked:
    """What a conversion would give: its plan, every issue in the order of the source, those of them that
    would end it, the boxes of each class, and what would become of all that each source holds."""

    plan: Plan
    issues: tuple[Issue, ...]
    refused: tuple[Issue, ...]
    boxes: dict[str, int]
    images: int
    accounts: tuple[SourceAccount | None, ...]


def convert(options: ConvertOptions, engine: Engine | None = None) -> Finished:
    """Converts sources to a finished set; the same input gives the same bytes, whatever the engine (None:
    processes of this machine) and the number of its workers. When it is killed, the same call does the rest.
    A fault of the input leaves the output folder as it was."""
    options = replace(with_paths(options, stores.located), out=stores.written(options.prefix))
    publish.require_name(options.prefix)
    set_plan = _set_plan(options, make_plan(options))
    engine = engine or partial(run, processes=options.workers, durable=not options.no_fsync)
    progress = partial(options.progress, "converting images")
    return publish.finish(set_plan, checks_of(options).policies, engine, progress)


def validate(options: ValidateOptions) -> Checked:
    """All checks of a conversion, without writing anything."""
    plan = make_plan(with_paths(options.as_conversion, stores.located))
    done = run(plan.jobs, None, partial(options.progress, "checking images"), options.workers)
    issues = publish.all_issues(plan.issues, plan.label_map, plan.jobs, done)
    boxes = sum((Counter(result.boxes) for result in done), Counter[str]())
    refused = checks_of(options).policies.refused(issues)
    paths = Path(", ".join(map(str, options.source_paths)))
    accounts = accounting.accounts(paths, [source.reading for source in plan.inputs], done)
    return Checked(plan, issues, refused, dict(boxes), sum(result.images for result in done), accounts)


def report(checked: Checked, path: Path) -> bytes:
    """The issues as the file that its suffix asks for: .jsonl, or .html with images."""
    if path.suffix == ".html":
        from tfrec_tools.drawing.gallery import issues_page

        name = ", ".join(readable(source.path.name) for source in checked.plan.inputs)
        return issues_page(name, checked.plan.images, checked.issues, checked.plan.label_map.names)
    if path.suffix == ".jsonl":
        return issue_lines(checked.issues)
    raise InputError(path, f"ends in {path.suffix!r}, expected .html or .jsonl")


def _set_plan(options: ConvertOptions, plan: Plan) -> SetPlan:
    return SetPlan(
        out=options.prefix,
        overwrite=options.overwrite,
        if_changed=options.if_changed,
        label_map=plan.label_map,
        splits=tuple(share.name for share in plan.shares),
        jobs=plan.jobs,
        sources=_sources(plan),
        inputs=options.source_paths,
        replaceable=(options.labels_path,) if options.labels_path else (),
        options=recorded_texts(options),
        versions={"pillow": PIL.__version__},
        digest=plan.digest,
        issues=(*plan.issues, *differing_ids(options.prefix, plan.label_map.id_by_name)),
        readings=tuple(source.reading for source in plan.inputs),
        durable=not options.no_fsync,
        images=plan.images,
        by_time=True,
    )


def _sources(plan: Plan) -> tuple[SourceInfo, ...]:
    names = set(plan.label_map.names)
    return tuple(
        SourceInfo(
            readable(str(source.path)),
            source.format,
            len(source.annotations.records),
            tuple(name for name in source.annotations.classes if name in names),
            dict(source.annotations.category_ids or {}),
        )
        for source in plan.inputs
    )

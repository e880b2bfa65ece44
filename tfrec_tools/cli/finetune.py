"""`tfrec finetune`: a model folder and records to a bigger model folder, with the table that proves it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import typer

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.finetune import FinetuneOptions


@command(
    "tfrec finetune --base my_model --labels merged.pbtxt --train 'records/new-*' --replay 'records/old-*' "
    "--val 'records/val-*' --out run"
)
def finetune(options: FinetuneOptions, json: Json = False) -> None:
    """Grow a detector by the classes that --labels adds, and train it without forgetting the old ones.

    The class head gets a column for each new class; the columns of classes that the base knows are carried
    over bit for bit, by name or as the merge renamed them. An image is never taught that a class which it was
    not annotated for is background.
    """
    from tfrec_tools.cli import console, tensorflow
    from tfrec_tools.detector import preflight
    from tfrec_tools.formats.classes import read_map

    label_map = read_map(options.labels_path)
    with console.watched(options) as watched:
        checked = preflight.require_finetunable(watched, label_map)
    for line in checked.notes:
        _note(line)
    tensorflow.load()
    from tfrec_tools.detector import finetune as story

    with console.watched(options) as watched:
        plan = replace(story.planned(watched, label_map, checked.examples), say=_note)
        if options.dry_run:
            proof = story.dry_run(plan)
        else:
            lines = story.finetune(plan, resume=options.resume)
    if options.dry_run:
        _show_proof(plan, proof, json)
        return
    _show(plan, lines, json)
    if options.control:
        with console.watched(options) as watched:
            plain = story.finetune(plan.control, resume=options.resume and plan.control.out.exists())
        if not json:
            _show(plan.control, plain, json)
    _judge(lines, options.max_forget)


def _note(line: str) -> None:
    say(f"tfrec: {line}", err=True)


def _show_proof(plan: Any, proof: Any, json: bool) -> None:
    import json as json_
    from dataclasses import asdict

    from tfrec_tools.cli import console

    if json:
        say(json_.dumps(asdict(proof), indent=2))
        return
    rows = [
        (row.id, row.name, "new" if row.base_id is None else f"column {row.base_id} of the base, bit for bit")
        for row in proof.rows
    ]
    title = f"{plan.base} grown to {len(rows)} classes"
    console.print_table(title, ("id", "class", "row of the class head"), rows)
    change = f"change by at most {proof.max_difference:g}"
    say(f"On {proof.images} images the logits of the old classes {change}.")


def _judge(lines: Any, max_forget: float | None) -> None:
    from tfrec_tools.detector.reports import comparison

    if max_forget is None or not any(line.group == "old" for line in lines):
        return
    lost, of = comparison.forgetting(lines), "AP50"
    if lost is None:
        lost, of = comparison.agreement_lost(lines), "agreement with the base, as no old class is labelled"
    if lost is None:
        _note("warning: --max-forget judges nothing: no old class is labelled, and the base found none")
    elif lost > max_forget:
        _note(f"the old classes lost {lost:g} points of {of}, more than {max_forget:g}")
        raise typer.Exit(3)


def _show(plan: Any, lines: Any, json: bool) -> None:
    from tfrec_tools.cli import console
    from tfrec_tools.detector.reports import comparison

    if not plan.cluster.is_chief:
        return
    if json:
        say((plan.out / "report.json").read_text(encoding="utf-8"), nl=False)
        return
    agreement = comparison.has_agreement_alone(lines)
    console.print_precisions(f"{plan.base} -> {plan.out / 'model'}", lines, agreement=agreement)
    say(f"The grown model is {plan.out / 'model'}; look at {plan.out / 'report.html'}.")

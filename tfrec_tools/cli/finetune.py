"""`tfrec finetune`: a model folder and records to a bigger model folder, with the table that proves it."""

from __future__ import annotations

from typing import Any

import typer

from tfrec_tools.cli.exits import Exit
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
    from tfrec_tools.cli import console, manner, tensorflow
    from tfrec_tools.detector import preflight
    from tfrec_tools.formats.classes import read_map

    label_map = read_map(options.labels_path)
    with console.watched(options) as watched:
        checked = preflight.require_finetunable(watched, label_map)
    for note in checked.notes:
        manner.note(note)
    tensorflow.load()
    from tfrec_tools.detector import finetune as story

    with console.watched(options) as watched:
        plan = story.planned(watched, label_map, checked.examples)
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
        _show_gained(plan, lines, plain, json)
    _judge(lines, options.max_forget)


def _show_proof(plan: Any, proof: Any, json: bool) -> None:
    from dataclasses import asdict

    from tfrec_tools.cli import console, manner

    if json:
        manner.say_document(asdict(proof))
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
    from tfrec_tools.detector.evaluation.wording import changed_words
    from tfrec_tools.detector.reports import comparison

    lost, change = comparison.forgetting(lines), comparison.change_of_old(lines)
    if max_forget is not None and lost is not None and change is not None and lost > max_forget:
        say(f"tfrec: the old classes {changed_words(change)}; --max-forget is {max_forget:g}", err=True)
        raise typer.Exit(Exit.FORGOTTEN)


def _show(plan: Any, lines: Any, json: bool) -> None:
    import json as json_

    from tfrec_tools.cli import console, manner
    from tfrec_tools.detector.evaluation.wording import about, changed_words
    from tfrec_tools.detector.reports import comparison

    if not plan.cluster.is_chief:
        return
    if json:
        manner.say_document((plan.out / "report.json").read_text(encoding="utf-8"))
        return
    console.print_precisions(f"{plan.base} -> {plan.out / 'model'}", lines)
    say(about(comparison.intervals(lines)))
    if change := comparison.change_of_old(lines):
        say(f"The old classes {changed_words(change)}.")
    if note := json_.loads((plan.out / "report.json").read_text(encoding="utf-8"))["calibration"]["note"]:
        say(note)
    say(f"The grown model is {plan.out / 'model'}; look at {plan.out / 'report.html'}.")


def _show_gained(plan: Any, lines: Any, plain: Any, json: bool) -> None:
    """What the grown model is better by than the plain fine-tuning of the same images."""
    from tfrec_tools.detector.evaluation.wording import changed_words
    from tfrec_tools.detector.reports import comparison

    if not plan.cluster.is_chief:
        return
    comparison.write_gained(plan.control.out / "gained.json", lines, plain)
    if not json:
        for line, gain in comparison.gained(lines, plain):
            if line.is_mean:
                say(f"Against plain fine-tuning, the {line.name} {changed_words(gain)}.")

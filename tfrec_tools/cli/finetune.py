"""`tfrec finetune`: a model folder and records to a bigger model folder, with the table that proves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from tfrec_tools.cli.exits import Exit
from tfrec_tools.cli.options import Json, command, command_of
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.training.run_notes import Lost, Standing
from tfrec_tools.errors import counted

COMMAND = command_of(FinetuneOptions)


@command(
    "tfrec finetune --base my_model --labels merged.pbtxt --train 'records/new-*' --replay 'records/old-*' "
    "--val 'records/val-*' --out run",
    of_classes=True,
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
    settled = preflight.settled_run(options)
    options = settled.options
    with console.watched(options) as watched:
        checked = preflight.require_finetunable(watched, label_map)
    for note in checked.notes:
        manner.note(note)
    if settled.run is not None:
        manner.note(f"{options.out} {settled.run}")
    if settled.is_finished:
        _judge(_finished(options, json), options.max_forget)
        return
    with console.watched(options) as watched:
        tensorflow.load(watched.progress)
        from tfrec_tools.detector import finetune as story
        from tfrec_tools.detector import plan as planning

        plan = planning.planned(watched, label_map, checked.examples)
        plan = replace(plan, inputs=checked.inputs, say=manner.note)
        if options.dry_run:
            proof = story.dry_run(plan)
    if options.dry_run:
        _show_proof(plan, proof, json)
    else:
        lines = [] if settled.run is Standing.FINISHED else _grown(plan, options, json)
        lost = _loss(lines) if lines else _finished(options, json)
        if options.control and settled.control is not Standing.FINISHED:
            _control(plan, options, lines, json)
        _judge(lost, options.max_forget)


def _grown(plan: Any, options: FinetuneOptions, json: bool) -> Any:
    """Trains, and returns the lines of the table."""
    from tfrec_tools.cli import console
    from tfrec_tools.detector import finetune as story

    with console.watched(options) as watched:
        lines = story.finetune(replace(plan, progress=watched.progress), resume=bool(options.resume))
    _show(plan, lines, json)
    return lines


def _loss(lines: Any) -> Lost:
    from tfrec_tools.detector.reports import comparison

    return comparison.lost(lines)


def _control(plan: Any, options: FinetuneOptions, grown: Any, json: bool) -> None:
    from tfrec_tools.cli import console
    from tfrec_tools.detector import finetune as story

    with console.watched(options) as watched:
        control = replace(plan.control, progress=watched.progress)
        lines = story.finetune(control, resume=bool(options.resume) and control.out.exists())
    if not json:
        _show(control, lines, json)
    if grown:
        _show_gained(plan, grown, lines, json)


def _finished(options: FinetuneOptions, json: bool) -> Lost:
    """Shows what is there of a run, and returns what its old classes lost."""
    from tfrec_tools.cli import manner
    from tfrec_tools.detector.training import run_notes

    report = run_notes.report(options.folder or Path())
    if json:
        manner.say_document(report.read_text(encoding="utf-8"))
    return run_notes.noted_loss(report)


def _show_proof(plan: Any, proof: Any, json: bool) -> None:
    from dataclasses import asdict

    from tfrec_tools.cli import class_tables, console, manner

    if json:
        manner.say_document(asdict(proof))
        return
    rows = [
        (row.id, row.name, "new" if row.base_id is None else f"column {row.base_id} of the base, bit for bit")
        for row in proof.rows
    ]
    title = f"{plan.base} grown to {counted(len(rows), 'class')}"
    places = sorted(range(len(rows)), key=lambda place: proof.rows[place].base_id is not None)
    order = class_tables.Order(places, "new ones before others")
    class_tables.print_classes(title, ("id", "class", "row of the class head"), rows, order)
    groups = [
        (group.name, group.layers, group.parameters, group.trained, _rate(group)) for group in proof.groups
    ]
    console.print_table(
        "Groups of layers", ("group", "layers", "parameters", "trained", "learning rate"), groups
    )
    change = f"change by at most {proof.max_difference:g}"
    say(f"On {counted(proof.images, 'image')} the logits of the old classes {change}.")


def _rate(group: Any) -> str:
    return "frozen" if group.lr is None else f"{group.lr:g}"


def _judge(lost: Lost, max_forget: float | None) -> None:
    from tfrec_tools.cli import manner

    if max_forget is None:
        return
    if lost.points is None:
        manner.note("warning: --max-forget judges nothing: no old class is labelled, and the base found none")
    elif lost.points > max_forget:
        words = f"lost {lost.points:g} points of {lost.of}, more than {max_forget:g}"
        if lost.points < 0:
            words = f"gained {-lost.points:g} points of {lost.of}, less than {-max_forget:g}"
        say(f"tfrec: the old classes {words}", err=True)
        raise typer.Exit(Exit.FORGOTTEN)


def _show(plan: Any, lines: Any, json: bool) -> None:
    import json as json_

    from tfrec_tools.cli import manner, score_tables
    from tfrec_tools.detector.evaluation.wording import about, changed_words
    from tfrec_tools.detector.reports import comparison

    if not plan.cluster.is_chief:
        return
    if json:
        manner.say_document((plan.out / "report.json").read_text(encoding="utf-8"))
        return
    agreement = comparison.has_agreement_alone(lines)
    score_tables.print_precisions(f"{plan.base} -> {plan.out / 'model'}", lines, agreement=agreement)
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

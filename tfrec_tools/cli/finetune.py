"""`tfrec finetune`: a model folder and records to a bigger model folder, with the table that proves it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Freeze(StrEnum):
    """Which variables are not trained."""

    backbone = "backbone"
    none = "none"


def finetune(
    base: Annotated[
        Path,
        typer.Option(help="Model folder: pipeline.config, label_map.pbtxt, checkpoint/.", show_default=False),
    ],
    labels: Annotated[
        Path, typer.Option(help="Label map of the grown model: whatever merge-labels reads, as it writes it.")
    ],
    train: Annotated[
        list[str], typer.Option(help="Records of the new pictures: 'DIR/NAME-*'; may be repeated.")
    ],
    val: Annotated[
        list[str], typer.Option(help="Records to measure with, before and after; may be repeated.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run; the grown model comes to OUT/model.")],
    replay: Annotated[
        list[str] | None, typer.Option(help="Records of old pictures to mix in; may be repeated.")
    ] = None,
    replay_ratio: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of each batch that is replayed.")
    ] = 0.5,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 400,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 8,
    lr: Annotated[
        float,
        typer.Option(
            min=0.0, help="Learning rate at its peak: a tenth of the steps up to it, then a cosine to 0."
        ),
    ] = 0.02,
    backbone_lr_mult: Annotated[
        float, typer.Option(min=0.0, help="Learning rate of the backbone, as a multiple of --lr.")
    ] = 0.1,
    freeze: Annotated[Freeze, typer.Option(help="What is not trained at all.")] = Freeze.none,
    train_batch_norm: Annotated[
        bool,
        typer.Option(
            "--train-batch-norm",
            help="Let batch norm follow the new pictures. Default: its statistics are frozen.",
        ),
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(
            help="The tables of the merge: a class that it renamed keeps its row. Default: "
            "NAME.id_tables.json beside --labels, if there."
        ),
    ] = None,
    drop_classes: Annotated[
        bool, typer.Option("--drop-classes", help="Drop classes of the base that --labels lacks.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the new rows, the order and the augmentation.")] = 0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Grow only: print the classes, prove that old logits are unchanged."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out that was stopped.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print report.json instead of a table.")] = False,
) -> None:
    """Grow a detector by the classes that --labels adds, and train it without forgetting the old ones.

    The class head gets a column a class; the columns of classes that the base knows are carried over bit
    for bit, by name or as the merge renamed them. A picture is never taught that a class which it was not
    annotated for is background.
    """
    from tfrec_tools.cli.tensorflow import load

    load()
    from tfrec_tools.detector import finetune as story
    from tfrec_tools.detector.train import TrainConfig
    from tfrec_tools.label_sources import read_map
    from tfrec_tools.merging.tables import find_tables

    config = TrainConfig(
        steps=steps,
        batch_size=batch,
        lr=lr,
        backbone_lr_mult=backbone_lr_mult,
        freeze_backbone=freeze is Freeze.backbone,
        train_batch_norm=train_batch_norm,
        replay_ratio=replay_ratio,
        seed=seed,
    )
    label_map = read_map(labels)
    plan = story.Finetuning(
        base=base,
        labels=label_map,
        train=tuple(train),
        replay=tuple(replay or ()),
        val=tuple(val),
        out=out,
        drop_classes=drop_classes,
        config=config,
        tables=find_tables(table, labels, label_map),
    )
    if dry_run:
        _dry_run(plan, json)
    else:
        _finetune(plan, resume, json)


def _dry_run(plan: Any, json: bool) -> None:
    import json as json_
    from dataclasses import asdict

    from tfrec_tools.cli import show
    from tfrec_tools.detector import finetune as story

    proof = story.dry_run(plan, show.progress)
    if json:
        typer.echo(json_.dumps(asdict(proof), indent=2))
        return
    rows = [
        (row.id, row.name, "new" if row.base_id is None else f"column {row.base_id} of the base, bit for bit")
        for row in proof.rows
    ]
    show.print_table(
        f"{plan.base} grown to {len(rows)} classes", ("id", "class", "row of the class head"), rows
    )
    change = f"change by at most {proof.max_difference:g}"
    typer.echo(f"On {proof.pictures} pictures the logits of the old classes {change}.")


def _finetune(plan: Any, resume: bool, json: bool) -> None:
    from tfrec_tools.cli import show
    from tfrec_tools.detector import finetune as story

    lines = story.finetune(plan, show.progress, resume=resume)
    if json:
        typer.echo((plan.out / "report.json").read_text(encoding="utf-8"), nl=False)
        return
    show.print_precisions(f"{plan.base} -> {plan.out / 'model'}", lines)
    typer.echo(f"The grown model is {plan.out / 'model'}; look at {plan.out / 'detections.png'}.")

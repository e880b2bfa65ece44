"""`tfrec finetune`: a model folder and records to a bigger model folder, with the table that proves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli.finetune_given import (
    Cache,
    Distill,
    Freeze,
    Precision,
    Strategy,
    augmentations,
    batch_size,
    seconds,
)
from tfrec_tools.cli.model_given import MEANS
from tfrec_tools.cli.run_options import of_the_run, use_config


def finetune(
    context: typer.Context,
    base: Annotated[
        str,
        typer.Option(
            help=f"{MEANS} With --pipeline: weights of a MobileNetV2 or ResNet of keras.applications, "
            "without top, or imagenet.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        Path, typer.Option(help="Label map of the grown model: whatever merge-labels reads, as it writes it.")
    ],
    train: Annotated[
        list[str], typer.Option(help="Records of the new pictures: 'DIR/NAME-*'; may be repeated.")
    ],
    val: Annotated[
        list[str],
        typer.Option(help="Records to choose by, and to measure with before and after; may be repeated."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run; the grown model comes to OUT/model. Default: runs/finetune-1, -2 ..."
        ),
    ] = None,
    config: Annotated[  # noqa: ARG001  (read before the others)
        Path | None,
        typer.Option(
            callback=use_config,
            is_eager=True,
            help="TOML file of options, such as the run.toml of a run; the command line wins.",
        ),
    ] = None,
    pipeline: Annotated[
        Path | None,
        typer.Option(help="The pipeline.config of a detector to make anew, where --base knows no boxes."),
    ] = None,
    replay: Annotated[
        list[str] | None, typer.Option(help="Records of old pictures to mix in; may be repeated.")
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(help="Records to measure with instead, which nothing is chosen by; may be repeated."),
    ] = None,
    replay_budget: Annotated[
        str,
        typer.Option(help="Old pictures to replay, some of each class: a number, or a share such as 10%."),
    ] = "100%",
    replay_ratio: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of each batch that is replayed.")
    ] = 0.5,
    pseudo_labels: Annotated[
        str,
        typer.Option(
            help="auto: the base labels its classes on the new pictures, in OUT/pseudo_labels. Or off, or "
            "records of these pictures that are so labelled."
        ),
    ] = "auto",
    distill: Annotated[
        Distill, typer.Option(help="Hold answers to the base's where it is sure.")
    ] = Distill.on,
    interpolate: Annotated[
        str,
        typer.Option(
            help="How much of the training to keep, 0 to 1, the rest being the base. auto: the best by "
            "--val; or off."
        ),
    ] = "auto",
    average: Annotated[
        float,
        typer.Option(min=0.0, max=0.9999, help="How slowly the average of the weights follows; 0: none."),
    ] = 0.98,
    max_forget: Annotated[
        float | None,
        typer.Option(help="End with exit code 3 where the old classes lost more points of mean AP50."),
    ] = None,
    control: Annotated[
        bool,
        typer.Option("--control", help="Also fine-tune plainly, in OUT/control, to see what is gained."),
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 400,
    batch: Annotated[
        str, typer.Option(help="Pictures a step. auto: as many as fit the memory of a GPU; 8 on a CPU.")
    ] = "8",
    lr: Annotated[
        float,
        typer.Option(
            min=0.0, help="Learning rate at its peak: a tenth of the steps up to it, then a cosine to 0."
        ),
    ] = 0.02,
    backbone_lr_mult: Annotated[
        float, typer.Option(min=0.0, help="Learning rate of the backbone, as a multiple of --lr.")
    ] = 0.1,
    freeze: Annotated[
        Freeze, typer.Option(help="What is not trained at all. auto: the backbone, below 50 new pictures.")
    ] = Freeze.auto,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="How training pictures are varied: some of flip, vertical-flip, rotate90, crop, color, with "
            "commas between them; or off. Default: as the base's pipeline.config says, flip,crop where that "
            "says nothing; no flip where it would make a class called left into one called right.",
        ),
    ] = None,
    train_batch_norm: Annotated[
        bool,
        typer.Option(
            "--train-batch-norm",
            help="Let batch norm follow the new pictures. Default: its statistics are frozen.",
        ),
    ] = False,
    eval_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps between measurements on --val, of which the best model is kept. Default: none; with "
            "--patience a tenth of the steps.",
        ),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="End after so many measurements without a better one.")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(metavar="10m", help="End training after this time: 90s, 10m, 1h30m.")
    ] = None,
    cache: Annotated[
        Cache,
        typer.Option(help="Keep decoded pictures in memory, or in a folder below $TMPDIR."),
    ] = Cache.off,
    strategy: Annotated[
        Strategy,
        typer.Option(
            help="Train on one device, on all GPUs of this host, or on all workers of TF_CONFIG. auto: what "
            "there is."
        ),
    ] = Strategy.auto,
    precision: Annotated[
        Precision,
        typer.Option(
            help="What layers compute with; weights and losses are always float32. auto: float32 on a CPU, "
            "bfloat16 on GPUs from compute capability 8.0 on, float16 from 7.0 on."
        ),
    ] = Precision.auto,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Take each batch in so many parts, for less memory.")
    ] = 1,
    jit: Annotated[bool, typer.Option("--jit", help="Compile losses and gradients by XLA.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write the curves to OUT/tensorboard.")
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
        bool, typer.Option("--resume", help="Go on with the run in --out, or else the last numbered one.")
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
    from tfrec_tools.cli import show
    from tfrec_tools.detector import finetune as story
    from tfrec_tools.detector.model.zoo import model_folder
    from tfrec_tools.detector.retention.retention import Memory
    from tfrec_tools.detector.training.distribution import ALONE, open_cluster
    from tfrec_tools.detector.training.logbook import numbered_run
    from tfrec_tools.detector.training.precision import chosen
    from tfrec_tools.detector.training.settings import TrainConfig
    from tfrec_tools.detector.training.validation import Watch
    from tfrec_tools.formats.classes import read_map
    from tfrec_tools.labels.id_tables import find_tables

    cluster = ALONE if dry_run else open_cluster(strategy.value)
    how = TrainConfig(
        steps=steps,
        batch_size=batch_size(batch),
        lr=lr,
        backbone_lr_mult=backbone_lr_mult,
        freeze_backbone=freeze is Freeze.backbone,
        train_batch_norm=train_batch_norm,
        replay_ratio=replay_ratio,
        average=average,
        seed=seed,
        augment=augmentations(augment),
        cache=cache.value,
        precision=chosen(precision.value),
        jit=jit,
        accumulate=accumulate,
    )
    every = eval_every or (max(1, steps // 10) if patience else None)
    watch = Watch(every, patience, seconds(time_budget))
    label_map = read_map(labels)
    plan = story.Finetuning(
        base=Path(base) if pipeline else model_folder(base),
        labels=label_map,
        train=tuple(train),
        replay=tuple(replay or ()),
        val=tuple(val),
        test=tuple(test or ()),
        out=out or numbered_run(Path("runs"), resume=resume),
        drop_classes=drop_classes,
        memory=Memory(pseudo_labels, distill.value, interpolate, replay_budget),
        masked=True,
        freeze_few=freeze is Freeze.auto,
        config=how,
        pipeline=pipeline,
        tables=find_tables(table, labels, label_map),
        watch=watch,
        tensorboard=tensorboard,
        cluster=cluster,
        options=of_the_run(context),
    )
    if dry_run:
        _dry_run(plan, json)
        return
    lines = story.finetune(plan, show.progress, resume=resume)
    _show(plan, lines, json)
    if control:
        plain = story.finetune(plan.control, show.progress, resume=resume and plan.control.out.exists())
        if not json:
            _show(plan.control, plain, json)
    _judge(lines, max_forget)


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


def _judge(lines: Any, max_forget: float | None) -> None:
    from tfrec_tools.detector.reports import comparison

    lost = comparison.forgetting(lines)
    if max_forget is not None and lost is not None and lost > max_forget:
        typer.echo(f"tfrec: the old classes lost {lost:g} points of AP50, more than {max_forget:g}", err=True)
        raise typer.Exit(3)


def _show(plan: Any, lines: Any, json: bool) -> None:
    from tfrec_tools.cli import show

    if not plan.cluster.is_chief:
        return
    if json:
        typer.echo((plan.out / "report.json").read_text(encoding="utf-8"), nl=False)
        return
    show.print_precisions(f"{plan.base} -> {plan.out / 'model'}", lines)
    typer.echo(f"The grown model is {plan.out / 'model'}; look at {plan.out / 'report.html'}.")

"""`tfrec config`: a TFOD pipeline.config for other classes, records and weights."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class CheckpointType(StrEnum):
    """What TFOD restores: all, all but the heads, or the backbone alone."""

    full = "full"
    detection = "detection"
    classification = "classification"


def config(
    source: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A pipeline.config, or a model folder that has one.")
    ],
    labels: Annotated[Path, typer.Option(help="Label map (.pbtxt) with the classes of the new model.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    train: Annotated[str | None, typer.Option(help="Records to train with: 'DIR/NAME-*'.")] = None,
    val: Annotated[str | None, typer.Option(help="Records to evaluate with: 'DIR/NAME-*'.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Weights to start from: MODEL/checkpoint/ckpt-0.")
    ] = None,
    checkpoint_type: Annotated[
        CheckpointType, typer.Option(help="What TFOD restores of --checkpoint.")
    ] = CheckpointType.full,
    batch: Annotated[int | None, typer.Option(min=1, help="Pictures a step.")] = None,
) -> None:
    """Rewrite a TFOD pipeline.config for other classes and records; every other line stays as it is.

    Works for every family of TFOD, also those that finetune does not open.
    """
    from tfrec_tools.detector.config import rewrite, textproto
    from tfrec_tools.errors import InputError
    from tfrec_tools.labels.pbtxt import read_label_map
    from tfrec_tools.system.atomic import published

    path = source / "pipeline.config" if source.is_dir() else source
    text = _read(path)
    num_classes = max(read_label_map(labels).name_by_id)
    changes = rewrite.Changes(num_classes, str(labels), train, val, checkpoint, checkpoint_type.value, batch)
    try:
        missing = rewrite.lacking(text, changes)
        rewritten = rewrite.rewrite_pipeline(text, changes)
    except textproto.TextError as fault:
        raise InputError(path, f"not a pipeline.config ({fault})", where=f"line {fault.line}") from fault
    if missing:
        raise InputError(path, f"has no {', '.join(missing)}; expected a whole pipeline.config")
    out.parent.mkdir(parents=True, exist_ok=True)
    with published(out) as (part,):
        part.write_text(rewritten, encoding="utf-8")
    typer.echo(f"{out}: {num_classes} classes, label map {labels}")


def _read(path: Path) -> str:
    from tfrec_tools.errors import InputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as a pipeline.config ({fault})") from fault

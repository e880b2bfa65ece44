"""`tfrec export`: a model for others to run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tfrec_tools.cli.model_given import Model


class To(StrEnum):
    """The keys of exporting.FORMATS."""

    saved_model = "saved_model"
    tflite = "tflite"
    tflite_int8 = "tflite-int8"
    onnx = "onnx"
    checkpoint = "checkpoint"


def export(
    model: Model,
    to: Annotated[To, typer.Option(help="The format.", show_default=False)],
    out: Annotated[Path, typer.Option(help="New folder for the exported model.", show_default=False)],
    records: Annotated[
        list[str] | None,
        typer.Option(
            help="Records with pictures like those that the model will see: tflite-int8 is calibrated with "
            "100 of them, every format is compared on the first. May be repeated."
        ),
    ] = None,
) -> None:
    """Write a model as a SavedModel with TFOD's signature, as TFLite, ONNX or TFOD's checkpoint.

    What was written is run beside the original on a picture; where they do not agree, nothing is left.
    """
    from tfrec_tools.cli import tensorflow

    tensorflow.load()
    from tfrec_tools.detector.export import export as story
    from tfrec_tools.detector.model.zoo import model_folder

    plan = story.Export(model_folder(model), to.value, out, tuple(records or ()))
    with tensorflow.quiet():
        found = story.export_model(plan)
    typer.echo(f"{out}: {to.value}")
    typer.echo(
        f"Beside the original, scores differ by at most {found.raw_scores:.2g} (mean {found.raw_mean:.2g}) "
        f"and boxes by at most {found.raw_boxes:.2g} of the picture; of the best {found.compared} detections "
        f"{found.compared - found.lost} are the same."
    )

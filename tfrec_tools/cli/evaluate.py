"""`tfrec evaluate`: how good a model is on annotated records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli.model_given import Batch, Model


def evaluate(
    model: Model,
    records: Annotated[
        list[str], typer.Option(help="Annotated records: 'DIR/NAME-*'; may be repeated.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="New folder for metrics.json and the charts.", show_default=False)
    ] = None,
    score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Lowest score that counts in the confusion matrix. Default: of each class that at which its "
            "F1 is best.",
            show_default=False,
        ),
    ] = None,
    batch: Batch = 8,
    voc07: Annotated[
        bool, typer.Option("--voc07", help="Also Pascal VOC 2007's 11-point AP50, to compare with papers.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print metrics.json instead of tables.")] = False,
) -> None:
    """Measure a detector by COCO's average precisions, per class and by size of box.

    Crowds and difficult objects are neither to be found nor mistakes; a picture says nothing of a class that
    it was not annotated for.
    """
    from tfrec_tools.cli.tensorflow import load

    load()
    from tfrec_tools.cli import show
    from tfrec_tools.detector.evaluation import evaluate as story
    from tfrec_tools.detector.model.zoo import model_folder

    plan = story.Evaluation(model_folder(model), tuple(records), out, batch, score, voc07)
    metrics = story.evaluate_model(plan, show.progress)
    if json:
        typer.echo(story.format_document(plan, metrics), nl=False)
        return
    _print(plan, metrics)


def _print(plan: Any, metrics: Any) -> None:
    from tfrec_tools.cli import show

    columns = ("ap", "ap50", "ap75", "small", "medium", "large")
    headers = ["class", "boxes", *("AP", "AP50", "AP75", "AP small", "AP medium", "AP large")]
    rows = [
        [one.name, one.boxes, *(show.points(getattr(one.scores, key)) for key in columns)]
        for one in metrics.classes
    ]
    headers += ["score", "precision", "recall"]
    rows = [[*row, *_best(one.best)] for row, one in zip(rows, metrics.classes, strict=True)]
    rows.append(
        ["all", metrics.boxes, *(show.points(getattr(metrics.overall, key)) for key in columns), *_best(None)]
    )
    if plan.voc07:
        headers.append("VOC07 AP50")
        values = [*(one.voc07 for one in metrics.classes), metrics.voc07]
        rows = [[*row, show.points(value)] for row, value in zip(rows, values, strict=True)]
    show.print_table(f"{plan.model} on {metrics.pictures} pictures, in points of 100", headers, rows)
    if plan.out is not None:
        typer.echo(f"Curves and confusion: {plan.out}")


def _best(point: Any) -> tuple[str, ...]:
    """Score, and precision and recall from it on."""
    from tfrec_tools.cli import show

    if point is None:
        return ("", "", "")
    return f"{point.score:.2f}", show.points(point.precision), show.points(point.recall)

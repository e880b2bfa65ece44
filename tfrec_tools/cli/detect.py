"""`tfrec detect`: a model looks at pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tfrec_tools.cli.model_given import Batch, Model


def detect(
    pictures: Annotated[
        list[str],
        typer.Argument(help="Pictures, folders of them, or records: files, DIR/NAME, 'DIR/NAME-*'."),
    ],
    model: Model,
    out: Annotated[Path, typer.Option(help="New folder for pictures/, detections.json and detections.csv.")],
    score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Lowest score that is drawn and listed. Default: of each class that in the model folder's "
            "scores.json, which finetune writes, else 0.5.",
            show_default=False,
        ),
    ] = None,
    batch: Batch = 8,
) -> None:
    """Find objects in pictures: boxes drawn, and listed as COCO's results (JSON) and as CSV.

    Pictures that TensorFlow cannot decode are transcoded as convert does, and like there EXIF orientation is
    ignored. A damaged picture is passed over, told of, and makes exit code 1.
    """
    from tfrec_tools.cli.tensorflow import load

    load()
    from tfrec_tools.cli import show
    from tfrec_tools.detector.inference import detect as story
    from tfrec_tools.detector.model.zoo import model_folder

    plan = story.Detection(model_folder(model), tuple(pictures), out, batch, score)
    summary = story.detect_pictures(plan, show.progress)
    title = f"{sum(summary.boxes.values())} boxes in {summary.pictures} pictures: {out}"
    rows = [(name, count, f"{summary.scores[name]:.2f}") for name, count in summary.boxes.most_common()]
    if rows:
        show.print_table(title, ("class", "boxes", "scores from"), rows)
    else:
        typer.echo(title)
    _tell_issues(summary)


def _tell_issues(summary: Any) -> None:
    from tfrec_tools.errors import TfrecError

    for issue in summary.issues:
        if issue not in summary.damaged:
            typer.echo(f"{issue.code}: {issue.message}", err=True)
    if summary.damaged:
        listed = "; ".join(issue.message for issue in summary.damaged[:5])
        raise TfrecError(
            f"{len(summary.damaged)} damaged picture(s) were passed over: {listed}"
            + ("; ..." if summary.damaged[5:] else "")
        )

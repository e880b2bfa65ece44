"""`tfrec evaluate`: how good a model is on annotated records."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.models import EvaluateOptions
from tfrec_tools.errors import counted


@command("tfrec evaluate --model run/model --records 'records/val-*' --out measured")
def evaluate(options: EvaluateOptions, json: Json = False) -> None:
    """Measure a detector by COCO's average precisions, per class and by size of box.

    Crowds and difficult objects are neither to be found nor mistakes; an image says nothing of a class that
    it was not annotated for.
    """
    from tfrec_tools.cli import console, manner, tensorflow
    from tfrec_tools.detector import preflight

    preflight.require_records(options.patterns)
    for note in preflight.model_notes(options.model, options.label_map):
        manner.note(note)
    tensorflow.load()
    from tfrec_tools.detector.evaluation import evaluate as story

    with console.watched(options) as watched:
        metrics = story.evaluate_model(watched, manner.note)
    if json:
        manner.say_document(story.format_document(options, metrics))
        return
    _print(options, metrics)


def _print(options: EvaluateOptions, metrics: Any) -> None:
    from tfrec_tools.cli import console
    from tfrec_tools.cli.console import points
    from tfrec_tools.detector.evaluation.wording import about

    headers = ["class", "boxes", *("AP", "AP50", "AP75", "AP small", "AP medium", "AP large")]
    rows = [[item.name, item.boxes, *_cells(item.scores)] for item in metrics.classes]
    headers += ["score", "precision", "recall"]
    rows = [[*row, *_best(item.best)] for row, item in zip(rows, metrics.classes, strict=True)]
    rows.append(["all", metrics.boxes, *_cells(metrics.overall), *_best(None)])
    if options.voc07:
        headers.append("VOC07 AP50")
        values = [*(item.voc07 for item in metrics.classes), metrics.voc07]
        rows = [[*row, points(value)] for row, value in zip(rows, values, strict=True)]
    console.print_table(
        f"{options.model} on {counted(metrics.images, 'image')}, in points of 100", headers, rows
    )
    say(about(metrics.overall.intervals.values()))
    if options.out is not None:
        say(f"Curves and confusion: {options.out}")


def _cells(scores: Any) -> list[str]:
    """Of the columns of scores; there is room for two intervals, metrics.json has those of all."""
    from tfrec_tools.cli.console import points
    from tfrec_tools.detector.evaluation.wording import scored

    with_interval = [
        scored(getattr(scores, key), scores.intervals.get(key), stacked=True) or "-" for key in ("ap", "ap50")
    ]
    return [*with_interval, *(points(getattr(scores, key)) for key in ("ap75", "small", "medium", "large"))]


def _best(point: Any) -> tuple[str, ...]:
    """Score, and precision and recall from it on."""
    from tfrec_tools.cli.console import points

    if point is None:
        return ("", "", "")
    return f"{point.score:.2f}", points(point.precision), points(point.recall)

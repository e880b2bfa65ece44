"""`tfrec evaluate`: how good a model is on annotated records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.models import EvaluateOptions
from tfrec_tools.errors import counted


@command("tfrec evaluate --model run/model --records 'records/val-*' --out measured", of_classes=True)
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
    with console.watched(options) as watched:
        tensorflow.load(watched.progress)
        from tfrec_tools.detector.evaluation import evaluate as story

        metrics = story.evaluate_model(watched, manner.note)
    if json:
        manner.say_document(story.format_document(options, metrics))
        return
    _print(options, metrics)


def _print(options: EvaluateOptions, metrics: Any) -> None:
    from tfrec_tools.cli import console
    from tfrec_tools.detector.evaluation.wording import about

    title = f"{options.model} on {counted(metrics.images, 'image')}, in points of 100"
    scores, best = _scores(metrics), _best(options, metrics)
    if console.is_narrow():
        _print_classes(title, metrics, scores)
        _print_classes("Scores from which on F1 is best, at IoU 0.5", metrics, best)
    else:
        both = zip(scores, (row[1:] for row in best), strict=True)
        _print_classes(title, metrics, [(*row, *more) for row, more in both])
    say(about(metrics.overall.intervals.values()))
    if options.out is not None:
        say(f"Curves and confusion: {options.out}")


def _print_classes(title: str, metrics: Any, table: Sequence[Sequence[object]]) -> None:
    """Prints a table whose first row are the headers and whose last is that of all classes; where classes are
    many, those with the lowest AP."""
    from tfrec_tools.cli import class_tables

    headers, *rows, of_all = table
    places = class_tables.least_first([item.scores.ap for item in metrics.classes])
    order = class_tables.Order(places, "those with the lowest AP")
    class_tables.print_classes(title, list(map(str, headers)), rows, order, last=[of_all])


def _scores(metrics: Any) -> list[tuple[object, ...]]:
    """Returns headers, a row a class, and that of all; there is room for two intervals, metrics.json has
    those of all."""
    return [
        ("class", "boxes", "AP", "AP50", "AP75", "AP small", "AP medium", "AP large"),
        *((item.name, item.boxes, *_cells(item.scores)) for item in metrics.classes),
        ("all", metrics.boxes, *_cells(metrics.overall)),
    ]


def _cells(scores: Any) -> list[str]:
    from tfrec_tools.cli.score_tables import points
    from tfrec_tools.detector.evaluation.wording import scored

    with_interval = [
        scored(getattr(scores, key), scores.intervals.get(key), stacked=True) or "-" for key in ("ap", "ap50")
    ]
    return [*with_interval, *(points(getattr(scores, key)) for key in ("ap75", "small", "medium", "large"))]


def _best(options: EvaluateOptions, metrics: Any) -> list[tuple[object, ...]]:
    """Returns headers, a row a class, and that of all: the score, and precision and recall from it on."""
    from tfrec_tools.cli.score_tables import points

    def row(name: str, point: Any, voc07: float | None) -> tuple[object, ...]:
        cells = ("", "", "")
        if point is not None:
            cells = (f"{point.score:.2f}", points(point.precision), points(point.recall))
        return (name, *cells, *((points(voc07),) if options.voc07 else ()))

    return [
        ("class", "score", "precision", "recall", *(("VOC07 AP50",) if options.voc07 else ())),
        *(row(item.name, item.best, item.voc07) for item in metrics.classes),
        row("all", None, metrics.voc07),
    ]

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
    from tfrec_tools.system.atomic import require_free

    if options.folder is not None:
        require_free(options.folder)
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
    scores, by_size, best = _scores(metrics), _by_size(metrics), _best(options, metrics)
    if console.is_narrow():
        _print_classes(title, metrics, [scores])
        _print_classes("By size of box, and the score from which on F1 is best", metrics, [by_size, best])
    else:
        _print_classes(title, metrics, [scores, by_size, best])
    say(about(metrics.overall.intervals.values()))
    if options.out is not None:
        say(f"Curves and confusion: {options.out}")


_Columns = Sequence[Sequence[object]]  # a row of headers, one a class, and that of all


def _print_classes(title: str, metrics: Any, parts: Sequence[_Columns]) -> None:
    """Prints a table of classes; where they are many, those with the lowest AP."""
    from itertools import chain

    from tfrec_tools.cli import class_tables

    names = ("class", *(item.name for item in metrics.classes), "all")
    headers, *rows, of_all = [(name, *chain(*cells)) for name, *cells in zip(names, *parts, strict=True)]
    places = class_tables.least_first([item.scores.ap for item in metrics.classes])
    order = class_tables.Order(places, "those with the lowest AP")
    class_tables.print_classes(title, list(map(str, headers)), rows, order, last=[of_all])


def _scores(metrics: Any) -> _Columns:
    """There is room for two intervals, metrics.json has those of all."""
    return [
        ("boxes", "AP", "AP50", "AP75"),
        *((item.boxes, *_with_intervals(item.scores)) for item in metrics.classes),
        (metrics.boxes, *_with_intervals(metrics.overall)),
    ]


def _with_intervals(scores: Any) -> list[str]:
    from tfrec_tools.cli.score_tables import points
    from tfrec_tools.detector.evaluation.wording import scored

    with_interval = [
        scored(getattr(scores, key), scores.intervals.get(key), stacked=True) or "-" for key in ("ap", "ap50")
    ]
    return [*with_interval, points(scores.ap75)]


def _by_size(metrics: Any) -> _Columns:
    from tfrec_tools.cli.score_tables import points

    of_each = [item.scores for item in metrics.classes] + [metrics.overall]
    cells = [[points(value) for value in (scores.small, scores.medium, scores.large)] for scores in of_each]
    return [("AP small", "AP medium", "AP large"), *cells]


def _best(options: EvaluateOptions, metrics: Any) -> _Columns:
    """The score, and precision and recall from it on."""
    from tfrec_tools.cli.score_tables import points

    def row(point: Any, voc07: float | None) -> tuple[object, ...]:
        cells = ("", "", "")
        if point is not None:
            cells = (f"{point.score:.2f}", points(point.precision), points(point.recall))
        return (*cells, *((points(voc07),) if options.voc07 else ()))

    return [
        ("score", "precision", "recall", *(("VOC07 AP50",) if options.voc07 else ())),
        *(row(item.best, item.voc07) for item in metrics.classes),
        row(None, metrics.voc07),
    ]

"""`tfrec compare`: two models side by side on the same annotated records."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.comparing import CompareOptions


@command("tfrec compare base run/model --records 'records/val-*' --out compare.html")
def compare(options: CompareOptions, json: Json = False) -> None:
    """Hold two models against each other: which boxes B lost and won, and its false alarms, class by class.

    Each model counts from its own scores on, at IoU 0.5. The page shows the images, worst mistakes first.
    """
    from tfrec_tools.cli import console, manner, tensorflow
    from tfrec_tools.detector import preflight

    preflight.require_records(options.patterns)
    page = options.page
    for model, labels, flag in options.models:
        for note in preflight.model_notes(model, labels, flag):
            manner.note(note)
    tensorflow.load()
    from tfrec_tools.detector.comparing import compare_models

    with console.watched(options) as watched:
        result, shown = compare_models(watched)
    if json:
        manner.say_document(_document(options, result, shown))
        return
    _print(result)
    if page is not None:
        of_total = (
            f" of {len(result.examples):,}, worst mistakes first" if shown < len(result.examples) else ""
        )
        say(f"{page}: {shown:,}{of_total} images")


def _print(result: Any) -> None:
    from tfrec_tools.cli import console
    from tfrec_tools.detector.reports import side_by_side

    table = side_by_side.numbers(result)
    console.print_table("A and B, AP50 in points of 100", table.headers, [row.cells for row in table.rows])
    say(side_by_side.summary(result))


def _document(options: CompareOptions, result: Any, shown: int) -> dict[str, Any]:
    return {
        "a": result.first.name,
        "b": result.second.name,
        "records": options.patterns,
        "images": len(result.examples),
        "out": None if options.out is None else str(options.out),
        "shown": shown,
        "left_out": result.left_out,
        "classes": [_class(line) for line in result.lines],
        "shared": None if result.shared is None else _class(result.shared),
    }


def _class(line: Any) -> dict[str, Any]:
    from tfrec_tools.detector.evaluation.fates import KINDS
    from tfrec_tools.detector.reports.comparison import difference_document, precision_document

    counts = {kind: line.counts.get(kind, 0) for kind in KINDS}
    first, second = (side and precision_document(side) for side in (line.first, line.second))
    score_a, score_b = line.scores
    return {
        "name": line.name,
        "boxes": line.boxes,
        "counts": counts | ({"lost": None} if line.is_won_alone else {}),
        "a": first,
        "b": second,
        "change": line.change and difference_document(line.change),
        "score_a": score_a,
        "score_b": score_b,
    }

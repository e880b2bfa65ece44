"""`tfrec compare`: two models side by side on the same annotated records, or two sets of records."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say
from tfrec_tools.detector.options.comparing import CompareOptions


@command("tfrec compare base run/model --records 'records/val-*' --out compare.html", of_classes=True)
def compare(options: CompareOptions, json: Json = False) -> None:
    """Hold two models against each other: which boxes B lost and won, and its false alarms, class by class.

    Each model counts from its own scores on, at IoU 0.5. The page shows the images, worst mistakes first.

    Without --records, A and B are sets of records: which images and boxes were added, removed and changed.
    """
    if options.is_of_sets:
        _compare_sets(options, json)
    else:
        _compare_models(options, json)


def _compare_models(options: CompareOptions, json: bool) -> None:
    from tfrec_tools.cli import console, manner, tensorflow
    from tfrec_tools.detector import preflight

    preflight.require_records(options.patterns)
    page = options.page
    for model, labels, flag in options.models:
        for note in preflight.model_notes(model, labels, flag):
            manner.note(note)
    with console.watched(options) as watched:
        tensorflow.load(watched.progress)
        from tfrec_tools.detector.comparing import compare_models

        result, shown = compare_models(watched)
    if json:
        manner.say_document(_document(options, result, shown))
        return
    _print(result)
    if page is not None:
        say(f"{page}: {shown:,} of {len(result.examples):,} images, worst mistakes first")


def _compare_sets(options: CompareOptions, json: bool) -> None:
    """Of records, without TensorFlow."""
    from tfrec_tools.cli import console, manner
    from tfrec_tools.set_comparison import sets
    from tfrec_tools.system.remote_path import spelled

    page = options.page
    with console.watched(options) as watched:
        result = sets.compare_sets(spelled(options.a), spelled(options.b), watched.progress)
        shown = 0
        if page is not None:
            shown = sets.write_page(page, result, options.count, watched.progress)
    if json:
        manner.say_document(_document_of_sets(options, result, shown))
        return
    _print_sets(sets.numbers(result))
    say(sets.summary(result))
    if page is not None:
        say(f"{page}: {shown:,} of {len(result.pairs):,} images, most differences first")


def _print_sets(table: Any) -> None:
    """Where classes are many, those that differ most."""
    from tfrec_tools.cli import class_tables
    from tfrec_tools.set_comparison.changes import KINDS

    classes, means = (
        [row.cells for row in table.rows if row.is_mean == is_mean] for is_mean in (False, True)
    )
    differing = [table.headers.index(kind) for kind in KINDS if kind != "same"]
    places = class_tables.most_first([sum(int(cells[i]) for i in differing) for cells in classes])
    order = class_tables.Order(places, "those with most changes")
    class_tables.print_classes("A and B", table.headers, classes, order, last=means)


def _document_of_sets(options: CompareOptions, result: Any, shown: int) -> dict[str, Any]:
    from tfrec_tools.set_comparison.changes import KINDS

    a, b = result.boxes()
    return {
        "a": result.a,
        "b": result.b,
        "both": len(result.pairs) - result.only_a - result.only_b,
        "other_bytes": result.other_bytes,
        "only_a": result.only_a,
        "only_b": result.only_b,
        "out": None if options.out is None else str(options.out),
        "shown": shown,
        "classes": [
            {"name": name, "a": a[name], "b": b[name], "counts": {kind: counts[kind] for kind in KINDS}}
            for name, counts in result.counts().items()
        ],
    }


def _print(result: Any) -> None:
    """Two tables, which fit a terminal; where classes are many, those that lost most."""
    from tfrec_tools.cli import class_tables, console
    from tfrec_tools.cli.score_tables import stacked
    from tfrec_tools.detector.reports import side_by_side

    table = side_by_side.numbers(result)
    at = table.headers.index(side_by_side.FIRST_SCORE)
    classes, means = (
        [row.cells for row in table.rows if row.is_mean == is_mean] for is_mean in (False, True)
    )
    mistakes = [table.headers.index(name) for name in ("lost", "new alarms")]
    places = class_tables.most_first([sum(int(cells[i] or 0) for i in mistakes) for cells in classes])
    order = class_tables.Order(places, "those in which B makes most new mistakes")
    for title, columns in (
        ("Boxes and false alarms of A and B", range(at)),
        (
            "AP50 in points of 100, and the scores from which on they count",
            (0, *range(at, len(table.headers))),
        ),
    ):
        shaped = stacked if console.is_narrow() else str
        headers = [table.headers[i] for i in columns]
        rows, last = ([[shaped(cells[i]) for i in columns] for cells in some] for some in (classes, means))
        class_tables.print_classes(title, headers, rows, order, last=last)
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

"""`tfrec extract`: records back to annotations and images."""

from __future__ import annotations

from typing import Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say, say_command
from tfrec_tools.errors import counted
from tfrec_tools.extraction.options import ExtractOptions


@command("tfrec extract records/train --to coco --out annotations", of_classes=True)
def extract(options: ExtractOptions, json: Json = False) -> None:
    """Write the images and annotations of TFRecords as COCO, Pascal VOC, YOLO or CSV.

    Images come out byte for byte, boxes in decimals that `tfrec convert` reads as the very same floats.
    What the format cannot say is counted, by what it is. The folder appears when all is written; when the
    command is stopped before, the same command goes on where it was.
    """
    import msgspec

    from tfrec_tools.cli import console, manner
    from tfrec_tools.errors import Interrupted
    from tfrec_tools.extraction import extract as engine

    try:
        with console.watched(options) as watched:
            extracted = engine.extract(watched)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where this one stopped") from None
    if json:
        more = {name: getattr(extracted, name) for name in ("convert", "outcome", "changed")}
        manner.say_document(msgspec.to_builtins(extracted.summary) | more)
    else:
        _print(", ".join(options.patterns), extracted)


def _print(records: str, extracted: Any) -> None:
    from tfrec_tools.cli import class_tables
    from tfrec_tools.cli.report import print_accounts, print_issues, say_outcome

    summary = extracted.summary
    say_outcome(extracted)
    images, boxes = counted(summary.images, "image"), counted(summary.boxes, "box")
    title = f"{extracted.folder}: {images}, {boxes} as {summary.format}"
    order = class_tables.most_frequent(list(summary.classes.values()))
    class_tables.print_classes(title, ("class", "boxes"), list(summary.classes.items()), order)
    for split, number in summary.splits.items():
        say(f"{split}: {counted(number, 'image')}")
    print_accounts([records], [summary.accounting])
    say(_unsaid(summary))
    print_issues(extracted.issues, "")
    say_command("Back to records: ", f"tfrec convert {_quoted(extracted.convert)} --out DIR/NAME")


def _unsaid(summary: Any) -> str:
    if not summary.unsaid:
        return f"{summary.format} says all that the records say."
    from tfrec_tools.formats.writing import BOX_FACTS

    counts = ", ".join(
        f"{what} of {counted(number, 'box' if what in BOX_FACTS else 'image')}"
        for what, number in summary.unsaid.items()
    )
    return f"{summary.format} cannot say: {counts}"


def _quoted(words: tuple[str, ...]) -> str:
    import shlex

    return shlex.join(words)

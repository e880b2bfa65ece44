"""`tfrec inspect`: what a path is, and what is in record files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tfrec_tools.cli.options import Json, command
from tfrec_tools.cli.shown import say, say_command
from tfrec_tools.dataset.options import InspectOptions
from tfrec_tools.errors import counted

if TYPE_CHECKING:
    from tfrec_tools.recognition.answer import Answer

_MOST_CLASSES = 8  # so that all is on one screen
_MOST_SOURCES = 2


@command("tfrec inspect records/train", of_classes=True)
def inspect(options: InspectOptions, json: Json = False) -> None:
    """Say what a path is: records, annotations, images, a label map, a model, a run, an export; which
    commands take it, which do not and why, and the next one.

    Of records all is counted, and every CRC checked: classes, boxes per image, sizes, splits, the first
    record. Of annotations no image is opened: `tfrec validate` does that.
    """
    from tfrec_tools.recognition.recognize import record_words
    from tfrec_tools.system.options import as_texts

    words = [record_words(word) or word for word in as_texts(options.records)]
    if len(words) == 1 and record_words(words[0]) is None:
        _of_anything(words[0], json)
    else:
        _of_records(replace(options, records=words), json)


def _of_anything(word: str, json: bool) -> None:
    from tfrec_tools.cli import manner
    from tfrec_tools.recognition.recognize import recognize

    answer = recognize(word)
    if json:
        manner.say_document(answer)
    else:
        _print_answer(answer)


def _print_answer(
    answer: Answer,
    counts: Sequence[Sequence[object]] = (),
    heads: Sequence[str] = (),
    accounts: Sequence[tuple[str, Any]] = (),
) -> None:
    """`counts` are more columns of the table of classes, under `heads`; `accounts` are of sources."""
    from tfrec_tools.cli import class_tables
    from tfrec_tools.cli.report import print_accounts
    from tfrec_tools.recognition.answer import TO_BE_NAMED

    say(f"{answer.path}: {answer.title}")
    for name, value in answer.facts.items():
        say(f"  {name}: {value}")
    print_accounts(
        [path for path, _ in accounts[:_MOST_SOURCES]], [own for _, own in accounts[:_MOST_SOURCES]]
    )
    if len(accounts) > _MOST_SOURCES:
        say(f"and {counted(len(accounts) - _MOST_SOURCES, 'source')} more: --json has all")
    if answer.classes:
        columns: dict[str, Sequence[object]] = {
            "id": [each.id for each in answer.classes],
            "class": [each.name for each in answer.classes],
            "boxes": [each.boxes for each in answer.classes],
            **dict(zip(heads, counts, strict=True)),
        }
        said = {head: cells for head, cells in columns.items() if cells[0] is not None}
        rows = list(zip(*said.values(), strict=True))
        order = class_tables.most_frequent([each.boxes or 0 for each in answer.classes], _MOST_CLASSES)
        if "boxes" not in said:
            order = replace(order, which="the first")
        class_tables.print_classes("", tuple(said), rows, order)
    if answer.takes:
        say(f"Works with: {', '.join(answer.takes)}")
    for why, commands in grouped(answer.refuses).items():
        say(f"Not with {', '.join(commands)}: {why}")
    if answer.next:
        say_command("Next: ", answer.next)
    if yours := [word for word in shlex.split(answer.next) if word in TO_BE_NAMED]:
        say(f"  ({', '.join(yours)}: yours to name)")


def grouped(refuses: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns {reason: commands}."""
    by_reason: dict[str, list[str]] = {}
    for name, why in refuses.items():
        by_reason.setdefault(why, []).append(name)
    return by_reason


def _of_records(options: InspectOptions, json: bool) -> None:
    from tfrec_tools.cli import console, manner
    from tfrec_tools.dataset import stats as engine

    with console.watched(options) as watched:
        stats = engine.inspect(watched)
    if json:
        manner.say_document(_document(stats))
    else:
        _print(options, stats)


def _document(stats: Any) -> dict[str, Any]:
    names = [name for name, _ in stats.classes.most_common()]
    return {
        "files": stats.files,
        "bytes": stats.bytes,
        "images": stats.images,
        "boxes": stats.boxes,
        "sources": [
            {"path": path, "accounting": account and asdict(account)} for path, account in _accounts(stats)
        ],
        "splits": dict(stats.splits),
        "formats": dict(stats.formats),
        "classes": [
            {
                "name": name,
                "boxes": stats.classes[name],
                "images": stats.images_per_class[name],
                "keypoints": stats.keypoints[name],
            }
            for name in names
        ],
        "boxes_per_image": {str(count): stats.per_image[count] for count in sorted(stats.per_image)},
        "box_sizes": {size: stats.areas[size] for size in ("small", "medium", "large")},
        "image_sizes": [
            {"width": width, "height": height, "images": images}
            for (width, height), images in stats.sizes_wh.most_common()
        ],
        "first": [dict(zip(("key", "value"), row, strict=True)) for row in _first(stats)],
    }


def _accounts(stats: Any) -> list[tuple[str, Any]]:
    """(path, account) of each source of each set."""
    return [(source.path, source.accounting) for sources in stats.sources.values() for source in sources]


def _print(options: InspectOptions, stats: Any) -> None:
    from tfrec_tools.recognition import records
    from tfrec_tools.system.options import as_texts

    names = [name for name, _ in stats.classes.most_common()]
    heads = ("images", "keypoints")[: 2 if any(stats.keypoints.values()) else 1]
    counts = [[of_all[name] for name in names] for of_all in (stats.images_per_class, stats.keypoints)]
    answer = records.answer(as_texts(options.records), stats)
    _print_answer(answer, counts[: len(heads)], heads, _accounts(stats))


def _first(stats: Any) -> list[tuple[str, str]]:
    """The first record, a row a feature."""
    if stats.first is None:
        return []
    record, image = stats.first.record, stats.first.image
    rows = [
        ("image/filename", record.filename),
        ("image/source_id", record.image_id),
        ("image/encoded", f"{len(image.data)} bytes of {image.format}"),
        ("image/width, height", f"{image.width} x {image.height}"),
    ]
    if record.labeled is not None:
        rows.append(("image/class/text", ", ".join(sorted(record.labeled))))
    pairs = zip(record.names, stats.first.label_ids, record.boxes_xyxy.tolist(), strict=False)
    for i, (name, label_id, box) in enumerate(pairs):
        rows.append((f"box {i}", f"{label_id} {name} [{', '.join(f'{value:.1f}' for value in box)}]"))
    return rows

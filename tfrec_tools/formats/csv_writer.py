"""CSV as csv_rows reads it: a row a box, in TFOD's columns, and behind them a column for each flag that any
box of the file has. An image without boxes is a row without class and corners. Corners are pixels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

from tfrec_tools.formats import decimals
from tfrec_tools.formats.csv_columns import COLUMNS
from tfrec_tools.formats.csv_forms import FLAGS
from tfrec_tools.formats.writing import Document, Outgoing, Part, Told
from tfrec_tools.labels.label_map import LabelMap

SAYS = frozenset(FLAGS)
_ROWS = "rows"


def image_path(name: str, split: str) -> str:  # noqa: ARG001
    return f"images/{name}"


def of_image(image: Outgoing, labels: LabelMap) -> Told:  # noqa: ARG001
    head = (image.name, str(image.width), str(image.height))
    boxes = decimals.corners(image.fractions_xyxy, image.width, image.height).tolist()
    rows = [
        (*head, image.record.names[i], *map(decimals.text, box), *_flags(image, i))
        for i, box in zip(image.finite, boxes, strict=True)
    ]
    nothing = (*head, *[""] * (len(COLUMNS) + len(FLAGS) - len(head)))
    return Told(len(rows), texts={_ROWS: _text(rows or [nothing])})


def documents(parts: Sequence[Part], labels: LabelMap) -> Iterator[Document]:  # noqa: ARG001
    """labels.csv, or a file a split."""
    for part in parts:
        yield file_of(part.split), _table(part)


def sources(splits: Sequence[str]) -> list[str]:
    return [file_of(split) for split in splits]


def file_of(split: str) -> str:
    return f"{split or 'labels'}.csv"


def _flags(image: Outgoing, box: int) -> list[str]:
    return [str(int(getattr(image.record, flag)[box])) for flag in FLAGS]


def _table(part: Part) -> Iterator[bytes]:
    """Yields the header and the rows, without the columns of flags that no box has."""
    first = len(COLUMNS)
    used = {i for row in _rows(part) for i, cell in enumerate(row[first:], first) if cell == "1"}
    kept = [*range(first), *sorted(used)]
    header = (*COLUMNS, *FLAGS)
    yield _text([[header[i] for i in kept]]).encode()
    for row in _rows(part):
        yield _text([[row[i] for i in kept]]).encode()


def _rows(part: Part) -> Iterator[list[str]]:
    for text in part.texts(_ROWS):
        yield from csv.reader(StringIO(text, newline=""))


def _text(rows: Sequence[Sequence[str]]) -> str:
    out = StringIO(newline="")
    for row in rows:
        # csv itself quotes no \r where lines end in \n, but readers end a line there
        breaks = any("\r" in cell for cell in row)
        csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if breaks else csv.QUOTE_MINIMAL).writerow(
            row
        )
    return out.getvalue()

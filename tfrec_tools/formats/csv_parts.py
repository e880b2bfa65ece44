"""CSV that nobody holds whole: blocks of lines, the part of each image that is in a block, and parts joined
to records, the same as csv_rows.read gives.

A block ends at a line break outside quotes, as counted from the beginning of the file: where a lone quote
stands inside an unquoted cell the lines of messages may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_rows, open_images
from tfrec_tools.formats.csv_columns import CsvLayout
from tfrec_tools.formats.csv_forms import FLAGS
from tfrec_tools.formats.csv_images import (
    NO_SIZE,
    NO_SPLIT,
    OF_IMAGES,
    OTHER_SIZE,
    OTHER_SPLIT,
    Said,
    otherwise,
)
from tfrec_tools.formats.csv_pieces import DERIVED, RowState, columns_of, derived
from tfrec_tools.formats.csv_units import Units
from tfrec_tools.formats.grouping import Boxes, Column, by_image
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.system.regular_files import open_binary

_BLOCK_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, how they are to be read, and the line of the first."""

    data: bytes
    layout: CsvLayout
    line: int


@dataclass(frozen=True, slots=True)
class ImageRows:
    """Boxes of one image in the order of the file: the line where the image first stands in the block, the
    size and the split that are first stated of it, each with its line (0: none is), the boxes' class names
    and columns, and issues of the image by line."""

    line: int
    size: tuple[Said, int]
    split: tuple[Said, int]
    names: tuple[str, ...]
    columns: dict[str, Column]
    issues: list[tuple[int, Issue]]


@dataclass(frozen=True, slots=True)
class RowChunk:
    """A block: the parts by file name; the class names in it, the units of its boxes, and issues by line that
    are of no image."""

    parts: dict[str, ImageRows]
    classes: frozenset[str]
    units: list[Units]
    issues: list[tuple[int, Issue]]


def blocks(path: Path, options: ReadOptions) -> Iterator[Block]:
    """Raises InputError where the columns that are needed are not there, or where another file says what each
    image was annotated for."""
    layout = csv_rows.layout_of(path, options)
    labels = open_images.labels_file(path, options.image_labels, layout.is_open_images)
    if labels is not None:
        reason = (
            f"has {labels.name}, which is not read in pieces: use `tfrec convert --runner`, or --image-labels"
        )
        raise InputError(path, f"{reason} none (image_labels=Path('none'))")
    line, header = 1, layout.first_line - 1
    with open_binary(path) as file:
        for data in _cut(iter(lambda: file.read(_BLOCK_BYTES), b"")):
            yield Block(data, replace(layout, first_line=header + 1), line)
            line, header = line + _unquoted(data).count(b"\n"), 0


def _cut(read: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the same bytes in pieces that end with whole lines."""
    held = b""
    for data in read:
        held += data
        end = held.rfind(b"\n") + 1
        quotes = held.count(b'"', 0, end)
        while end and quotes % 2:
            before = held.rfind(b"\n", 0, end - 1) + 1
            quotes -= held.count(b'"', before, end)
            end = before
        if end:
            yield held[:end]
            held = held[end:]
    if held:
        yield held


def _unquoted(data: bytes) -> bytes:
    return b"".join(data.split(b'"')[::2])


def read(path: Path, block: Block) -> RowChunk:
    """InputError names the line that cannot be used."""
    state = RowState()
    columns = columns_of(path, BytesIO(block.data), block.layout, block.line, state)
    rows, bounds = by_image(columns, len(state.images))
    names = list(state.classes)
    labels = [names[i] for i in rows["class_of"]]
    kept = {name: rows[name] for name in ("boxes_xyxy", *FLAGS, DERIVED) if name in rows}
    said = [zip(of.said, of.lines, strict=True) for of in (state.sizes, state.splits)]
    images = zip(state.images, state.lines, *said, pairwise(bounds), strict=True)
    issues: list[list[tuple[int, Issue]]] = [[] for _ in range(len(state.images) + 1)]
    for line, image, issue in (*state.issues, *state.hints):
        issues[image].append((line, issue))  # those of no image, -1, come last
    parts = {
        filename: ImageRows(
            line,
            size,
            split,
            tuple(labels[start:end]),
            {name: all_[start:end] for name, all_ in kept.items()},
            odd,
        )
        for (filename, line, size, split, (start, end)), odd in zip(images, issues, strict=False)
    }
    if block.layout.first_line == 2:  # the header is in this block
        issues[-1] += [(0, issue) for issue in csv_rows.unread_columns(path, block.layout)]
    return RowChunk(parts, frozenset(names), state.units, issues[-1])


def joined(
    path: Path, filename: str, of_blocks: Iterable[ImageRows], relative: bool
) -> tuple[int, ImageRecord, list[tuple[int, Issue]]]:
    """Returns the line where an image first stands, its record without classes that it was annotated for, and
    its issues by line."""
    parts = sorted(of_blocks, key=lambda part: part.line)
    names = tuple(name for part in parts for name in part.names)
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    columns["area"] = np.full(len(names), np.nan)
    first, boxes = parts[0], Boxes(names, columns, np.zeros(len(names), bool))
    sizes, splits = [part.size for part in parts], [part.split for part in parts]
    said = _first(sizes, NO_SIZE), _first(splits, NO_SPLIT)
    record = csv_rows.record_of((path, first.line), filename, said, boxes, None, relative)
    of_parts = [
        [(line, replace(issue, source=record.source)) for line, issue in part.issues] for part in parts
    ]
    issues = [pair for pairs in of_parts for pair in pairs if pair[1].code not in OF_IMAGES]
    contested = [
        None if relative else _contested(record.source, sizes, of_parts, OTHER_SIZE),
        _contested(record.source, splits, of_parts, OTHER_SPLIT),
    ]
    around = derived(record.source, columns, names)
    return first.line, record, sorted([*issues, *around, *filter(None, contested)], key=_line)


def _first(statements: Iterable[tuple[Said, int]], nothing: Said) -> Said:
    return next((said for said, line in statements if line), nothing)


def _contested(
    source: str,
    statements: Sequence[tuple[Said, int]],
    issues: Sequence[Sequence[tuple[int, Issue]]],
    code: str,
) -> tuple[int, Issue] | None:
    """Returns the issue of an image of which parts, or rows of one part, say several things, after its line;
    None where all say the same."""
    earlier: Said | None = None
    for (said, line), of_part in zip(statements, issues, strict=True):
        if line and earlier not in (None, said):
            return line, otherwise(code, source, line, said, earlier)
        if (inside := next((pair for pair in of_part if pair[1].code == code), None)) is not None:
            return inside
        earlier = said if line else earlier
    return None


def _line(pair: tuple[int, Issue]) -> int:
    return pair[0]

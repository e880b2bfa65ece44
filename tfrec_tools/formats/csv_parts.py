"""CSV that nobody holds whole: blocks of lines, the part of each image that is in a block, and parts joined
to records, the same as csv_rows.read gives.

A block ends at a line break outside quotes, as counted from the beginning of the file: where a lone quote
stands inside an unquoted cell the lines of messages may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.formats import csv_columns, csv_rows
from tfrec_tools.formats.csv_columns import FLAGS, Layout
from tfrec_tools.formats.csv_rows import Found
from tfrec_tools.formats.grouping import Column, by_image
from tfrec_tools.formats.options import ReadOptions

_BLOCK_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, how they are to be read, and the line of the first."""

    data: bytes
    layout: Layout
    line: int


@dataclass(frozen=True, slots=True)
class Part:
    """Boxes of one image in the order of the file: the line where the image first stands in the block, the
    size that it has there, and the boxes' class names and columns."""

    line: int
    size_wh: tuple[float, float]
    names: tuple[str, ...]
    columns: dict[str, Column]


@dataclass(frozen=True, slots=True)
class Read:
    """A block: the parts by file name; the class names in it, the largest coordinate, and issues by line."""

    parts: dict[str, Part]
    classes: frozenset[str]
    largest: float
    issues: list[tuple[int, Issue]]


def blocks(path: Path, options: ReadOptions) -> Iterator[Block]:
    """InputError where the columns that are needed are not there."""
    layout = csv_columns.layout(path, dict(options.columns))
    line, header = 1, layout.first_line - 1
    with path.open("rb") as file:
        for data in _cut(iter(lambda: file.read(_BLOCK_BYTES), b"")):
            yield Block(data, replace(layout, first_line=header + 1), line)
            line, header = line + _unquoted(data).count(b"\n"), 0


def _cut(read: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that end with whole lines."""
    held = b""
    for data in read:
        held += data
        end = held.rfind(b"\n") + 1
        while end and held.count(b'"', 0, end) % 2:
            end = held.rfind(b"\n", 0, end - 1) + 1
        if end:
            yield held[:end]
            held = held[end:]
    if held:
        yield held


def _unquoted(data: bytes) -> bytes:
    return b"".join(data.split(b'"')[::2])


def read(path: Path, block: Block) -> Read:
    """InputError names the line that cannot be used."""
    found = Found()
    columns = csv_rows.columns_of(path, BytesIO(block.data), block.layout, block.line, found)
    rows, bounds = by_image(columns, len(found.images))
    names = list(found.classes)
    labels = [names[i] for i in rows["class_of"]]
    kept = {name: rows[name] for name in ("boxes_xyxy", *FLAGS)}
    images = zip(found.images, found.lines, found.sizes_wh, pairwise(bounds), strict=True)
    parts = {
        filename: Part(
            line, size_wh, tuple(labels[start:end]), {name: all_[start:end] for name, all_ in kept.items()}
        )
        for filename, line, size_wh, (start, end) in images
    }
    issues = [(block.line + n, issue) for n, issue in enumerate(found.issues)]
    return Read(parts, frozenset(names), csv_rows.largest(columns), issues)


def joined(path: Path, filename: str, given: Iterable[Part], largest: float) -> tuple[int, ImageRecord]:
    """The line where an image first stands, and its record without classes that it was annotated for.

    largest   coordinate of the file
    """
    parts = sorted(given, key=lambda part: part.line)
    names = tuple(name for part in parts for name in part.names)
    columns: Mapping[str, Column] = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns
    }
    unset, area = np.zeros(len(names), bool), np.full(len(names), np.nan)
    first = parts[0]
    record = csv_rows.record_of(
        path, filename, first.line, first.size_wh, columns["boxes_xyxy"], names, unset, columns, area
    )
    return first.line, replace(record, relative=csv_rows.is_relative(largest))

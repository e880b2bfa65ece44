"""The formats that are read in pieces: (records, class names, issues) of each, as PCollections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.beam.elements import OF_SOURCE, Annotated
from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco, coco_parts, csv_parts, voc
from tfrec_tools.formats.options import ReadOptions

_ISSUES = "issues"


def _coco(
    start: PCollection, path: Path, options: ReadOptions
) -> tuple[PCollection, PCollection, PCollection]:
    index = start | "Index" >> beam.ParDo(_IndexCoco()).with_outputs("categories", main="pieces")
    listed = AsSingleton(index.categories)
    names = index.categories | "Names" >> beam.Map(lambda categories: coco.names_of(path, categories))
    pieces = index.pieces | "Spread" >> beam.Reshuffle()
    images = pieces | "Images" >> beam.FlatMap(_images)
    read = pieces | "Annotations" >> beam.ParDo(_ReadCoco(options.masks), listed).with_outputs(
        "used", "ids", main="parts"
    )
    joined = (
        {"images": images, "parts": read.parts}
        | "ByImage" >> beam.CoGroupByKey()
        | "Join" >> beam.ParDo(_JoinCoco(path), AsSingleton(names)).with_outputs(_ISSUES, main="records")
    )
    used = read.used | "UsedClasses" >> beam.CombineGlobally(_union)
    again = (
        read.ids
        | "ByRange" >> beam.GroupByKey()
        | "Repeated" >> beam.FlatMap(lambda pair: coco_parts.repeated(pair[1]))
        | "AllRepeated" >> beam.combiners.ToList()
    )
    classes = index.categories | "Classes" >> beam.Map(_coco_classes, path, AsSingleton(used))
    found = index.categories | "CategoryIssues" >> beam.FlatMap(
        _coco_issues, path, AsSingleton(used), AsSingleton(again)
    )
    return joined.records, classes, (joined[_ISSUES], found) | "CocoIssues" >> beam.Flatten()


class _IndexCoco(beam.DoFn):
    def process(self, path: Path) -> Iterator[Any]:
        categories, pieces = coco_parts.index(path)
        yield TaggedOutput("categories", categories)
        yield from pieces


def _images(piece: coco_parts.Piece) -> Iterator[tuple[str, Any]]:
    return coco_parts.images(piece) if piece.key == "images" else iter(())


class _ReadCoco(beam.DoFn):
    def __init__(self, masks: bool) -> None:
        self._masks = masks

    def process(self, piece: coco_parts.Piece, categories: Any) -> Iterator[Any]:
        if piece.key == "images":
            return
        read = coco_parts.read(piece, categories, self._masks)
        yield from read.parts
        yield TaggedOutput("used", read.used)
        for ids in coco_parts.by_range(read.ids):
            yield TaggedOutput("ids", ids)


class _JoinCoco(beam.DoFn):
    def __init__(self, path: Path) -> None:
        self._path = path

    def process(self, element: tuple[str, Any], names: Sequence[str]) -> Iterator[Any]:
        _, found = element
        order, record, issues = coco_parts.joined(self._path, found["images"], found["parts"], names)
        for (kind, number), issue in issues:
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 1 + kind, number), issue))
        if record is not None:
            yield Annotated(order, record)


def _coco_classes(categories: Any, path: Path, used: frozenset[int]) -> tuple[str, ...]:
    names = coco.names_of(path, categories)
    return coco.classes_of(names, coco.superfluous(categories, np.array(sorted(used))))


def _coco_issues(
    categories: Any, path: Path, used: frozenset[int], ids: list[int]
) -> Iterator[tuple[tuple[int, ...], Issue]]:
    root = coco.superfluous(categories, np.array(sorted(used)))
    for number, issue in enumerate(coco.category_issues(path, categories, root)):
        yield (OF_SOURCE, 0, number), issue
    for issue in coco.repeated_ids(path, sorted(ids)):
        yield (OF_SOURCE, 3, 0), issue


def _csv(
    start: PCollection, path: Path, options: ReadOptions
) -> tuple[PCollection, PCollection, PCollection]:
    read = (
        start
        | "Blocks" >> beam.FlatMap(csv_parts.blocks, options)
        | "Spread" >> beam.Reshuffle()
        | "Rows" >> beam.Map(lambda block: csv_parts.read(path, block))
    )
    largest = (
        read | "Largest" >> beam.Map(lambda one: one.largest) | "LargestOfAll" >> beam.CombineGlobally(max)
    )
    records = (
        read
        | "Parts" >> beam.FlatMap(lambda one: one.parts.items())
        | "ByImage" >> beam.GroupByKey()
        | "Join" >> beam.Map(_joined_csv, path, AsSingleton(largest))
    )
    classes = (
        read
        | "UsedClasses" >> beam.Map(lambda one: one.classes)
        | "AllClasses" >> beam.CombineGlobally(_union)
        | "Classes" >> beam.Map(lambda names: tuple(sorted(names)))
    )
    issues = read | "RowIssues" >> beam.FlatMap(
        lambda one: [((OF_SOURCE, line), issue) for line, issue in one.issues]
    )
    return records, classes, issues


def _joined_csv(found: tuple[str, Iterable[Any]], path: Path, largest: float) -> Annotated:
    return Annotated(*csv_parts.joined(path, *found, largest))


def _voc(
    start: PCollection, path: Path, options: ReadOptions
) -> tuple[PCollection, PCollection, PCollection]:
    listed = start | "List" >> beam.ParDo(_ListVoc()).with_outputs("splits", "count", _ISSUES, main="files")
    read = (
        listed.files
        | "Spread" >> beam.Reshuffle()
        | "Files"
        >> beam.ParDo(
            _ReadVoc(path, options), AsSingleton(listed.splits), AsSingleton(listed["count"])
        ).with_outputs("classes", _ISSUES, main="records")
    )
    classes = (
        read.classes
        | "AllClasses" >> beam.CombineGlobally(_union)
        | "Classes" >> beam.Map(lambda names: tuple(sorted(names)))
    )
    return read.records, classes, (listed[_ISSUES], read[_ISSUES]) | "VocIssues" >> beam.Flatten()


class _ListVoc(beam.DoFn):
    def process(self, path: Path) -> Iterator[Any]:
        files = [path] if path.is_file() else voc.annotation_files(path)
        if not files:
            raise InputError(path, "no .xml files found, expected a folder of Pascal VOC annotations")
        splits, issues = voc.splits_of(files[0].parent)
        yield TaggedOutput("splits", splits)
        yield TaggedOutput("count", len(files))
        for number, issue in enumerate(issues):
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 0, number), issue))
        yield from enumerate(files)


class _ReadVoc(beam.DoFn):
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path, self._options = path, options

    def process(self, element: tuple[int, Path], splits: dict[str, str], count: int) -> Iterator[Any]:
        order, file = element
        try:
            record, issues = voc.read_file(self._path, file, self._options)
        except InputError as fault:
            if count == 1:
                raise
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 1, order), voc.damaged(file, fault)))
            return
        for number, issue in enumerate(issues):
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 1, order, number), issue))
        yield TaggedOutput("classes", frozenset(record.names))
        yield Annotated(order, replace(record, split=splits.get(file.stem)))


def _union(sets: Iterable[frozenset[Any]]) -> frozenset[Any]:
    return frozenset().union(*sets)


READERS = {"coco": _coco, "voc": _voc, "csv": _csv}

"""The formats that are read in pieces: (records, class names, issues) of each, as PCollections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.beam.elements import OF_SOURCE, AnnotatedImage
from tfrec_tools.formats import box_units, coco, coco_keypoints, coco_parts, csv_parts, csv_units, voc
from tfrec_tools.formats.coco_categories import category_issues, classes_of, ids_by_name, names_of
from tfrec_tools.formats.coco_schema import superfluous
from tfrec_tools.formats.options import ReadOptions

_ISSUES = "issues"


def _coco(
    start: PCollection, path: Path, options: ReadOptions
) -> tuple[PCollection, PCollection, PCollection]:
    index = start | "Index" >> beam.ParDo(_IndexCoco()).with_outputs("categories", _ISSUES, main="pieces")
    listed = AsSingleton(index.categories)
    names = index.categories | "Names" >> beam.Map(lambda categories: names_of(path, categories))
    pieces = index.pieces | "Spread" >> beam.Reshuffle()
    images = pieces | "Images" >> beam.FlatMap(_images)
    read = pieces | "Annotations" >> beam.ParDo(_ReadCoco(path, options), listed).with_outputs(
        "used", "ids", "keypoints", "units", main="parts"
    )
    relative = (
        read.units
        | "AllUnits" >> beam.combiners.ToList()
        | "Relative" >> beam.Map(lambda units: box_units.are_fractions(path, units, options.coordinates))
    )
    joined = (
        {"images": images, "parts": read.parts}
        | "ByImage" >> beam.CoGroupByKey()
        | "Join"
        >> beam.ParDo(_JoinCoco(path), AsSingleton(names), AsSingleton(relative)).with_outputs(
            _ISSUES, main="records"
        )
    )
    used = read.used | "UsedClasses" >> beam.CombineGlobally(_union)
    again = (
        read.ids
        | "ByRange" >> beam.GroupByKey()
        | "Repeated" >> beam.FlatMap(lambda pair: coco_parts.repeated(pair[1]))
        | "AllRepeated" >> beam.combiners.ToList()
    )
    classes = index.categories | "Classes" >> beam.Map(_coco_classes, path, AsSingleton(used))
    keypoints = read.keypoints | "Keypoints" >> beam.CombineGlobally(sum)
    category_issues = index.categories | "CategoryIssues" >> beam.FlatMap(
        _coco_issues, path, AsSingleton(used), AsSingleton(again), AsSingleton(keypoints)
    )
    return (
        joined.records,
        classes,
        (index[_ISSUES], joined[_ISSUES], category_issues) | "CocoIssues" >> beam.Flatten(),
    )


class _IndexCoco(beam.DoFn):
    def process(self, path: Path) -> Iterator[Any]:
        categories, issues, pieces = coco_parts.index(path)
        yield TaggedOutput("categories", categories)
        for number, issue in enumerate(issues):
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 4, number), issue))
        yield from pieces


def _images(piece: coco_parts.JsonChunk) -> Iterator[tuple[str, Any]]:
    return coco_parts.images(piece) if piece.key == "images" else iter(())


class _ReadCoco(beam.DoFn):
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path, self._options = path, options

    def process(self, piece: coco_parts.JsonChunk, categories: Any) -> Iterator[Any]:
        if piece.key == "images":
            return
        read = coco_parts.read(self._path, piece, categories, self._options)
        yield from read.parts
        yield TaggedOutput("used", read.used)
        yield TaggedOutput("keypoints", read.keypoints)
        yield TaggedOutput("units", read.units)
        for ids in coco_parts.by_range(read.ids):
            yield TaggedOutput("ids", ids)


class _JoinCoco(beam.DoFn):
    def __init__(self, path: Path) -> None:
        self._path = path

    def process(self, element: tuple[str, Any], names: Sequence[str], relative: bool) -> Iterator[Any]:
        _, grouped = element
        order, record, issues = coco_parts.joined(
            self._path, grouped["images"], grouped["parts"], names, relative
        )
        for (kind, number), issue in issues:
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 1 + kind, number), issue))
        if record is not None:
            yield AnnotatedImage(order, record)


def _coco_classes(categories: Any, path: Path, used: frozenset[int]) -> dict[str, int | str]:
    """Returns {class: category id}."""
    names = names_of(path, categories)
    classes = classes_of(names, superfluous(categories, used))
    return ids_by_name(categories, classes)


def _coco_issues(
    categories: Any, path: Path, used: frozenset[int], ids: list[int], keypoints: int
) -> Iterator[tuple[tuple[int, ...], Issue]]:
    root = superfluous(categories, used)
    of_file = (
        *category_issues(path, categories, root),
        *coco_keypoints.left_out(path, keypoints),
    )
    for number, issue in enumerate(of_file):
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
    relative = (
        read
        | "Units" >> beam.FlatMap(lambda chunk: chunk.units)
        | "AllUnits" >> beam.combiners.ToList()
        | "Relative" >> beam.Map(lambda units: csv_units.is_relative(path, units, options.coordinates))
    )
    joined = (
        read
        | "Parts" >> beam.FlatMap(lambda chunk: chunk.parts.items())
        | "ByImage" >> beam.GroupByKey()
        | "Join" >> beam.ParDo(_JoinCsv(path), AsSingleton(relative)).with_outputs(_ISSUES, main="records")
    )
    classes = (
        read
        | "UsedClasses" >> beam.Map(lambda chunk: chunk.classes)
        | "AllClasses" >> beam.CombineGlobally(_union)
        | "Classes" >> beam.Map(lambda names: tuple(sorted(names)))
    )
    issues = read | "RowIssues" >> beam.FlatMap(
        lambda chunk: [((OF_SOURCE, line), issue) for line, issue in chunk.issues]
    )
    return joined.records, classes, (joined[_ISSUES], issues) | "CsvIssues" >> beam.Flatten()


class _JoinCsv(beam.DoFn):
    def __init__(self, path: Path) -> None:
        self._path = path

    def process(self, parts: tuple[str, Iterable[Any]], relative: bool) -> Iterator[Any]:
        order, record, issues = csv_parts.joined(self._path, *parts, relative)
        for line, issue in issues:
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, line), issue))
        yield AnnotatedImage(order, record)


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
        ).with_outputs("classes", "parts", _ISSUES, main="records")
    )
    classes = (
        read.classes
        | "AllClasses" >> beam.CombineGlobally(_union)
        | "Classes" >> beam.Map(lambda names: tuple(sorted(names)))
    )
    parts = (
        read.parts
        | "AllParts" >> beam.CombineGlobally(sum)
        | "PartsLeftOut"
        >> beam.FlatMap(lambda count: [((OF_SOURCE, 2), issue) for issue in voc.parts_left_out(path, count)])
    )
    return read.records, classes, (listed[_ISSUES], read[_ISSUES], parts) | "VocIssues" >> beam.Flatten()


class _ListVoc(beam.DoFn):
    def process(self, path: Path) -> Iterator[Any]:
        files, _ = voc.files_of(path)
        splits, issues = voc.splits_of(path, files)
        yield TaggedOutput("splits", splits)
        yield TaggedOutput("count", len(files))
        for number, issue in enumerate(issues):
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 0, number), issue))
        yield from enumerate(files)


class _ReadVoc(beam.DoFn):
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path, self._options = path, options

    def process(self, element: tuple[int, Path], splits: dict[Path, str], count: int) -> Iterator[Any]:
        order, file = element
        read = voc.read_file(self._path, file, self._options)
        if count == 1 and read.fault is not None:
            raise read.fault
        for number, issue in enumerate(read.issues):
            yield TaggedOutput(_ISSUES, ((OF_SOURCE, 1, order, number), issue))
        if read.record is None:
            return
        yield TaggedOutput("classes", frozenset(read.record.names))
        yield TaggedOutput("parts", read.parts)
        yield AnnotatedImage(order, replace(read.record, split=splits.get(file)))


def _union(sets: Iterable[frozenset[Any]]) -> frozenset[Any]:
    return frozenset().union(*sets)


READERS = {"coco": _coco, "voc": _voc, "csv": _csv}

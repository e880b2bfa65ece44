"""ReadAnnotations: a source of any size as records, of which no worker holds more than a piece at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from tfrec_tools import formats, survey
from tfrec_tools.beam.paths import BeamInput, located
from tfrec_tools.errors import InputError
from tfrec_tools.formats import coco, coco_parts, csv_parts, voc
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord
from tfrec_tools.shards import SourceInfo

# Where an issue stands in the report: of the source, of repeated images, of pictures that are not found, of
# the class names, of the images; and then its place there.
OF_SOURCE, OF_REPEATS, OF_LOOKUP, OF_CLASSES, OF_IMAGES = range(5)

_ISSUES = "issues"


@dataclass(frozen=True, slots=True)
class Annotated:
    """An image of a source: its place in the order of the source, and its record, which does not say yet what
    it was annotated for."""

    order: int
    record: ImageRecord


class Annotations(NamedTuple):
    """What ReadAnnotations gives, and ToExamples takes.

    records   of Annotated
    source    of one SourceInfo: all classes that the images were annotated for, in the order of their ids;
              its images are counted by ToExamples, which need not wait for that
    issues    of (where it stands in the report, Issue)
    """

    records: PCollection
    source: PCollection
    issues: PCollection


class ReadAnnotations(beam.PTransform):
    """The images of a COCO file, a folder of Pascal VOC or a CSV file: the records of `tfrec convert`.

    path      of a file or folder, also a URL of what Beam opens
    format    "coco", "voc" or "csv"; None: found by itself

    COCO is read through once by one worker (from a copy on its disk where it is a URL), and cut into pieces
    that all workers decode; so is CSV. Of VOC one worker lists the files. InputError where the source is of
    another format.
    """

    def __init__(self, path: str | Path, format: str | None = None, options: ReadOptions = DEFAULT) -> None:  # noqa: A002
        super().__init__()
        self._path = located(path, BeamInput)
        self._format = format or formats.detect(self._path)
        self._options = options
        if self._format not in _READERS:
            reason = (
                f"is {self._format}, expected one of {', '.join(_READERS)}; or use `tfrec convert --runner`"
            )
            raise InputError(self._path, "", reason)

    def expand(self, pbegin: Any) -> Annotations:
        start = pbegin | "Source" >> beam.Create([self._path])
        records, classes, issues = _READERS[self._format](start, self._path, self._options)
        source = classes | "Describe" >> beam.Map(_described, self._path, self._format)
        repeats = (
            records
            | "ByFile" >> beam.Map(lambda one: (one.record.filename, (one.order, one.record.source)))
            | "SameFile" >> beam.GroupByKey()
            | "Repeats" >> beam.FlatMapTuple(_repeats)
        )
        return Annotations(records, source, (issues, repeats) | "AllIssues" >> beam.Flatten())


def _described(classes: tuple[str, ...], path: Path, kind: str) -> SourceInfo:
    if not classes:
        raise InputError(path, "", "has no classes")
    return SourceInfo(str(path), kind, 0, classes)


def _repeats(filename: str, found: Iterable[tuple[int, str]]) -> Iterator[tuple[tuple[int, ...], Issue]]:
    (_, first), *others = sorted(found)
    for order, source in others:
        yield (OF_REPEATS, order), survey.repeated(filename, source, first)


def _coco(
    start: PCollection, path: Path, options: ReadOptions
) -> tuple[PCollection, PCollection, PCollection]:
    index = start | "Index" >> beam.ParDo(_IndexCoco()).with_outputs("categories", main="pieces")
    listed = AsSingleton(index.categories)
    pieces = index.pieces | "Spread" >> beam.Reshuffle()
    images = pieces | "Images" >> beam.FlatMap(_images)
    read = pieces | "Annotations" >> beam.ParDo(_ReadCoco(options.masks), listed).with_outputs(
        "used", "ids", main="parts"
    )
    joined = (
        {"images": images, "parts": read.parts}
        | "ByImage" >> beam.CoGroupByKey()
        | "Join" >> beam.ParDo(_JoinCoco(path), listed).with_outputs(_ISSUES, main="records")
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
        parts = list(coco_parts.parts(piece, categories, self._masks))
        yield from parts
        used = frozenset(i for _, part in parts for i in part.columns["class_of"].tolist())
        yield TaggedOutput("used", used)
        if parts:
            for ids in coco_parts.ids_by_range(part for _, part in parts):
                yield TaggedOutput("ids", ids)


class _JoinCoco(beam.DoFn):
    def __init__(self, path: Path) -> None:
        self._path = path

    def process(self, element: tuple[str, Any], categories: Any) -> Iterator[Any]:
        _, found = element
        names = coco.names_of(self._path, categories)
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
            raise InputError(path, "", "no .xml files found, expected a folder of Pascal VOC annotations")
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


_READERS = {"coco": _coco, "voc": _voc, "csv": _csv}

"""ToExamples: records with their images, checked and encoded."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from tfrec_tools.annotations import set_checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.beam.counters import count
from tfrec_tools.beam.elements import (
    OF_CLASSES,
    OF_IMAGES,
    OF_LOOKUP,
    OF_REPEATS,
    AnnotatedImage,
    Annotations,
)
from tfrec_tools.beam.paths import BeamInput, located
from tfrec_tools.conversion.jobs import load_checked
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.plan import checks_of, image_options_of, require_classes, within_map
from tfrec_tools.conversion.sharing import escaped_names, named_by_file
from tfrec_tools.dataset import class_choice
from tfrec_tools.dataset.manifest import SourceInfo
from tfrec_tools.errors import InputError, counted
from tfrec_tools.formats.classes import read_map
from tfrec_tools.images.loading import is_file_itself
from tfrec_tools.images.lookup import Finder
from tfrec_tools.labels import keypoints, spelling
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.tfrecords import spans
from tfrec_tools.tfrecords.example import encode_example
from tfrec_tools.tfrecords.features import IMAGE_ENCODED

_IMAGE = IMAGE_ENCODED.encode()


class Converted(NamedTuple):
    """An image of a source, encoded. Its bytes do not travel where they are those of its file, but are read
    again where the Example is wanted: a shuffle of images costs more than all the rest. It has few and plain
    parts, as each image is pickled more than once.

    image_id, order   its id and its place in the order of the source, which decide where it goes
    names     class names of its boxes
    encoded   its serialized tf.train.Example, without the image's bytes at `at` where there is an `image`;
              None where the policies drop the image
    image, at, size   where the image's bytes are (path or URL, offset, length; None to the end), where they
                      belong in the Example, and how many they are
    """

    image_id: str
    order: int
    names: tuple[str, ...]
    encoded: bytes | None
    image: tuple[str, int, int | None] | None = None
    at: int = 0
    size: int = 0

    def example(self) -> bytes | None:
        """Returns the whole Example. Raises OSError where the image cannot be read, or is another than it
        was."""
        if self.encoded is None or self.image is None:
            return self.encoded
        path, offset, length = self.image
        data = ByteRange(located(path, BeamInput), offset, length).read()
        if len(data) != self.size:
            reason = f"has {counted(len(data), 'byte')} now, not {self.size}"
            raise OSError(errno.EIO, reason, path)
        return b"".join((self.encoded[: self.at], data, self.encoded[self.at :]))


@dataclass(frozen=True, slots=True)
class About:
    """What a set is made of: its label map, its source, those of the source's classes that are in the map,
    and the options that its records depend on."""

    label_map: LabelMap
    source: SourceInfo
    labeled: frozenset[str]
    options: ConvertOptions


class Examples(NamedTuple):
    """What ToExamples gives, and WriteShards takes.

    examples   of Converted
    about      of one About
    issues     of (where it stands in the report, Issue)
    """

    examples: PCollection
    about: PCollection
    issues: PCollection


class ToExamples(beam.PTransform):
    """The Examples that `tfrec convert` writes, in any order.

    images   folder of the images
    labels   whatever `tfrec merge-labels` reads; None: made from the classes of the source
    options   how boxes and images are treated, as `tfrec convert` takes it: on=["box-outside=keep"],
              min_side=2.0, max_side=640 ...

    The pipeline fails with an InputError where the label map lacks a class.
    """

    def __init__(
        self,
        images: str | Path,
        labels: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._images = located(images, BeamInput)
        self._labels = located(labels, BeamInput) if labels is not None else None
        self._map = read_map(self._labels) if self._labels else None
        self._options = ConvertOptions((), "", images=self._images, labels=self._labels, **options)
        if flags := class_choice.flags_of(self._options):
            reason = (
                "is of `tfrec convert --runner`, not of the transforms; choose classes by a step of your own"
            )
            raise InputError(flags, reason)

    def expand(self, annotations: Any) -> Examples:
        records, source, issues = Annotations(*annotations)
        about = source | "About" >> beam.Map(_about, self._map, self._options)
        converted = records | "Encode" >> beam.ParDo(_Encode(self._images), AsSingleton(about)).with_outputs(
            "issues", "files", main="examples"
        )
        images = records | "CountImages" >> beam.combiners.Count.Globally()
        # not about | Map(images): a runner that fuses that with `about` would wait for itself
        once = records.pipeline | "Once" >> beam.Create([None])
        counted = once | "Counted" >> beam.Map(_counted, AsSingleton(about), AsSingleton(images))
        alike = about | "SimilarClasses" >> beam.FlatMap(_alike)
        repeats = converted.files | "SameFile" >> beam.GroupByKey() | "Repeats" >> beam.FlatMapTuple(_repeats)
        parts = (issues, repeats, alike, converted["issues"])
        return Examples(converted.examples, counted, parts | "Issues" >> beam.Flatten())


def _about(source: SourceInfo, user_map: LabelMap | None, options: ConvertOptions) -> About:
    label_map = user_map or from_names(source.labeled)
    names, classes = frozenset(label_map.names), frozenset(source.labeled)
    labeled = within_map(options.labels_path, source.path, classes, names)
    return About(label_map, source, labeled, replace(options, sources=(Path(source.path),)))


def _counted(_: None, about: About, images: int) -> About:
    if not images:
        raise InputError(about.source.path, "has no images")
    return replace(about, source=replace(about.source, images=images))


def _alike(about: About) -> Iterator[tuple[tuple[int, ...], Issue]]:
    for number, issue in enumerate(spelling.similar(about.label_map.names, "classes")):
        yield (OF_CLASSES, number), issue


def _repeats(
    _file: tuple[str, int], records: Iterable[tuple[int, str, str]]
) -> Iterator[tuple[tuple[int, ...], Issue]]:
    (_, first, _), *others = sorted(records)
    for place, source, filename in others:
        yield (OF_REPEATS, place), set_checks.repeated(filename, source, first)


class _Encode(beam.DoFn):
    def __init__(self, images: Path) -> None:
        self._images = images

    def setup(self) -> None:
        """One a worker, since it may have to search the folder."""
        self._finder = Finder(self._images)

    def process(self, annotated: AnnotatedImage, about: About) -> Iterator[Any]:
        options, source = about.options, about.source
        record = annotated.record
        ids = about.label_map.id_by_name
        require_classes(options.labels_path, source.path, record.names, ids)
        place, odd = self._finder.find(record)
        record = record if place is None else named_by_file(record, place, self._images)
        for number, issue in enumerate(odd):
            yield TaggedOutput("issues", ((OF_LOOKUP, annotated.order, number), issue))
        for issue in escaped_names([(record, place)]):
            yield TaggedOutput("issues", ((OF_CLASSES, -1, annotated.order), issue))  # after all lookups
        if place is None:
            count(0, 0, len(odd))
            return
        yield TaggedOutput("files", (place.origin, (annotated.order, record.source, record.filename)))
        own = record.labeled  # as COCO's images may say it
        labeled = about.labeled if own is None else own.intersection(about.label_map.names)
        record = replace(record, labeled=labeled)
        rules = image_options_of(options)
        checked, image, issues = load_checked(record, place, checks_of(options), rules)
        for number, issue in enumerate(issues):
            yield TaggedOutput("issues", ((OF_IMAGES, annotated.order, number), issue))
        if checked is None or image is None:
            count(0, 0, len(odd) + len(issues))
            yield Converted(record.image_id, annotated.order, (), None)
            return
        count(1, len(checked.names), len(odd) + len(issues))
        points = keypoints.NONE if options.keypoints == "none" else keypoints.layout_of(about.label_map)
        encoded = encode_example(checked, image, ids, points)
        whole = Converted(record.image_id, annotated.order, checked.names, encoded)
        yield _without(whole, image.data, place) if is_file_itself(rules, issues) else whole


def _without(whole: Converted, image: bytes, place: ByteRange) -> Converted:
    """Returns the same with the place of its image instead of the bytes of it."""
    example = whole.encoded or b""
    begin, end = image_at(example)
    left, where = example[:begin] + example[end:], (str(place.path), place.offset, place.length)
    return whole._replace(encoded=left, image=where, at=begin, size=len(image))


def image_at(example: bytes) -> tuple[int, int]:
    """Returns where an Example's image begins and ends. Raises OddLayoutError where another has written
    it."""
    return spans.only_value(example, spans.find(example, 0, len(example))[_IMAGE])

"""ToExamples: records with their pictures, checked and encoded."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from tfrec_tools.annotations import set_checks
from tfrec_tools.annotations.box_checks import Checks
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Place
from tfrec_tools.beam.counters import count
from tfrec_tools.beam.elements import OF_CLASSES, OF_IMAGES, OF_LOOKUP, Annotated, Annotations
from tfrec_tools.beam.paths import BeamInput, located
from tfrec_tools.conversion.jobs import look
from tfrec_tools.conversion.plan import Options, require_classes, within_map
from tfrec_tools.dataset.manifest import SourceInfo
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_map
from tfrec_tools.images.loading import Rules, is_file_itself
from tfrec_tools.images.lookup import Finder
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.tfrecords import spans
from tfrec_tools.tfrecords.example import encode_example
from tfrec_tools.tfrecords.features import IMAGE_ENCODED

_PICTURE = IMAGE_ENCODED.encode()


class Converted(NamedTuple):
    """An image of a source, encoded. Its picture does not travel where it is a file as it stands, but is read
    again where the Example is wanted: a shuffle of pictures costs more than all the rest. Of few and plain
    parts, as each image is pickled more than once.

    image_id, order   its id and its place in the order of the source, which decide where it goes
    names     class names of its boxes
    encoded   its serialized tf.train.Example, without the picture at `at` where there is a `picture`; None
              where the policies drop the image
    picture, at, size   where the picture is (path or URL, offset, length; None to the end), where it belongs
                        in the Example, its bytes
    """

    image_id: str
    order: int
    names: tuple[str, ...]
    encoded: bytes | None
    picture: tuple[str, int, int | None] | None = None
    at: int = 0
    size: int = 0

    def example(self) -> bytes | None:
        """The whole Example. OSError where the picture cannot be read, or is another than it was."""
        if self.encoded is None or self.picture is None:
            return self.encoded
        path, offset, length = self.picture
        data = Place(located(path, BeamInput), offset, length).read()
        if len(data) != self.size:
            reason = f"has {len(data)} bytes now, not {self.size}"
            raise OSError(errno.EIO, reason, path)
        return b"".join((self.encoded[: self.at], data, self.encoded[self.at :]))


@dataclass(frozen=True, slots=True)
class About:
    """What a set is made of: its label map, its source, those of the source's classes that are in the map,
    and the options that it depends on, without `out`."""

    label_map: LabelMap
    source: SourceInfo
    labeled: frozenset[str]
    options: Options


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

    images   folder of the pictures
    labels   whatever `tfrec merge-labels` reads; None: made from the classes of the source
    checks, rules   policies and the treatment of pictures, as of tfrec_tools.plan.Options

    The pipeline fails with an InputError where the label map lacks a class.
    """

    def __init__(
        self,
        images: str | Path,
        labels: str | Path | None = None,
        checks: Checks = Checks(),  # noqa: B008  frozen
        rules: Rules = Rules(),  # noqa: B008
    ) -> None:
        super().__init__()
        self._images = located(images, BeamInput)
        self._labels = located(labels, BeamInput) if labels is not None else None
        self._map = read_map(self._labels) if self._labels else None
        self._checks, self._rules = checks, rules

    def expand(self, annotations: Any) -> Examples:
        records, source, issues = Annotations(*annotations)
        options = Options(
            (), Path(), images=self._images, labels=self._labels, checks=self._checks, rules=self._rules
        )
        about = source | "About" >> beam.Map(_about, self._map, options)
        converted = records | "Encode" >> beam.ParDo(_Encode(self._images), AsSingleton(about)).with_outputs(
            "issues", main="examples"
        )
        images = records | "CountImages" >> beam.combiners.Count.Globally()
        # not about | Map(images): a runner that fuses that with `about` would wait for itself
        once = records.pipeline | "Once" >> beam.Create([None])
        counted = once | "Counted" >> beam.Map(_counted, AsSingleton(about), AsSingleton(images))
        alike = about | "SimilarClasses" >> beam.FlatMap(_alike)
        return Examples(
            converted.examples, counted, (issues, alike, converted["issues"]) | "Issues" >> beam.Flatten()
        )


def _about(source: SourceInfo, given: LabelMap | None, options: Options) -> About:
    label_map = given or from_names(source.labeled)
    names, classes = frozenset(label_map.names), frozenset(source.labeled)
    labeled = within_map(options.labels, source.path, classes, names)
    return About(label_map, source, labeled, replace(options, sources=(Path(source.path),)))


def _counted(_: None, about: About, images: int) -> About:
    if not images:
        raise InputError(about.source.path, "has no images")
    return replace(about, source=replace(about.source, images=images))


def _alike(about: About) -> Iterator[tuple[tuple[int, ...], Issue]]:
    for number, issue in enumerate(set_checks.similar(about.label_map.names, "classes")):
        yield (OF_CLASSES, number), issue


class _Encode(beam.DoFn):
    def __init__(self, images: Path) -> None:
        self._images = images

    def setup(self) -> None:
        """One a worker, since it may have to search the folder."""
        self._finder = Finder(self._images)

    def process(self, one: Annotated, about: About) -> Iterator[Any]:
        options, source = about.options, about.source
        record = one.record
        ids = about.label_map.id_by_name
        require_classes(options.labels, source.path, record.names, ids)
        place, odd = self._finder.find(record)
        for number, issue in enumerate(odd):
            yield TaggedOutput("issues", ((OF_LOOKUP, one.order, number), issue))
        if place is None:
            count(0, 0, len(odd))
            return
        record = replace(record, labeled=about.labeled)
        checked, picture, found = look(record, place, options.checks, options.rules)
        for number, issue in enumerate(found):
            yield TaggedOutput("issues", ((OF_IMAGES, one.order, number), issue))
        if checked is None or picture is None:
            count(0, 0, len(odd) + len(found))
            yield Converted(record.image_id, one.order, (), None)
            return
        count(1, len(checked.names), len(odd) + len(found))
        whole = Converted(record.image_id, one.order, checked.names, encode_example(checked, picture, ids))
        yield _without(whole, picture.data, place) if is_file_itself(options.rules, found) else whole


def _without(whole: Converted, picture: bytes, place: Place) -> Converted:
    """With the place of its picture instead of the picture."""
    example = whole.encoded or b""
    begin, end = picture_at(example)
    left, where = example[:begin] + example[end:], (str(place.path), place.offset, place.length)
    return whole._replace(encoded=left, picture=where, at=begin, size=len(picture))


def picture_at(example: bytes) -> tuple[int, int]:
    """Where an Example's picture begins and ends. OddLayoutError where another has written it."""
    return spans.only_value(example, spans.find(example, 0, len(example))[_PICTURE])

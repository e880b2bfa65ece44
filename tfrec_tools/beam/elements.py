"""What travels between the transforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from apache_beam.pvalue import PCollection

from tfrec_tools.annotations.records import ImageRecord

# Where an issue stands in the report: of the source, of repeated images, of images that are not found, of
# the class names, of the images; and then its place there.
OF_SOURCE, OF_REPEATS, OF_LOOKUP, OF_CLASSES, OF_IMAGES = range(5)


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image of a source: its place in the order of the source, and its record, which does not say yet what
    it was annotated for."""

    order: int
    record: ImageRecord


class Annotations(NamedTuple):
    """What ReadAnnotations gives, and ToExamples takes.

    records   of AnnotatedImage
    source    of one SourceInfo: all classes that the images were annotated for, in the order of their ids;
              its images are counted by ToExamples, which need not wait for that
    issues    of (where it stands in the report, Issue)
    """

    records: PCollection
    source: PCollection
    issues: PCollection

"""Conversion on Apache Beam: the engine of `tfrec convert --runner`, and transforms for other pipelines:

(pipeline | ReadAnnotations(path) | ToExamples(images, labels) | WriteShards("DIR/NAME", shards))
"""

from __future__ import annotations

from tfrec_tools.beam.elements import AnnotatedImage, Annotations
from tfrec_tools.beam.examples import Converted, Examples, ToExamples
from tfrec_tools.beam.reading import ReadAnnotations
from tfrec_tools.beam.writing import WriteShards

__all__ = [
    "AnnotatedImage",
    "Annotations",
    "Converted",
    "Examples",
    "ReadAnnotations",
    "ToExamples",
    "WriteShards",
]

"""Google's AutoML and Vertex: files that import images of a bucket with their boxes, as rows of CSV or as
lines of JSON. Boxes are fractions of the image; the use of an image (ML_USE) is its split.

https://cloud.google.com/vertex-ai/docs/image-data/object-detection/prepare-data
"""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import automl_lines, automl_rows, drawn
from tfrec_tools.formats.options import DEFAULT, ReadOptions


def read(path: Path, _: ReadOptions = DEFAULT) -> Source:
    """Returns the images of a file in the order in which they first appear, by their path in the bucket.
    Classes are those that occur, in alphabetical order. InputError where it lists no images."""
    read_images = automl_lines.images if path.suffix.lower() == ".jsonl" else automl_rows.images
    images = read_images(path)
    if not images:
        raise InputError(path, "lists no images, expected rows ML_USE,gs://BUCKET/IMAGE,LABEL,X,Y,,,X,Y,,")
    return drawn.source(images)


def shows(file: Path) -> bool:
    """Returns whether a file begins with rows or lines of this kind."""
    return automl_lines.shows(file) if file.suffix.lower() == ".jsonl" else automl_rows.shows(file)

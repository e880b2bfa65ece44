"""ReadAnnotations: a source of any size as records, of which no worker holds more than a piece at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam

from tfrec_tools.beam.elements import OF_SOURCE, Annotations
from tfrec_tools.beam.paths import BeamInput, located
from tfrec_tools.beam.sources import READERS
from tfrec_tools.dataset.manifest import SourceInfo
from tfrec_tools.errors import InputError, readable
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import DEFAULT, ReadOptions


class ReadAnnotations(beam.PTransform):
    """The images of a COCO file, a folder of Pascal VOC or a CSV file: the records of `tfrec convert`.

    path      of a file or folder, also a URL of what Beam opens
    format    "coco", "voc" or "csv"; None: found by itself

    COCO is read through once by one worker (from a copy on its disk where it is a URL), and cut into pieces
    that all workers decode; so is CSV. Of VOC one worker lists the files. Raises InputError where the source
    is of another format, or does not read an option.
    """

    def __init__(self, path: str | Path, format: str | None = None, options: ReadOptions = DEFAULT) -> None:  # noqa: A002
        super().__init__()
        self._path = located(path, BeamInput)
        self._format = format or registry.detect(self._path)
        self._options = options
        if self._format not in READERS:
            reason = (
                f"is {self._format}, expected one of {', '.join(READERS)}; or use `tfrec convert --runner`"
            )
            raise InputError(self._path, reason)
        registry.require_read([self._format], options)

    def expand(self, pbegin: Any) -> Annotations:
        start = pbegin | "Source" >> beam.Create([self._path])
        records, classes, issues = READERS[self._format](start, self._path, self._options)
        if maskless := registry.maskless(self._path, self._format, self._options):
            first = [((OF_SOURCE, -1), issue) for issue in maskless]
            issues = (pbegin | "Maskless" >> beam.Create(first), issues) | "AllIssues" >> beam.Flatten()
        source = classes | "Describe" >> beam.Map(_described, self._path, self._format)
        return Annotations(records, source, issues)


def _described(classes: tuple[str, ...] | dict[str, int | str], path: Path, kind: str) -> SourceInfo:
    """Of class names, or of {class name: category id}."""
    if not classes:
        raise InputError(path, "has no classes")
    return SourceInfo(
        readable(str(path)), kind, 0, tuple(classes), dict(classes) if isinstance(classes, dict) else {}
    )

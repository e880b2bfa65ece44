"""Every annotation format: what people call it, how it is read, and how it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.formats import (
    automl,
    coco,
    csv_columns,
    csv_rows,
    labelstudio_csv,
    tfod,
    via_csv,
    voc,
    yolo,
    yolo_search,
)
from tfrec_tools.formats.options import ReadOptions


@dataclass(frozen=True, slots=True)
class Format:
    """An annotation format.

    title      what people call it
    read       returns what a source holds; InputError where it cannot be used
    suffixes   of the files that hold annotations, in lower case; where no file of such a suffix shows a
               format, the first one in FORMATS with the suffix is asked, which says what is wrong
    shows      whether what stands in a file of these suffixes is of the format
    of_file    whether one of these files can be a source
    of_folder  whether a folder of them can be one
    """

    title: str
    read: Callable[[Path, ReadOptions], Source]
    suffixes: tuple[str, ...] = ()
    shows: Callable[[Path], bool] = lambda _: False
    of_file: bool = True
    of_folder: bool = True


FORMATS: dict[str, Format] = {
    "coco": Format("COCO", coco.read, (".json",), coco.shows, of_folder=False),
    "voc": Format("Pascal VOC", voc.read, (".xml",), voc.shows),
    "csv": Format("CSV", csv_rows.read, (".csv", ".tsv"), csv_columns.shows, of_folder=False),
    "automl": Format("AutoML / Vertex", automl.read, automl.SUFFIXES, automl.shows, of_folder=False),
    "labelstudio-csv": Format(
        "Label Studio CSV", labelstudio_csv.read, (".csv", ".tsv"), labelstudio_csv.shows, of_folder=False
    ),
    "via-csv": Format("VIA CSV", via_csv.read, (".csv",), via_csv.shows, of_folder=False),
    "yolo": Format("YOLO", yolo.read, (".txt",), yolo_search.has_rows, of_file=False),
    "tfrecord": Format("TFRecords", tfod.read),
}

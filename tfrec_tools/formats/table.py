"""Every annotation format: what people call it, how it is read, and how it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.formats import (
    automl,
    coco,
    createml,
    csv_columns,
    csv_rows,
    cvat,
    dota,
    huggingface,
    kitti,
    labelme,
    labelstudio,
    labelstudio_csv,
    supervisely,
    text_rows,
    tfod,
    via,
    via_csv,
    voc,
    vott,
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
    lists_classes  whether a file lists all its classes, and not only those that occur
    maskless   why no masks are read, where they are asked for; "" of formats whose masks are
    """

    title: str
    read: Callable[[Path, ReadOptions], Source]
    suffixes: tuple[str, ...] = ()
    shows: Callable[[Path], bool] = lambda _: False
    of_file: bool = True
    of_folder: bool = True
    lists_classes: bool = False
    maskless: str = ""


_NO_MASKS = "its files have none"
FORMATS: dict[str, Format] = {
    "coco": Format("COCO", coco.read, (".json",), coco.shows, of_folder=False, lists_classes=True),
    "voc": Format(
        "Pascal VOC", voc.read, (".xml",), voc.shows, maskless="the images of SegmentationObject are not read"
    ),
    "csv": Format(
        "CSV", csv_rows.read, (".csv", ".tsv"), csv_columns.shows, of_folder=False, maskless=_NO_MASKS
    ),
    "automl": Format(
        "AutoML / Vertex", automl.read, automl.SUFFIXES, automl.shows, of_folder=False, maskless=_NO_MASKS
    ),
    "labelstudio-csv": Format(
        "Label Studio CSV", labelstudio_csv.read, (".csv", ".tsv"), labelstudio_csv.shows, of_folder=False
    ),
    "via-csv": Format("VIA CSV", via_csv.read, (".csv",), via_csv.shows, of_folder=False),
    "yolo": Format("YOLO", yolo.read, (".txt",), yolo_search.has_rows, of_file=False),
    "cvat": Format("CVAT", cvat.read, (".xml",), cvat.shows),
    "kitti": Format("KITTI", kitti.read, (".txt",), text_rows.shows_kitti, of_file=False, maskless=_NO_MASKS),
    "dota": Format("DOTA", dota.read, (".txt",), text_rows.shows_dota, of_file=False),
    "labelme": Format("LabelMe", labelme.read, (".json",), labelme.shows),
    "labelstudio": Format("Label Studio", labelstudio.read, (".json",), labelstudio.shows, of_folder=False),
    "via": Format("VIA", via.read, (".json",), via.shows, of_folder=False),
    "vott": Format("VoTT", vott.read, (".json",), vott.shows),
    "createml": Format(
        "Create ML", createml.read, (".json",), createml.shows, of_folder=False, maskless=_NO_MASKS
    ),
    "huggingface": Format(
        "Hugging Face", huggingface.read, (".jsonl", ".csv"), huggingface.shows, maskless=_NO_MASKS
    ),
    "supervisely": Format("Supervisely", supervisely.read, (".json",), supervisely.shows),
    "tfrecord": Format("TFRecords", tfod.read),
}

"""Every annotation format: what people call it, how it is read, and how it is known. A format's module is
imported when a source asks for it, as there are many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tfrec_tools.annotations.records import Source
from tfrec_tools.formats.options import ReadOptions


@dataclass(frozen=True, slots=True)
class Format:
    """An annotation format.

    title      what people call it
    module     of this package, whose function `read` reads it
    suffixes   of the files that hold annotations, in lower case; where a file of such a suffix, but for JSON,
               shows no format, the first one in FORMATS with the suffix is asked, which says what is wrong
    evidence   the function that says whether what stands in a file of these suffixes is of the format, where
               it is not the module's `shows`
    of_file    whether one of these files can be a source
    of_folder  whether a folder of them can be one
    is_certain whether no file of another format can show it, so that no other is asked
    lists_classes  whether a file lists all its classes, and not only those that occur
    maskless   why no masks are read, where they are asked for; "" of formats whose masks are
    options    the fields of ReadOptions that it alone, or some formats, can be told
    """

    title: str
    module: str
    suffixes: tuple[str, ...] = ()
    evidence: str = ""
    of_file: bool = True
    of_folder: bool = True
    is_certain: bool = False
    lists_classes: bool = False
    maskless: str = ""
    options: tuple[str, ...] = ()

    def read(self, path: Path, options: ReadOptions) -> Source:
        """Returns what a source holds. InputError where it cannot be used."""
        source: Source = _function(f"{self.module}.read")(path, options)
        return source

    def shows(self, file: Path) -> bool:
        """Returns whether what stands in a file of its suffixes is of the format."""
        return bool(_function(self.evidence or f"{self.module}.shows")(file))


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), function)
    return found


_NO_MASKS = "its files have none"
_VOC_MASKS = "the images of SegmentationObject are not read"
_JSON, _XML, _TXT, _CSV, _TSV = ".json", ".xml", ".txt", ".csv", ".tsv"
_OF_COCO, _OF_CVAT = ("coordinates", "boxes_from"), ("boxes_from", "keyframes")
_OF_VIA = ("class_attribute", "class_names")
_OF_HUGGING_FACE = ("coordinates", "class_attribute", "class_names")
_OF_CSV = ("columns", "coordinates", "class_names", "box_format", "class_descriptions", "image_labels")
FORMATS: dict[str, Format] = {
    "coco": Format(
        "COCO", "coco", (_JSON,), of_folder=False, is_certain=True, lists_classes=True, options=_OF_COCO
    ),
    "voc": Format("Pascal VOC", "voc", (_XML,), maskless=_VOC_MASKS, options=("voc_origin",)),
    "csv": Format(
        "CSV",
        "csv_rows",
        (_CSV, _TSV),
        "csv_columns.shows",
        of_folder=False,
        maskless=_NO_MASKS,
        options=_OF_CSV,
    ),
    "automl": Format("AutoML / Vertex", "automl", (_CSV, ".jsonl"), of_folder=False, maskless=_NO_MASKS),
    "labelstudio-csv": Format("Label Studio CSV", "labelstudio_csv", (_CSV, _TSV), of_folder=False),
    "via-csv": Format("VIA CSV", "via_csv", (_CSV,), of_folder=False, options=_OF_VIA),
    "yolo": Format("YOLO", "yolo", (_TXT,), "yolo_search.has_rows", of_file=False, options=("yolo",)),
    "cvat": Format("CVAT", "cvat", (_XML,), options=_OF_CVAT),
    "kitti": Format("KITTI", "kitti", (_TXT,), "text_rows.shows_kitti", of_file=False, maskless=_NO_MASKS),
    "dota": Format("DOTA", "dota", (_TXT,), "text_rows.shows_dota", of_file=False),
    "labelme": Format("LabelMe", "labelme", (_JSON,)),
    "labelstudio": Format("Label Studio", "labelstudio", (_JSON,), of_folder=False),
    "via": Format("VIA", "via", (_JSON,), of_folder=False, options=_OF_VIA),
    "vott": Format("VoTT", "vott", (_JSON,)),
    "createml": Format(
        "Create ML", "createml", (_JSON,), of_folder=False, maskless=_NO_MASKS, options=("coordinates",)
    ),
    "huggingface": Format(
        "Hugging Face", "huggingface", (".jsonl", _CSV), maskless=_NO_MASKS, options=_OF_HUGGING_FACE
    ),
    "supervisely": Format("Supervisely", "supervisely", (_JSON,)),
    "tfrecord": Format("TFRecords", "tfod", options=("label_map",)),
}

"""The options of `tfrec convert` and `tfrec validate`, and what they mean together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfrec_tools.dataset.options import ClassOptions, PolicyOptions, SetOptions, WorkerOptions
from tfrec_tools.errors import InputError
from tfrec_tools.images.limits import MAX_PIXELS
from tfrec_tools.system.options import (
    Option,
    Panel,
    Paths,
    StrPath,
    Words,
    as_path,
    as_paths,
    narrowed,
)

Format = Literal[
    "coco",
    "voc",
    "csv",
    "automl",
    "labelstudio-csv",
    "via-csv",
    "yolo",
    "cvat",
    "kitti",
    "dota",
    "labelme",
    "labelstudio",
    "via",
    "vott",
    "createml",
    "huggingface",
    "supervisely",
    "tfrecord",
]


@dataclass(frozen=True)
class SourceOptions(ClassOptions, PolicyOptions, WorkerOptions):
    """What is read."""

    sources: Annotated[
        Paths,
        Option(
            "Annotations, one source or several: files or folders of COCO, Pascal VOC, CSV, YOLO, CVAT, "
            "LabelMe and others (docs/convert.md lists them), TFRecords, .zip archives.",
            argument=True,
            recorded=False,
            stores=True,
        ),
    ]
    _: KW_ONLY
    images: Annotated[
        Paths | None,
        Option(
            "Folder of the images, searched by name, then below it by base name in any case; once for all "
            "sources or once for each.",
            Panel.SOURCE,
            default="the folder JPEGImages or images in or beside the source's own folder, else that folder",
            stores=True,
        ),
    ] = None
    format: Annotated[
        Format | Sequence[Format] | None,
        Option(
            "Format; once for all sources or once for each.",
            Panel.SOURCE,
            default="detected from the files",
        ),
    ] = None
    labels: Annotated[
        StrPath | None,
        Option(
            "Label map with the ids to write: whatever merge-labels reads.",
            Panel.SOURCE,
            default="made from the sources",
            stores=True,
        ),
    ] = None
    labeled: Annotated[
        Words | None,
        Option(
            "Classes that the images were annotated for, with commas between them; once for all sources or "
            "once for each.",
            Panel.SOURCE,
            metavar="A,B,C",
            default="the classes that each source has",
        ),
    ] = None
    masks: Annotated[Literal["none", "png"], Option("Store the masks of objects too.", Panel.SOURCE)] = "none"
    keypoints: Annotated[
        Literal["write", "none"],
        Option("Write the keypoints of objects, or leave them out.", Panel.SOURCE),
    ] = "write"
    voc_origin: Annotated[
        int,
        Option(
            "Pascal VOC: 0 reads coordinates as they stand, 1 is for files of the VOC devkit, whose pixels "
            "count from 1.",
            Panel.FORMATS,
            minimum=0,
            maximum=1,
        ),
    ] = 0
    yolo: Annotated[
        Literal["detect", "segment", "pose", "obb"] | None,
        Option(
            "YOLO: what follows the class in each row: a box, a polygon, a box with keypoints, or the "
            "corners of a rotated box.",
            Panel.FORMATS,
            default="as data.yaml or the rows say",
        ),
    ] = None
    columns: Annotated[
        str | None,
        Option(
            "CSV: names, or numbers from 0 on, of columns that are called otherwise; class=none where no "
            "column is the class.",
            Panel.FORMATS,
            metavar="xmin=x1,...",
        ),
    ] = None
    coordinates: Annotated[
        Literal["pixels", "fractions"] | None,
        Option(
            "CSV, COCO, Create ML, Hugging Face: the unit of the boxes, pixels or fractions of the image.",
            Panel.FORMATS,
            default="seen from the numbers, or refused",
        ),
    ] = None
    boxes_from: Annotated[
        Literal["keypoints"] | None,
        Option(
            "COCO, CVAT: objects that have nothing else get the box around their keypoints.",
            Panel.FORMATS,
            default="such objects are box-missing",
        ),
    ] = None
    keyframes: Annotated[
        Literal["interpolate", "alone"] | None,
        Option(
            "CVAT: of tracks with keyframes alone, interpolate fills the frames between them as CVAT does, "
            "alone leaves them out.",
            Panel.FORMATS,
            default="such tracks are refused",
        ),
    ] = None
    class_attribute: Annotated[
        str | None,
        Option(
            "VIA, Hugging Face: the attribute that is the class.",
            Panel.FORMATS,
            metavar="NAME",
            default="the only one that can be it",
        ),
    ] = None
    class_names: Annotated[
        str | None,
        Option(
            "Hugging Face: names of the classes 0, 1, ... CSV, VIA: the class of all boxes, where nothing "
            "names it.",
            Panel.FORMATS,
            metavar="A,B,C",
            default="as the data set's README.md says",
        ),
    ] = None
    box_format: Annotated[
        Literal["xyxy", "xywh", "cxcywh"] | None,
        Option(
            "CSV: the four numbers of a box: two corners, a corner and the size, or the centre and the size.",
            Panel.FORMATS,
            default="as the header says",
        ),
    ] = None
    class_descriptions: Annotated[
        StrPath | None,
        Option(
            "CSV: a file of two columns, a class as the source has it and its name; or none.",
            Panel.FORMATS,
            default="of Open Images the class-descriptions*.csv beside it",
        ),
    ] = None
    image_labels: Annotated[
        StrPath | None,
        Option(
            "Open Images: the human-verified labels, which say what each image was annotated for; or none.",
            Panel.FORMATS,
            default="the *-human-imagelabels*.csv of the same split beside it",
        ),
    ] = None
    record_labels: Annotated[
        StrPath | None,
        Option(
            "TFRecords: label map of those that name no classes.",
            Panel.FORMATS,
            default="the one beside them",
        ),
    ] = None
    rescale: Annotated[
        bool, Option("Scale boxes to images of another size than the annotated one.", Panel.IMAGES)
    ] = False
    exif: Annotated[
        Literal["auto", "turn", "keep"],
        Option(
            "Turn images as their EXIF orientation says: those that were annotated so, as far as size, boxes "
            "and tool tell; all; or none.",
            Panel.IMAGES,
        ),
    ] = "auto"
    max_side: Annotated[
        int | None,
        Option(
            "Shrink images, and boxes with them, to this longer side in pixels.", Panel.IMAGES, minimum=16
        ),
    ] = None
    max_pixels: Annotated[
        int,
        Option(
            "Images of more pixels are image-huge; their headers are judged before anything is decoded.",
            Panel.CHECKS,
            minimum=1,
        ),
    ] = MAX_PIXELS
    jpeg_quality: Annotated[
        int, Option("JPEG quality of images that must be transcoded.", Panel.IMAGES, minimum=1, maximum=100)
    ] = 95
    no_negatives: Annotated[bool, Option("Leave out images without annotations.", Panel.SOURCE)] = False
    min_side: Annotated[
        float,
        Option("Boxes with a shorter side than this (pixels) are called tiny.", Panel.CHECKS, minimum=0),
    ] = 1.0
    verify_images: Annotated[
        Literal["header", "decode", "off"],
        Option("header also looks for the end of each image file; decode decodes every image.", Panel.CHECKS),
    ] = "header"

    @property
    def source_paths(self) -> tuple[Path, ...]:
        return as_paths(self.sources)

    @property
    def labels_path(self) -> Path | None:
        return None if self.labels is None else as_path(self.labels)


@dataclass(frozen=True)
class ConvertOptions(SetOptions, SourceOptions):
    """What is read, and what is written."""

    _: KW_ONLY
    split: Annotated[
        str | None,
        Option(
            "train=0.8,val=0.1,test=0.1 writes DIR/NAME-SPLIT-... files; source takes the splits that the "
            "sources name, or that folders and files are called after.",
            Panel.OUTPUT,
            metavar="SHARES|source",
            default="one set without splits",
        ),
    ] = None
    group_by: Annotated[
        str | None,
        Option(
            "What stays in one split: images of the same bytes, or images whose names begin alike.",
            Panel.OUTPUT,
            metavar="sha256|prefix:REGEX",
        ),
    ] = None


@dataclass(frozen=True)
class ValidateOptions(SourceOptions):
    """What is checked as `convert` would."""

    @property
    def as_conversion(self) -> ConvertOptions:
        """The conversion of which this is the dry run."""
        return narrowed(ConvertOptions, self, out="validate")


def column_pairs(columns: str | None) -> tuple[tuple[str, str], ...]:
    """Pairs of "xmin=x1,class=label". InputError where a word is no pair."""
    words = [word.strip().partition("=") for word in columns.split(",")] if columns else []
    if wrong := ["".join(word) for word in words if not (word[0] and word[2])]:
        raise InputError("--columns", f"{wrong[0]!r} is not NAME=COLUMN")
    return tuple((name, column) for name, _, column in words)


def numbered_names(names: str | None) -> tuple[str, ...] | None:
    """Names of "A,B,C", whose numbers count from 0. InputError where one is empty or stands twice."""
    if names is None:
        return None
    listed = tuple(name.strip() for name in names.split(","))
    if not all(listed) or len(set(listed)) < len(listed):
        raise InputError(
            "--class-names", f"is {names!r}, expected names, each once, with commas between them"
        )
    return listed

"""What a reader needs to be told, since the files do not say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.errors import InputError

YOLO_TASKS = ("detect", "segment", "pose", "obb")
BOX_FORMATS = ("xyxy", "xywh", "cxcywh")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """For every reader; each takes what concerns it.

    masks        read the objects' masks (COCO, YOLO, TFRecord; polygons of tools)
    keypoints    read the objects' keypoints (COCO, YOLO, TFRecord); else they are counted and left out
    voc_origin   0: coordinates as they stand; 1: pixels count from 1, as in the VOC devkit
    columns      pairs (our name of a CSV column, its name or number from 0 in the file)
    coordinates  of boxes of CSV, COCO, Create ML, Hugging Face: "pixels" or "fractions" of the image; None:
                 as they look
    box_format   what the four numbers of CSV boxes are, one of BOX_FORMATS; None: as the header says
    class_descriptions   a CSV of classes, as another CSV has them, and their names; None: of Open Images the
                         one that lies beside it
    image_labels   the classes that people looked for in each image of Open Images; None: likewise. For either
                   the path "none" means that it is not to be read
    label_map    the classes of TFRecords that name none (.pbtxt); None: one that lies beside them
    yolo         what the numbers of YOLO's rows are, one of YOLO_TASKS; None: as the data set says
    boxes_from   "keypoints": objects that have nothing but keypoints get the box around those that are set
    keyframes    of CVAT's tracks that have keyframes alone: "interpolate" fills what is between them, "alone"
                 takes the frames that they are at; None: refuses them
    class_attribute   the attribute of VIA's regions, or of Hugging Face's objects, that is their class; None:
                      the only one that can be it
    class_names  the names of Hugging Face's classes by their numbers, from 0; None: as the data set says. One
                 name alone is that of all boxes of a CSV without a column of classes, or of VIA's without
                 attributes
    writes       DIR/NAME of the set of TFRecords that is being written, which is no source of its own
    """

    masks: bool = False
    keypoints: bool = True
    voc_origin: int = 0
    columns: tuple[tuple[str, str], ...] = ()
    label_map: Path | None = None
    yolo: str | None = None
    coordinates: str | None = None
    boxes_from: str | None = None
    keyframes: str | None = None
    class_attribute: str | None = None
    class_names: tuple[str, ...] | None = None
    box_format: str | None = None
    class_descriptions: Path | None = None
    image_labels: Path | None = None
    writes: Path | None = None

    def __post_init__(self) -> None:
        if self.voc_origin not in (0, 1):
            raise InputError("--voc-origin", f"is {self.voc_origin}, expected 0 or 1")
        if self.yolo not in (None, *YOLO_TASKS):
            raise InputError("--yolo", f"is {self.yolo!r}, expected one of {', '.join(YOLO_TASKS)}")
        if self.box_format not in (None, *BOX_FORMATS):
            expected = ", ".join(BOX_FORMATS)
            raise InputError("--box-format", f"is {self.box_format!r}, expected one of {expected}")


DEFAULT = ReadOptions()

"""What the commands that run a model share."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfrec_tools.errors import InputError
from tfrec_tools.system.options import Option, Options, Panel, Paths, StrPath, as_path, as_texts

ExportFormat = Literal["saved_model", "tflite", "tflite-fp16", "tflite-int8", "onnx", "checkpoint"]
ImageInput = Literal["image", "float", "encoded", "tf_example"]  # TFOD's, without "_tensor"

MODEL = (
    "Model folder (pipeline.config, label map, checkpoint/), a run's folder, or a name from `tfrec models`."
)
_LABEL_MAP_DEFAULT = (
    "label_map.pbtxt in the folder, else the one that its pipeline.config names, else the only one in or "
    "beside the folder"
)
MODEL_LABEL_MAP = Option("Label map (.pbtxt) of --model.", metavar="MAP", default=_LABEL_MAP_DEFAULT)
IfChanged = Annotated[
    bool,
    Option(
        "Replace the folder, if model, images, options or version are others than those it was made of.",
        recorded=False,
    ),
]
BASE_LABEL_MAP = Option(
    "Label map (.pbtxt) of --base.", Panel.MODELS, metavar="MAP", default=_LABEL_MAP_DEFAULT
)


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """What is measured, and on what."""

    _: KW_ONLY
    model: Annotated[StrPath, Option(MODEL)]
    records: Annotated[Paths, Option("Annotated records: 'DIR/NAME-*'; may be repeated.", stores=True)]
    model_labels: Annotated[StrPath | None, MODEL_LABEL_MAP] = None
    out: Annotated[StrPath | None, Option("New folder for metrics.json and the charts.")] = None
    score: Annotated[
        float | None,
        Option(
            "Lowest score that counts in the confusion matrix.",
            minimum=0,
            maximum=1,
            default="for each class, the score at which its F1 is best",
        ),
    ] = None
    batch: Annotated[int, Option("Number of images in a batch.", minimum=1)] = 8
    voc07: Annotated[
        bool, Option("Also measure Pascal VOC 2007's 11-point AP50, to compare with papers.")
    ] = False
    like: Annotated[
        StrPath | None,
        Option(
            "COCO's instances.json whose category ids (by class name) and image ids (by file name) "
            "detections.json in --out is to have, for COCO's own evaluation.",
            metavar="INSTANCES",
        ),
    ] = None

    @property
    def label_map(self) -> Path | None:
        return _path(self.model_labels)

    @property
    def patterns(self) -> tuple[str, ...]:
        return as_texts(self.records)

    @property
    def folder(self) -> Path | None:
        return None if self.out is None else as_path(self.out)


@dataclass(frozen=True)
class DetectOptions(Options):
    """What is looked at, and with which model."""

    images: Annotated[
        Paths,
        Option(
            "Image files, folders of them, or records: files, DIR/NAME, 'DIR/NAME-*'.",
            argument=True,
            recorded=False,
        ),
    ]
    _: KW_ONLY
    model: Annotated[StrPath, Option(MODEL, recorded=False)]
    out: Annotated[
        StrPath, Option("New folder for drawn/, detections.json and detections.csv.", recorded=False)
    ]
    if_changed: IfChanged = False
    model_labels: Annotated[StrPath | None, MODEL_LABEL_MAP] = None
    score: Annotated[
        float | None,
        Option(
            "Lowest score that is drawn and listed.",
            minimum=0,
            maximum=1,
            default="for each class, the score in the model folder's scores.json, which finetune writes; "
            "else 0.5",
        ),
    ] = None
    batch: Annotated[int, Option("Number of images in a batch.", minimum=1)] = 8
    like: Annotated[
        StrPath | None,
        Option(
            "COCO's instances.json whose category ids (by class name) and image ids (by file name) "
            "detections.json is to have, for COCO's own evaluation.",
            metavar="INSTANCES",
        ),
    ] = None

    @property
    def label_map(self) -> Path | None:
        return _path(self.model_labels)

    @property
    def words(self) -> tuple[str, ...]:
        """The images and records, as text."""
        return as_texts(self.images)


@dataclass(frozen=True)
class ExportOptions(Options):
    """Which model is written, and in which format."""

    _: KW_ONLY
    model: Annotated[StrPath, Option(MODEL, recorded=False)]
    to: Annotated[ExportFormat, Option("The format.")]
    out: Annotated[StrPath, Option("New folder for the exported model.", recorded=False)]
    if_changed: IfChanged = False
    model_labels: Annotated[StrPath | None, MODEL_LABEL_MAP] = None
    records: Annotated[
        Paths | None,
        Option(
            "Images like those that the model will see, whatever is annotated on them: image files, folders "
            "of them, or records. tflite-int8 is calibrated with 100 of them, every format is compared on "
            "the first. May be repeated.",
            recorded=False,
        ),
    ] = None
    input: Annotated[
        ImageInput,
        Option(
            "What a SavedModel takes: uint8 pixels; float32 pixels of 0 to 255; an encoded image (JPEG, "
            "PNG), as clients of TensorFlow Serving send it; or a serialised Example with image/encoded."
        ),
    ] = "image"
    batches: Annotated[
        bool,
        Option(
            "A SavedModel or ONNX that takes any number of images at once; TFOD's, which is the default, "
            "takes one and refuses more."
        ),
    ] = False

    @property
    def label_map(self) -> Path | None:
        return _path(self.model_labels)

    @property
    def patterns(self) -> tuple[str, ...]:
        return as_texts(self.records)

    def require_possible(self) -> None:
        """Raises InputError where the format has no such input."""
        if self.input != "image" and self.to != "saved_model":
            raise InputError(f"--input {self.input}", f"is for --to saved_model; {self.to} takes pixels")
        if self.batches and self.to not in ("saved_model", "onnx"):
            reason = "holds no function" if self.to == "checkpoint" else "takes one image"
            raise InputError("--batches", f"is for --to saved_model and onnx; {self.to} {reason}")


@dataclass(frozen=True)
class ConfigOptions(Options):
    """Which pipeline.config is rewritten, and for what."""

    source: Annotated[
        StrPath,
        Option("A pipeline.config, or a model folder that has one.", argument=True, metavar="MODEL"),
    ]
    _: KW_ONLY
    labels: Annotated[StrPath, Option("Label map (.pbtxt) with the classes of the new model.")]
    out: Annotated[StrPath, Option("The file to write.")]
    train: Annotated[str | None, Option("Records to train with: 'DIR/NAME-*'.")] = None
    val: Annotated[str | None, Option("Records to evaluate with: 'DIR/NAME-*'.")] = None
    checkpoint: Annotated[str | None, Option("Weights to start from: MODEL/checkpoint/ckpt-0.")] = None
    checkpoint_type: Annotated[
        Literal["full", "detection", "classification"],
        Option(
            "What TFOD restores of --checkpoint: everything, everything but the heads, or the backbone alone."
        ),
    ] = "full"
    batch: Annotated[int | None, Option("Images per training step.", minimum=1)] = None


def _path(value: StrPath | None) -> Path | None:
    return None if value is None else as_path(value)

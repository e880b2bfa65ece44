"""The story of `tfrec export`: a model folder in another format, held against the original."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.dataset import made_folder
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.data.images import decoded
from tfrec_tools.detector.data.inputs import InputImage, input_images
from tfrec_tools.detector.export import agreement, onnx, saved_model, tflite, tflite_centers
from tfrec_tools.detector.export.agreement import Answer, Tolerance
from tfrec_tools.detector.export.entry import Entry
from tfrec_tools.detector.export.exported import Exported, origin_of
from tfrec_tools.detector.export.full_disk import in_one_line
from tfrec_tools.detector.export.labels_file import FILE as LABELS_FILE
from tfrec_tools.detector.export.labels_file import label_lines
from tfrec_tools.detector.model.detector import Detector, load_detector, save_detector
from tfrec_tools.detector.model.standing import stands
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.models import ExportOptions
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system.options import as_path

ImageArray = NDArray[np.uint8]

_CALIBRATING = 100  # images, spread over the records
_EXACT = Tolerance(raw_scores=1e-5, raw_mean=1e-6, box=1e-4, lost=0)
_FLOAT = Tolerance(raw_scores=1e-3, raw_mean=1e-4, box=5e-3, lost=0)
_HALF = Tolerance(raw_scores=0.05, raw_mean=5e-3, box=0.05, lost=1)
_BYTES = Tolerance(raw_scores=0.3, raw_mean=0.02, box=0.15, lost=3)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How images come in, and images (H, W, 3) to calibrate with."""

    entry: Entry
    images: Sequence[ImageArray]


@dataclass(frozen=True, slots=True)
class Writer:
    """How a format is written into a folder, and what then answers for an image.

    write   (detector, folder, what is wanted)
    run     (folder, detector, image, how it comes in)
    """

    write: Callable[[Detector, Path, Wanted], None]
    run: Callable[[Path, Detector, ImageArray, Entry], Answer]
    tolerance: Tolerance


def export_model(options: ExportOptions) -> Exported:
    """Fills --out, or finds that done, and says how far what stands there is from the original on an image.
    InputError where an input cannot be used or the disk is full; TfrecError, and nothing in --out, where they
    do not agree."""
    options.require_possible()
    with made_folder.claimed(as_path(options.out)):
        return _export(options, model_folder(str(options.model)))


def _export(options: ExportOptions, model: Path) -> Exported:
    out, origin = as_path(options.out), origin_of(options, model)
    there = stands(options, origin, Exported)
    if there.result is not None:
        return there.result
    if options.to == "onnx":
        onnx.require()
    detector = load_detector(model, options.label_map)
    images = _sample_images(options.patterns) if options.patterns else []
    if options.to == "tflite-int8" and not images:
        raise TfrecError("--to tflite-int8 needs --records: images to calibrate with")
    lines, image = label_lines(detector.labels), images[0] if images else _made_image(detector)
    wanted = Wanted(Entry(options.input, options.batches), images)
    with in_one_line(out, Path(tempfile.gettempdir())), made_folder.filled(out, there) as folder:
        chosen = FORMATS[options.to]
        chosen.write(detector, folder, wanted)
        (folder / LABELS_FILE).write_text(lines, encoding="utf-8")
        result = agreement.compare(
            chosen.run(folder, detector, image, wanted.entry),
            agreement.original(detector, image),
            chosen.tolerance,
        )
        if not agreement.agrees(result, chosen.tolerance):
            raise TfrecError(
                f"the exported model does not agree with {options.model}: scores differ by up to "
                f"{result.raw_scores:.2g}, {result.lost} of {result.compared} detections are lost; nothing "
                "is written"
            )
        exported = Exported(replace(result, gaps=detector.labels.gaps))
        made_folder.note(folder, origin, exported)
    return replace(exported, outcome=there.outcome, changed=there.changed)


def _sample_images(words: Sequence[str]) -> list[ImageArray]:
    """Returns up to _CALIBRATING images (H, W, 3), spread over those that the words name, whatever is
    annotated on them; damaged ones are passed over. InputError where there is none."""
    kept: list[InputImage] = []
    every = 1
    sound = (image for image in input_images(words) if image.data)
    for number, image in enumerate(sound):
        if number % every == 0:
            kept.append(image)
        if len(kept) == 2 * _CALIBRATING:  # more than are needed, so that those in between can be spared
            kept, every = kept[::2], 2 * every
    chosen = np.unique(np.linspace(0, len(kept) - 1, _CALIBRATING).round().astype(int)) if kept else ()
    images = [pixels for _, pixels in decoded((kept[index] for index in chosen), [])]
    if not images:
        raise InputError(" ".join(words), "holds no sound image")
    return images


def _made_image(detector: Detector) -> ImageArray:
    """Returns coloured clouds, for a comparison where there is no image; 3 : 4, so that padding is tried."""
    height = max(detector.config.resizer.height_px, 64)
    coarse = np.random.default_rng(0).uniform(0, 255, (1, 12, 16, 3)).astype(np.float32)
    clouds = tf.image.resize(coarse, (height, height * 4 // 3))[0]
    return tf.cast(clouds, tf.uint8).numpy()


def _write_checkpoint(detector: Detector, folder: Path, _wanted: Wanted) -> None:
    # Below the folder, so that nothing of it is left beside it where the disk is full.
    inner = folder / "model"
    save_detector(detector, inner)
    for path in inner.iterdir():
        path.replace(folder / path.name)
    inner.rmdir()


def _write_saved_model(detector: Detector, folder: Path, wanted: Wanted) -> None:
    """The whole folder that TFOD's exporter leaves."""
    _write_checkpoint(detector, folder, wanted)
    saved_model.write(detector, folder / "saved_model", wanted.entry)


def _write_tflite(detector: Detector, folder: Path, _wanted: Wanted) -> None:
    _tflite(detector).write(detector, folder / "model.tflite", None)


def _write_tflite_fp16(detector: Detector, folder: Path, _wanted: Wanted) -> None:
    _tflite(detector).write(detector, folder / "model.tflite", None, half=True)


def _write_tflite_int8(detector: Detector, folder: Path, wanted: Wanted) -> None:
    _tflite(detector).write(detector, folder / "model.tflite", wanted.images)


def _write_onnx(detector: Detector, folder: Path, wanted: Wanted) -> None:
    onnx.write(detector, folder / "model.onnx", wanted.entry)
    (folder / "label_map.pbtxt").write_text(format_label_map(detector.labels), encoding="utf-8")


def _run_checkpoint(folder: Path, _detector: Detector, image: ImageArray, _entry: Entry) -> Answer:
    return agreement.original(load_detector(folder), image)


def _run_saved_model(folder: Path, _detector: Detector, image: ImageArray, entry: Entry) -> Answer:
    return saved_model.run(folder / "saved_model", image, entry)


def _run_tflite(folder: Path, detector: Detector, image: ImageArray, _entry: Entry) -> Answer:
    return _tflite(detector).run(folder / "model.tflite", detector, image)


def _tflite(detector: Detector) -> ModuleType:
    """Returns the module for the family."""
    return tflite_centers if isinstance(detector.config, CenterNetConfig) else tflite


def _run_onnx(folder: Path, _detector: Detector, image: ImageArray, entry: Entry) -> Answer:
    return onnx.run(folder / "model.onnx", image, entry)


FORMATS = {
    "checkpoint": Writer(_write_checkpoint, _run_checkpoint, _EXACT),
    "saved_model": Writer(_write_saved_model, _run_saved_model, _FLOAT),
    "tflite": Writer(_write_tflite, _run_tflite, _FLOAT),
    "tflite-fp16": Writer(_write_tflite_fp16, _run_tflite, _HALF),
    "tflite-int8": Writer(_write_tflite_int8, _run_tflite, _BYTES),
    "onnx": Writer(_write_onnx, _run_onnx, _FLOAT),
}

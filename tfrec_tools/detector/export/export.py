"""The story of `tfrec export`: a model folder in another format, held against the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import index_records, read_picture
from tfrec_tools.detector.export import agreement, onnx, saved_model, tflite
from tfrec_tools.detector.export.agreement import Agreement, Answer, Tolerance
from tfrec_tools.detector.model.detector import Detector, load_detector, save_detector
from tfrec_tools.errors import TfrecError
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system.atomic import published_folder, require_free

Picture = NDArray[np.uint8]

_CALIBRATING = 100  # pictures, spread over the records
_EXACT = Tolerance(raw_scores=1e-5, raw_mean=1e-6, box=1e-4, lost=0)
_FLOAT = Tolerance(raw_scores=1e-3, raw_mean=1e-4, box=5e-3, lost=0)
_BYTES = Tolerance(raw_scores=0.3, raw_mean=0.02, box=0.15, lost=3)


@dataclass(frozen=True, slots=True)
class Export:
    """What to write: `to` is a key of FORMATS; `records` are patterns of record files with pictures like
    those that the model will see, to calibrate 8 bits with and to compare on."""

    model: Path
    to: str
    out: Path
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is written into a folder, and what then answers for a picture.

    write   (detector, folder, pictures to calibrate with)
    run     (folder, detector, picture)
    """

    write: Callable[[Detector, Path, Sequence[Picture]], None]
    run: Callable[[Path, Detector, Picture], Answer]
    tolerance: Tolerance


def export_model(plan: Export) -> Agreement:
    """Fills plan.out, and says how far what stands there is from the original on a picture. InputError where
    an input cannot be used; TfrecError, and nothing in plan.out, where they do not agree."""
    require_free(plan.out)
    if plan.to == "onnx":
        onnx.require()
    detector = load_detector(plan.model)
    pictures = _pictures(plan.records, detector) if plan.records else []
    if plan.to == "tflite-int8" and not pictures:
        raise TfrecError("--to tflite-int8 needs --records: pictures to calibrate with")
    picture = pictures[0] if pictures else _made_picture(detector)
    chosen = FORMATS[plan.to]
    with published_folder(plan.out) as folder:
        chosen.write(detector, folder, pictures)
        found = agreement.compare(
            chosen.run(folder, detector, picture), agreement.original(detector, picture), chosen.tolerance
        )
        if not agreement.agrees(found, chosen.tolerance):
            raise TfrecError(
                f"the exported model does not agree with {plan.model}: scores differ by up to "
                f"{found.raw_scores:.2g}, {found.lost} of {found.compared} detections are lost; nothing is "
                "written"
            )
    return found


def _pictures(patterns: Sequence[str], detector: Detector) -> list[Picture]:
    """Up to _CALIBRATING pictures (H, W, 3) at equal distances in the records."""
    examples = index_records(patterns, detector.labels)
    chosen = np.unique(np.linspace(0, len(examples) - 1, _CALIBRATING).round().astype(int))
    return [
        tf.io.decode_image(read_picture(examples[index]), channels=3, expand_animations=False).numpy()
        for index in chosen
    ]


def _made_picture(detector: Detector) -> Picture:
    """Coloured clouds, for a comparison where there is no picture; 3 : 4, so that padding is tried."""
    height = max(detector.config.resizer.height_px, 64)
    coarse = np.random.default_rng(0).uniform(0, 255, (1, 12, 16, 3)).astype(np.float32)
    clouds = tf.image.resize(coarse, (height, height * 4 // 3))[0]
    return tf.cast(clouds, tf.uint8).numpy()


def _write_checkpoint(detector: Detector, folder: Path, _pictures: Sequence[Picture]) -> None:
    save_detector(detector, folder)


def _write_saved_model(detector: Detector, folder: Path, _pictures: Sequence[Picture]) -> None:
    """The whole folder that TFOD's exporter leaves."""
    save_detector(detector, folder)
    saved_model.write(detector, folder / "saved_model")


def _write_tflite(detector: Detector, folder: Path, _pictures: Sequence[Picture]) -> None:
    tflite.write(detector, folder / "model.tflite", None)


def _write_tflite_int8(detector: Detector, folder: Path, pictures: Sequence[Picture]) -> None:
    tflite.write(detector, folder / "model.tflite", pictures)


def _write_onnx(detector: Detector, folder: Path, _pictures: Sequence[Picture]) -> None:
    onnx.write(detector, folder / "model.onnx")
    (folder / "label_map.pbtxt").write_text(format_label_map(detector.labels), encoding="utf-8")


def _run_checkpoint(folder: Path, _detector: Detector, picture: Picture) -> Answer:
    return agreement.original(load_detector(folder), picture)


def _run_saved_model(folder: Path, _detector: Detector, picture: Picture) -> Answer:
    return saved_model.run(folder / "saved_model", picture)


def _run_tflite(folder: Path, detector: Detector, picture: Picture) -> Answer:
    return tflite.run(folder / "model.tflite", detector, picture)


def _run_onnx(folder: Path, _detector: Detector, picture: Picture) -> Answer:
    return onnx.run(folder / "model.onnx", picture)


FORMATS = {
    "checkpoint": Format(_write_checkpoint, _run_checkpoint, _EXACT),
    "saved_model": Format(_write_saved_model, _run_saved_model, _FLOAT),
    "tflite": Format(_write_tflite, _run_tflite, _FLOAT),
    "tflite-int8": Format(_write_tflite_int8, _run_tflite, _BYTES),
    "onnx": Format(_write_onnx, _run_onnx, _FLOAT),
}

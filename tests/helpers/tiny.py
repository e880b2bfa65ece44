"""A narrow detector and records of simple pictures, for tests that need some of each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from tests.helpers.places import DATA
from tfrec_tools.annotations.records import image_record
from tfrec_tools.detector.config.read import Config, read_pipeline
from tfrec_tools.detector.config.ssd import SsdConfig
from tfrec_tools.detector.model.detector import (
    Detector,
    Values,
    assign,
    new_detector,
    save_detector,
    values,
)
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example

PIPELINE = DATA / "fpnlite.pipeline.config"
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230)}


def detector(*names: str, seed: int = 1, canvas_px: int = 64) -> Detector:
    """Random weights, with batch norms that have seen some noise: without that no signal gets through."""
    pipeline = PIPELINE.read_text(encoding="utf-8")
    for edge in ("height", "width"):
        pipeline = pipeline.replace(f"{edge}: 64\n", f"{edge}: {canvas_px}\n")
    made = new_detector(pipeline, from_names(names), seed)
    if (weights := _SETTLED.get((len(names), seed, canvas_px))) is not None:
        assign(made.network, weights)
        return made
    noise = np.random.default_rng(seed).uniform(-1, 1, (4, canvas_px, canvas_px, 3)).astype(np.float32)
    for _ in range(8):
        made.network(noise, training=True)
    _SETTLED[len(names), seed, canvas_px] = {
        path: value.copy() for path, value in values(made.network).items()
    }
    return made


_SETTLED: dict[tuple[int, int, int], Values] = {}  # weights by what they hang on, as the noise takes a second


def config() -> SsdConfig:
    """What the detectors are of, for as many classes as the file says, without a network."""
    return ssd_config(read_pipeline(PIPELINE))


def ssd_config(config: Config) -> SsdConfig:
    """Of a single-shot detector, which it must be of."""
    assert isinstance(config, SsdConfig)
    return config


def floats(network: keras.Model) -> dict[str, Any]:
    """{path: value} of all variables, which are all float32, to be reckoned with."""
    return {path: np.asarray(value, np.float32) for path, value in values(network).items()}


def model_folder(folder: Path, *names: str, seed: int = 1) -> Path:
    save_detector(detector(*names, seed=seed), folder)
    return folder


def write_records(
    path: Path,
    names: Sequence[str],
    count: int,
    *,
    labels: LabelMap | None = None,
    labeled: frozenset[str] | None = None,
) -> Path:
    """`count` pictures of 64 x 64, each with one square of each class, in a TFRecord file."""
    ids = (labels or from_names(names)).id_by_name
    random = np.random.default_rng(7)
    framing.write(path, (_example(random, number, names, ids, labeled) for number in range(count)))
    return path


def _example(
    random: np.random.Generator,
    number: int,
    names: Sequence[str],
    ids: dict[str, int],
    labeled: frozenset[str] | None,
) -> bytes:
    picture = random.integers(90, 130, (64, 64, 3), np.uint8)
    boxes = []
    for name in names:
        side = int(random.integers(20, 32))
        left, top = (int(edge) for edge in random.integers(0, 64 - side, 2))
        picture[top : top + side, left : left + side] = COLOURS[name]
        boxes.append([left, top, left + side, top + side])
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG")
    record = image_record(
        image_id=str(number),
        filename=f"{number}.png",
        source="tests",
        width=64,
        height=64,
        boxes_xyxy=boxes,
        names=tuple(names),
        labeled=labeled,
    )
    return encode_example(record, EncodedImage(encoded.getvalue(), "png", 64, 64), ids)

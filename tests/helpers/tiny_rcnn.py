"""A narrow Faster R-CNN, for tests that need one."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.helpers.places import DATA
from tfrec_tools.detector.architectures import faster_rcnn
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import parse_pipeline
from tfrec_tools.detector.config.rewrite import Changes, rewrite_pipeline
from tfrec_tools.detector.data import resize
from tfrec_tools.detector.model.detector import Detector, save_detector, values, variables
from tfrec_tools.labels.label_map import from_names

PIPELINE = DATA / "faster_rcnn.pipeline.config"
_WIDTH = 1 / 8


def pipeline(num_classes: int, *, shares_box: bool = True) -> str:
    text = rewrite_pipeline(PIPELINE.read_text(encoding="utf-8"), Changes(num_classes, "label_map.pbtxt"))
    shared = "share_box_across_classes: true"
    assert shared in text
    return text if shares_box else text.replace(shared, "share_box_across_classes: false")


def config(num_classes: int, *, shares_box: bool = True) -> FasterRcnnConfig:
    parsed = parse_pipeline(PIPELINE, pipeline(num_classes, shares_box=shares_box))
    assert isinstance(parsed, FasterRcnnConfig)
    return replace(parsed, width=_WIDTH)


def config_of(detector: Detector) -> FasterRcnnConfig:
    """Of a Faster R-CNN, which it must be."""
    assert isinstance(detector.config, FasterRcnnConfig)
    return detector.config


def network(settings: FasterRcnnConfig) -> keras.Model:
    """With weights that no version of TensorFlow changes."""
    built = faster_rcnn.build(settings)
    for path, variable in variables(built).items():
        variable.assign(_weight(path, tuple(variable.shape)))
    return built


def detector(*names: str, shares_box: bool = True) -> Detector:
    settings = config(len(names), shares_box=shares_box)
    text, made = pipeline(len(names), shares_box=shares_box), network(settings)
    leaves = {path: (path, value) for path, value in values(made).items()}
    return Detector(settings, text, from_names(names), made, object_graph.graph_of_paths(leaves))


def model_folder(folder: Path, *names: str, shares_box: bool = True) -> Path:
    save_detector(detector(*names, shares_box=shares_box), folder)
    return folder


def picture_batch(settings: FasterRcnnConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Canvases (2, 96, 96, 3) and windows (2, 2) of a wide picture and a square one."""
    blocks = np.random.default_rng(3).integers(0, 256, (8, 8, 3))
    pictures = [blocks[:6].repeat(12, 0).repeat(12, 1), blocks.repeat(9, 0).repeat(9, 1)]
    prepared = [resize.preprocess(settings, tf.constant(picture, tf.uint8)) for picture in pictures]
    canvases, windows = zip(*prepared, strict=True)
    return tf.stack(canvases), tf.stack(windows)


def _weight(path: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    random = np.random.default_rng(zlib.crc32(path.encode()))
    name = path.rpartition("/")[2]
    if name == "kernel":
        # The first one takes pixels to about 1.
        gain = 1e-4 if shape[0] == 7 else 0.8
        return random.normal(0.0, np.sqrt(gain / np.prod(shape[:-1])), shape)
    spread = random.uniform(-0.2, 0.2, shape)
    return spread + 0.8 if name in ("gamma", "moving_variance") else spread

"""A narrow Faster R-CNN, for tests that need one, and what it computed when its code agreed with TFOD's
golden files, for clones without those.

`python -m tests.tiny_rcnn` writes tests/data/faster_rcnn.npz.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector import checkpoint, faster_rcnn, matching, model, resize
from tfrec_tools.detector.pipeline import parse_pipeline
from tfrec_tools.detector.pipeline.faster_rcnn import FasterRcnnConfig, StageLoss
from tfrec_tools.detector.rewrite import Changes, rewrite_pipeline
from tfrec_tools.labels import from_names

PIPELINE = Path(__file__).parent / "data" / "tiny_faster_rcnn.pipeline.config"
GOLDEN = Path(__file__).parent / "data" / "faster_rcnn.npz"
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


def network(settings: FasterRcnnConfig, seed: int = 1) -> keras.Model:
    """With weights that no version of TensorFlow changes."""
    built = faster_rcnn.build(settings)
    for path, variable in model.variables(built).items():
        variable.assign(_weight(path, tuple(variable.shape), seed))
    return built


def detector(*names: str, seed: int = 1, shares_box: bool = True) -> model.Detector:
    settings = config(len(names), shares_box=shares_box)
    text, made = pipeline(len(names), shares_box=shares_box), network(settings, seed)
    leaves = {path: (path, value) for path, value in model.values(made).items()}
    return model.Detector(settings, text, from_names(names), made, checkpoint.graph_of_paths(leaves))


def model_folder(folder: Path, *names: str, shares_box: bool = True) -> Path:
    model.save_detector(detector(*names, shares_box=shares_box), folder)
    return folder


def picture_batch(settings: FasterRcnnConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Canvases (2, 96, 96, 3) and windows (2, 2) of a wide picture and a square one."""
    blocks = np.random.default_rng(3).integers(0, 256, (8, 8, 3))
    pictures = [blocks[:6].repeat(12, 0).repeat(12, 1), blocks.repeat(9, 0).repeat(9, 1)]
    prepared = [resize.preprocess(settings, tf.constant(picture, tf.uint8)) for picture in pictures]
    canvases, windows = zip(*prepared, strict=True)
    return tf.stack(canvases), tf.stack(windows)


def truth(settings: FasterRcnnConfig, windows: tf.Tensor) -> matching.Truth:
    """Two boxes, one a picture, the first of class 1, the second of class 2."""
    boxes = tf.constant([[[0.1, 0.2, 0.5, 0.6]], [[0.3, 0.1, 0.6, 0.9]]])
    classes = tf.one_hot([[0], [1]], settings.num_classes)
    everything = tf.ones((2, settings.num_classes))
    return matching.Truth(windows, boxes, classes, everything, everything[0])


def first_candidates(loss: StageLoss, candidates: tf.Tensor, positive: tf.Tensor) -> tf.Tensor:
    """Draws without chance: positive ones first, then by place."""
    order = tf.argsort(
        tf.cast(candidates, tf.int32) * (1 + tf.cast(positive, tf.int32)), direction="DESCENDING"
    )
    return candidates & (tf.argsort(order) < loss.samples)


def outputs() -> dict[str, NDArray[np.generic]]:
    made = detector("red", "green", "blue", shares_box=False)
    settings, (images, windows) = made.config, picture_batch(made.config)
    assert isinstance(settings, FasterRcnnConfig)
    proposals, refined = faster_rcnn.predict(settings, made.network, images, windows)
    found = faster_rcnn.detect(settings, made.network, images, windows)
    losses = faster_rcnn.stage_losses(
        settings, made.network, images, truth(settings, windows), first_candidates, training=True
    )
    return {
        "proposals": proposals.boxes.numpy(),
        "codes": refined.codes.numpy(),
        "logits": refined.logits.numpy(),
        "scores": found.scores.numpy(),
        "losses": np.array(losses),
    }


def _weight(path: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    random = np.random.default_rng((seed, zlib.crc32(path.encode())))
    name = path.rpartition("/")[2]
    if name == "kernel":
        # The first one takes pixels to about 1.
        gain = 1e-4 if shape[0] == 7 else 0.8
        return random.normal(0.0, np.sqrt(gain / np.prod(shape[:-1])), shape)
    spread = random.uniform(-0.2, 0.2, shape)
    return spread + 0.8 if name in ("gamma", "moving_variance") else spread


if __name__ == "__main__":
    np.savez_compressed(GOLDEN, **outputs())

"""Small goldens of our own, for where TFOD's are not: what a narrow detector of each family computes with
weights, pictures and boxes that follow from a seed, as the code computed it when it gave TFOD's own numbers.

python -m tests.helpers.goldens [FAMILY...]   writes them anew
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.helpers import tiny_rcnn
from tests.helpers.places import DATA
from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.data import resize
from tfrec_tools.detector.losses import matching
from tfrec_tools.detector.model.detector import Detector, class_logits, detect, new_detector, variables
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.labels.label_map import from_names

FAMILIES = ("fpnlite", "ssd_mobilenet_v2", "retinanet", "efficientdet", "faster_rcnn", "center_net")
MEASURED = (*FAMILIES, "center_net_mobilenet")  # and other backbones of a family
# Of the heads' kernels, so that scores are well apart; swish lets weak signals become weaker.
_HEAD_GAINS = {"efficientdet": 20.0, "center_net": 0.2, "center_net_mobilenet": 0.002}
_SAMPLES = 64
# Of CenterNet's last layers: centres are rare, and sizes more than 0.
_LAST = "/0/layer_with_weights-1/"
_BIASES = {f"object_center{_LAST}bias": -3.0, f"box.Sscale{_LAST}bias": 6.0}
STEPS = TrainConfig(
    steps=3,
    batch_size=2,
    lr=1e-4,
    backbone_lr_mult=1.0,
    freeze_backbone=False,
    train_batch_norm=False,
    replay_ratio=0.0,
    average=0.0,
    seed=1,
)


def golden_file(family: str) -> Path:
    return DATA / "goldens" / f"{family}.npz"


def detector(family: str, *names: str) -> Detector:
    """Narrow, with weights that follow from their paths alone."""
    if family == "faster_rcnn":  # whose config has no field for its width
        return tiny_rcnn.detector(*(names or ("cat", "dog")))
    text = (DATA / f"{family}.pipeline.config").read_text(encoding="utf-8")
    made = new_detector(text, from_names(names or ("cat", "dog")), seed=0)
    for path, variable in variables(made.network).items():
        variable.assign(_weight(path, tuple(variable.shape), _HEAD_GAINS.get(family, 0.05)))
    return made


def measure(family: str) -> dict[str, NDArray[np.float64]]:
    """What goes in and out: canvases, logits, detections, losses and the norm of their gradient."""
    made = detector(family)
    random = np.random.default_rng(5)
    pictures = [random.integers(0, 256, (*size, 3), np.uint8) for size in ((48, 80), (90, 60))]
    prepared = [resize.preprocess(made.config, tf.constant(picture)) for picture in pictures]
    images, windows = (tf.stack(parts) for parts in zip(*prepared, strict=True))
    found = detect(made, images, windows)
    logits = class_logits(made, images, windows)
    losses, norm = _losses(made, images, windows)
    return {
        "images": _sample(images),
        "windows": windows.numpy(),
        "logits": _sample(logits),
        "boxes": found.boxes[:, :8].numpy(),
        "scores": found.scores[:, :8].numpy(),
        "losses": np.array(losses),
        "gradient_norm": np.array(norm),
    }


def _losses(made: Detector, images: tf.Tensor, windows: tf.Tensor) -> tuple[list[float], float]:
    boxes = tf.constant([[[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.8]], [[0.2, 0.3, 0.7, 0.6], [0.0] * 4]])
    classes = tf.one_hot([[0, 1], [1, -1]], 2)
    truth = matching.GroundTruth(windows, boxes, classes, tf.ones((2, 2)), tf.ones((2, 2)), tf.ones(2))
    trained = [v.value for v in variables(made.network).values() if v.trainable]
    with tf.GradientTape() as tape:
        found = registry.of(made.config).training_losses(
            made.config, made.network, images, truth, None, training=False
        )
        total = tf.add_n([*found.alone, *made.network.losses])
    norm = tf.linalg.global_norm(tape.gradient(total, trained))
    return [float(found.alone[0]), float(found.alone[1]), float(total)], float(norm)


def _weight(path: str, shape: tuple[int, ...], head_gain: float) -> NDArray[np.float64]:
    random = np.random.default_rng(list(hashlib.sha256(path.encode()).digest()[:8]))
    if path.endswith(("gamma", "moving_variance", "bifpn_combine_weights")):
        return random.uniform(0.8, 1.2, shape)
    if path.endswith(("beta", "moving_mean", "bias")):
        mean = next((mean for part, mean in _BIASES.items() if path.endswith(part)), 0.0)
        return random.normal(mean, 0.05, shape)
    fan_in = np.prod(shape[:-2]) if "depthwise" in path else np.prod(shape[:-1])
    gain = head_gain if "predict" in path and ("_layers/0/" in path or _LAST in path) else 2.0
    return random.normal(0.0, (gain / fan_in) ** 0.5, shape)


def _sample(values: tf.Tensor) -> NDArray[np.float64]:
    flat = values.numpy().ravel()
    return flat[np.linspace(0, len(flat) - 1, _SAMPLES).astype(int)]


if __name__ == "__main__":
    for name in sys.argv[1:] or MEASURED:
        golden_file(name).parent.mkdir(exist_ok=True)
        measured: dict[str, Any] = {**measure(name)}
        np.savez_compressed(golden_file(name), **measured)

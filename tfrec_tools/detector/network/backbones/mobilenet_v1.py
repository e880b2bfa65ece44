"""MobileNetV1 (Howard et al. 2017, table 1) as TFOD builds it (models/keras_models/mobilenet_v1.py)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.ssd import FpnConfig
from tfrec_tools.detector.network import layers

# (channels, stride) of each block: a depthwise convolution, and a pointwise one.
_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)
_STEM_CHANNELS = 32
# Blocks, from 1, whose outputs are levels 3, 4 and 5 (strides 8, 16, 32).
_LEVEL_BLOCKS = (5, 11, 13)


def pyramid_levels(config: FpnConfig, image: KerasTensor, path: str) -> list[KerasTensor]:
    """Returns levels 3, 4, 5 (strides 8, 16, 32) of an image (B, H, W, 3) with values in [-1, 1]."""
    names = (f"{path}.layer_with_weights-{i}" for i in count())
    stem = layers.conv(config.hyperparams, _width(config, _STEM_CHANNELS), 3, next(names), stride=2)
    features, outputs = _normed(config, stem(image), names), []
    for channels, stride in _BLOCKS:
        depthwise = layers.depthwise(config.hyperparams, next(names), stride=stride)
        features = _normed(config, depthwise(features), names)
        pointwise = layers.conv(config.hyperparams, _width(config, channels), 1, next(names))
        features = _normed(config, pointwise(features), names)
        outputs.append(features)
    return [outputs[block - 1] for block in _LEVEL_BLOCKS]


def _normed(config: FpnConfig, features: KerasTensor, names: Iterator[str]) -> KerasTensor:
    return keras.ops.relu6(layers.batch_norm(config.hyperparams, next(names))(features))


def _width(config: FpnConfig, channels: int) -> int:
    """Returns a layer's channels, multiplied twice: once by keras.applications, and once by TFOD."""
    multiplier = config.depth_multiplier
    return max(int(int(channels * multiplier) * multiplier), config.min_depth)

"""MobileNetV2 (Sandler et al. 2018, table 2) as TFOD builds it (models/keras_models/mobilenet_v2.py)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector import layers
from tfrec_tools.detector.pipeline import FeatureExtractorConfig

_BACKBONE = "_feature_extractor.classification_backbone"
# (channels, blocks, stride of the first, expansion)
_STAGES = (
    (16, 1, 1, 1),
    (24, 2, 2, 6),
    (32, 3, 2, 6),
    (64, 4, 2, 6),
    (96, 3, 1, 6),
    (160, 3, 2, 6),
    (320, 1, 1, 6),
)
_LAST_CHANNELS = 1280
# Blocks whose outputs are the pyramid's levels 3 and 4 (strides 8 and 16); level 5 is the last layer.
_LEVEL_3_BLOCK, _LEVEL_4_BLOCK = 5, 12


def feature_levels(config: FeatureExtractorConfig, image: KerasTensor) -> list[KerasTensor]:
    """Levels 3, 4, 5 (strides 8, 16, 32) of a picture (B, H, W, 3) with values in [-1, 1]."""
    names = _names()
    features = _conv_bn(config, image, _width(32, config), 3, names, stride=2)
    features = _relu6(features)
    levels = []
    for index, (channels, stride, expansion) in enumerate(_blocks()):
        features = _inverted_residual(config, features, channels, stride, expansion, names)
        if index in (_LEVEL_3_BLOCK, _LEVEL_4_BLOCK):
            levels.append(features)
    last = (
        _divisible(_LAST_CHANNELS * config.depth_multiplier)
        if config.depth_multiplier < 1
        else _LAST_CHANNELS
    )
    features = _conv_bn(config, features, max(last, config.min_depth), 1, names)
    return [*levels, _relu6(features)]


def _names() -> Iterator[str]:
    """Checkpoint paths of the layers that have weights, in the order in which they are applied."""
    return (f"{_BACKBONE}.layer_with_weights-{i}" for i in count())


def _blocks() -> Iterator[tuple[int, int, int]]:
    for channels, blocks, stride, expansion in _STAGES:
        for index in range(blocks):
            yield channels, stride if index == 0 else 1, expansion


def _relu6(features: KerasTensor) -> KerasTensor:
    return keras.ops.relu6(features)


def _inverted_residual(
    config: FeatureExtractorConfig,
    inputs: KerasTensor,
    channels: int,
    stride: int,
    expansion: int,
    names: Iterator[str],
) -> KerasTensor:
    features = inputs
    if expansion > 1:
        features = _relu6(_conv_bn(config, features, expansion * inputs.shape[-1], 1, names))
    features = layers.depthwise(config.hyperparams, next(names), stride=stride)(features)
    features = _relu6(layers.batch_norm(config.hyperparams, next(names))(features))
    features = _conv_bn(config, features, _width(channels, config), 1, names)
    # keras.applications compares with the width before TFOD's minimum depth is applied.
    has_residual = stride == 1 and inputs.shape[-1] == _divisible(int(channels * config.depth_multiplier))
    return keras.ops.add(inputs, features) if has_residual else features


def _conv_bn(
    config: FeatureExtractorConfig,
    inputs: KerasTensor,
    filters: int,
    kernel_px: int,
    names: Iterator[str],
    *,
    stride: int = 1,
) -> KerasTensor:
    features = layers.conv(config.hyperparams, filters, kernel_px, next(names), stride=stride)(inputs)
    return layers.batch_norm(config.hyperparams, next(names))(features)


def _width(channels: int, config: FeatureExtractorConfig) -> int:
    return max(_divisible(int(channels * config.depth_multiplier)), config.min_depth)


def _divisible(channels: float) -> int:
    """The nearest multiple of 8 that is no more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded

"""ResNet of 18 or 34 layers as TFOD builds it (models/keras_models/resnet_v1.py, block_basic): batch norm and
activation stand before the convolutions, and a stage becomes smaller in its last block."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams
from tfrec_tools.detector.network import layers

# Blocks of conv2, conv3, conv4 and conv5, and their channels.
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_CHANNELS = (64, 128, 256, 512)
# Layers with weights: of the stem, of a block, and of a stage's first block besides.
_OF_STEM, _OF_BLOCK, _OF_FIRST_BLOCK = 1, 5, 1


def feature_levels(
    depth: int, hyperparams: ConvHyperparams, image: KerasTensor, path: str
) -> list[KerasTensor]:
    """Returns levels 2, 3, 4, 5 (strides 4 to 32) of an image (B, H, W, 3)."""
    names = (f"{path}.layer_with_weights-{i}" for i in count())
    stem = layers.evenly_padded_conv(hyperparams, _CHANNELS[0], 7, next(names), stride=2, bias_init=0.0)
    features = layers.evenly_padded_pool(stem(image))
    levels = []
    for stage, blocks in enumerate(BLOCKS[depth]):
        for block in range(blocks):
            is_last = stage > 0 and block == blocks - 1
            channels = _CHANNELS[stage] if block == 0 else None
            features = _block(hyperparams, features, channels, names, stride=2 if is_last else 1)
        levels.append(features)
    return levels


def unused(depth: int, path: str) -> str:
    """Returns the last batch norm, which is in the checkpoint, and which no level passes through."""
    layers_before = _OF_STEM + _OF_BLOCK * sum(BLOCKS[depth]) + _OF_FIRST_BLOCK * len(BLOCKS[depth])
    return f"{path}.layer_with_weights-{layers_before}"


def _block(
    hyperparams: ConvHyperparams,
    inputs: KerasTensor,
    channels: int | None,
    names: Iterator[str],
    *,
    stride: int,
) -> KerasTensor:
    """Two convolutions beside a shortcut, which is projected to so many `channels` where they are given."""
    width = channels or inputs.shape[-1]
    first = _activated(hyperparams, inputs, next(names))
    conv = layers.evenly_padded_conv(hyperparams, width, 3, next(names), stride=1)
    features = _activated(hyperparams, conv(first), next(names))
    conv = layers.evenly_padded_conv(hyperparams, width, 3, next(names), stride=stride)
    features = _activated(hyperparams, conv(features), next(names))
    shortcut = inputs
    if channels:
        shortcut = layers.conv(hyperparams, width, 1, next(names), stride=stride, bias_init=0.0)(first)
    elif stride > 1:
        shortcut = keras.layers.MaxPooling2D(1, strides=stride)(inputs)
    return keras.ops.add(shortcut, features)


def _activated(hyperparams: ConvHyperparams, features: KerasTensor, name: str) -> KerasTensor:
    return layers.activate(hyperparams, layers.batch_norm(hyperparams, name)(features))

"""ResNets whose batch norm and activation stand before the convolutions (He et al. 2016, "Identity mappings
in deep residual networks"), and whose stages become smaller in their last block: TFOD's own of 18 and 34
layers (models/keras_models/resnet_v1.py, block_basic), and v2 of keras.applications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams
from tfrec_tools.detector.network import layers

_CHANNELS = (64, 128, 256, 512)
# A bottleneck ends in four times as many channels.
_EXPANSION = 4


@dataclass(frozen=True, slots=True)
class PreactResnet:
    """Which one: `blocks` of conv2, conv3, conv4 and conv5, with two convolutions of 3x3 each, or as
    bottlenecks of 1x1, 3x3 and 1x1; `strides` of the last block of each."""

    blocks: tuple[int, int, int, int]
    strides: tuple[int, int, int, int]
    is_bottleneck: bool

    @property
    def layers(self) -> int:
        """How many layers with weights come before the last batch norm: that of the stem, those of each
        block, and each stage's projection."""
        return 1 + sum(self.blocks) * (6 if self.is_bottleneck else 5) + len(self.blocks)


BASIC = {
    depth: PreactResnet(blocks, (1, 2, 2, 2), is_bottleneck=False)
    for depth, blocks in ((18, (2, 2, 2, 2)), (34, (3, 4, 6, 3)))
}
V2 = {
    depth: PreactResnet(blocks, (2, 2, 2, 1), is_bottleneck=True)
    for depth, blocks in ((50, (3, 4, 6, 3)), (101, (3, 4, 23, 3)))
}


def stages(
    resnet: PreactResnet, hyperparams: ConvHyperparams, image: KerasTensor, path: str
) -> list[KerasTensor]:
    """Returns what conv2, conv3, conv4 and conv5 make of an image (B, H, W, 3)."""
    names = (f"{path}.layer_with_weights-{i}" for i in count())
    stem = layers.evenly_padded_conv(hyperparams, _CHANNELS[0], 7, next(names), stride=2, bias_init=0.0)
    features = layers.evenly_padded_pool(stem(image))
    outputs = []
    for channels, blocks, stride in zip(_CHANNELS, resnet.blocks, resnet.strides, strict=True):
        width = channels * _EXPANSION if resnet.is_bottleneck else channels
        for block in range(blocks):
            first = _activated(hyperparams, features, next(names))
            is_last = block == blocks - 1
            main = _narrow(resnet, hyperparams, first, channels, names, stride=stride if is_last else 1)
            shortcut = features
            if block == 0:
                shortcut = layers.conv(hyperparams, width, 1, next(names), bias_init=0.0)(first)
            elif is_last and stride > 1:
                shortcut = keras.layers.MaxPooling2D(1, strides=stride)(features)
            if resnet.is_bottleneck:
                main = layers.conv(hyperparams, width, 1, next(names), bias_init=0.0)(main)
            features = keras.ops.add(shortcut, main)
        outputs.append(features)
    return outputs


def unused(resnet: PreactResnet, path: str) -> str:
    """Returns the last batch norm, which is in the checkpoint, and which no stage passes through."""
    return f"{path}.layer_with_weights-{resnet.layers}"


def _narrow(
    resnet: PreactResnet,
    hyperparams: ConvHyperparams,
    features: KerasTensor,
    channels: int,
    names: Iterator[str],
    *,
    stride: int,
) -> KerasTensor:
    """Two convolutions of so many channels, of which the second has the stride."""
    kernel_px = 1 if resnet.is_bottleneck else 3
    conv = layers.evenly_padded_conv(hyperparams, channels, kernel_px, next(names), stride=1)
    features = _activated(hyperparams, conv(features), next(names))
    conv = layers.evenly_padded_conv(hyperparams, channels, 3, next(names), stride=stride)
    return _activated(hyperparams, conv(features), next(names))


def _activated(hyperparams: ConvHyperparams, features: KerasTensor, name: str) -> KerasTensor:
    return layers.activate(hyperparams, layers.batch_norm(hyperparams, name)(features))

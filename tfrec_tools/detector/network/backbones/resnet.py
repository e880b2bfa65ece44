"""ResNet v1 of 50, 101 or 152 layers (He et al. 2016, table 1) as TFOD builds it
(models/keras_models/resnet_v1.py): the stride of a stage sits on its first 1x1 convolution.

Checkpoint paths count the layers by their depth in the graph, so that in a block with a projection the
shortcut's layers stand between those of the main path. The count begins anew in each Keras model that TFOD
makes: an SSD has one, a Faster R-CNN one for conv1 to conv4 and one for conv5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams, Initializer
from tfrec_tools.detector.network import layers
from tfrec_tools.detector.network.layers import Call

# Blocks of conv2, conv3, conv4 and conv5.
_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
STEM_CHANNELS = 64
# A block ends in four times as many channels.
_CHANNELS = (64, 128, 256, 512)
_EXPANSION = 4


@dataclass(frozen=True, slots=True)
class Resnet:
    """Which ResNet: its depth 50, 101 or 152; `width` multiplies its channels, of which a layer has at least
    `min_channels`. CenterNet's is that of keras.applications: its convolutions have biases, and its pool is
    padded alike on all sides."""

    depth: int
    hyperparams: ConvHyperparams
    width: float = 1.0
    min_channels: int = 8
    is_keras: bool = False

    @property
    def bias_init(self) -> float | None:
        """Of its convolutions; None is without biases."""
        return 0.0 if self.is_keras else None


def default_hyperparams(weight_decay: float) -> ConvHyperparams:
    """Returns how TFOD builds a ResNet that a pipeline.config says nothing of. Its weight decay is Keras' own
    L2, without the half of TFOD's regularizers."""
    return ConvHyperparams(
        l2_weight=2.0 * weight_decay,
        initializer=Initializer("variance_scaling", 1.0),
        bn_momentum=0.997,
        bn_epsilon=1e-5,
        activation="relu",
        use_bias=False,
    )


def feature_levels(resnet: Resnet, image: KerasTensor, path: str) -> list[KerasTensor]:
    """Returns levels 2, 3, 4, 5 (strides 4 to 32; conv2 to conv5) of an image (B, H, W, 3), RGB less its
    means."""
    names = _names(path)
    features = _stem(resnet, image, names)
    levels = []
    for stage in range(4):
        features = _stage(resnet, features, stage, names)
        levels.append(features)
    return levels


def conv4(resnet: Resnet, image: KerasTensor, path: str) -> KerasTensor:
    """Returns level 4 alone (stride 16) of an image (B, H, W, 3), RGB less its means: Faster R-CNN's first
    stage."""
    names = _names(path)
    features = _stem(resnet, image, names)
    for stage in range(3):
        features = _stage(resnet, features, stage, names)
    return features


def conv5(resnet: Resnet, features: KerasTensor, path: str) -> KerasTensor:
    """Runs the last stage (stride 2) on features of conv4 (N, h, w, c): Faster R-CNN's second stage."""
    return _stage(resnet, features, 3, _names(path))


def _names(path: str) -> Iterator[str]:
    """Yields layer names below a path of the checkpoint, in the order of its keys."""
    return (f"{path}.layer_with_weights-{i}" for i in count())


def _stem(resnet: Resnet, image: KerasTensor, names: Iterator[str]) -> KerasTensor:
    channels = _width(resnet, STEM_CHANNELS)
    conv = layers.evenly_padded_conv(
        resnet.hyperparams, channels, 7, next(names), stride=2, bias_init=resnet.bias_init
    )
    features = conv(image)
    features = layers.activate(
        resnet.hyperparams, layers.batch_norm(resnet.hyperparams, next(names))(features)
    )
    if resnet.is_keras:
        return layers.evenly_padded_pool(features)
    return keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)


def _stage(resnet: Resnet, features: KerasTensor, stage: int, names: Iterator[str]) -> KerasTensor:
    features = _projecting_block(resnet, features, stage, names)
    for _ in range(_BLOCKS[resnet.depth][stage] - 1):
        features = _block(resnet, features, stage, names)
    return features


def _projecting_block(resnet: Resnet, inputs: KerasTensor, stage: int, names: Iterator[str]) -> KerasTensor:
    stride = 1 if stage == 0 else 2
    features = _bottleneck(resnet, inputs, stage, names, stride)
    channels = _width(resnet, _CHANNELS[stage] * _EXPANSION)
    shortcut = _conv(resnet, channels, 1, next(names), stride)(inputs)
    features = _conv(resnet, channels, 1, next(names))(features)
    shortcut = layers.batch_norm(resnet.hyperparams, next(names))(shortcut)
    features = layers.batch_norm(resnet.hyperparams, next(names))(features)
    return layers.activate(resnet.hyperparams, keras.ops.add(shortcut, features))


def _block(resnet: Resnet, inputs: KerasTensor, stage: int, names: Iterator[str]) -> KerasTensor:
    features = _bottleneck(resnet, inputs, stage, names, stride=1)
    channels = _width(resnet, _CHANNELS[stage] * _EXPANSION)
    features = _conv(resnet, channels, 1, next(names))(features)
    features = layers.batch_norm(resnet.hyperparams, next(names))(features)
    return layers.activate(resnet.hyperparams, keras.ops.add(inputs, features))


def _bottleneck(
    resnet: Resnet, features: KerasTensor, stage: int, names: Iterator[str], stride: int
) -> KerasTensor:
    """Returns the 1x1 and the 3x3 convolution of a block."""
    channels = _width(resnet, _CHANNELS[stage])
    features = _conv(resnet, channels, 1, next(names), stride)(features)
    features = layers.activate(
        resnet.hyperparams, layers.batch_norm(resnet.hyperparams, next(names))(features)
    )
    features = _conv(resnet, channels, 3, next(names))(features)
    return layers.activate(resnet.hyperparams, layers.batch_norm(resnet.hyperparams, next(names))(features))


def _conv(resnet: Resnet, channels: int, kernel_px: int, name: str, stride: int = 1) -> Call:
    return layers.conv(
        resnet.hyperparams, channels, kernel_px, name, stride=stride, bias_init=resnet.bias_init
    )


def _width(resnet: Resnet, channels: int) -> int:
    return max(int(channels * resnet.width), resnet.min_channels)

"""Inception-ResNet-V2 (Szegedy et al. 2017) as TFOD builds it for Faster R-CNN
(models/keras_models/inception_resnet_v2.py, with align_feature_maps: every layer is padded as 'same').

Checkpoint paths count the layers by their depth in the graph, so that the layers of a block's branches stand
among each other: each convolution here says at which place of its block it and its batch norm stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams, Initializer
from tfrec_tools.detector.network import layers

_HYPERPARAMS = ConvHyperparams(
    l2_weight=0.0,
    initializer=Initializer("variance_scaling", 1.0, "fan_avg", is_uniform=True),
    activation="relu",
    use_bias=False,
    bn_momentum=0.9997,
    bn_epsilon=0.001,
)
Kernel = int | tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Conv:
    """A convolution, whose place is `at`, and its batch norm, whose place is `norm_at`."""

    channels: int
    kernel_px: Kernel
    at: int
    norm_at: int
    stride: int = 1


_Branches = tuple[tuple[_Conv, ...], ...]

_STEM = (_Conv(32, 3, 0, 1, 2), _Conv(32, 3, 2, 3), _Conv(64, 3, 4, 5))
_SECOND_STEM = (_Conv(80, 1, 6, 7), _Conv(192, 3, 8, 9))
_MIXED_5B: _Branches = (
    (_Conv(96, 1, 6, 10),),
    (_Conv(48, 1, 2, 4), _Conv(64, 5, 7, 11)),
    (_Conv(64, 1, 0, 1), _Conv(96, 3, 3, 5), _Conv(96, 3, 8, 12)),
)
_POOLED_5B = _Conv(64, 1, 9, 13)
_BLOCK_35: _Branches = (
    (_Conv(32, 1, 6, 9),),
    (_Conv(32, 1, 2, 4), _Conv(32, 3, 7, 10)),
    (_Conv(32, 1, 0, 1), _Conv(48, 3, 3, 5), _Conv(64, 3, 8, 11)),
)
_MIXED_6A: _Branches = (
    (_Conv(384, 3, 4, 6, 2),),
    (_Conv(256, 1, 0, 1), _Conv(256, 3, 2, 3), _Conv(384, 3, 5, 7, 2)),
)
_BLOCK_17: _Branches = (
    (_Conv(192, 1, 4, 6),),
    (_Conv(128, 1, 0, 1), _Conv(160, (1, 7), 2, 3), _Conv(192, (7, 1), 5, 7)),
)
_MIXED_7A: _Branches = (
    (_Conv(256, 1, 2, 5), _Conv(384, 3, 8, 11, 2)),
    (_Conv(256, 1, 3, 6), _Conv(288, 3, 9, 12, 2)),
    (_Conv(256, 1, 0, 1), _Conv(288, 3, 4, 7), _Conv(320, 3, 10, 13, 2)),
)
_BLOCK_8: _Branches = (
    (_Conv(192, 1, 4, 6),),
    (_Conv(192, 1, 0, 1), _Conv(224, (1, 3), 2, 3), _Conv(256, (3, 1), 5, 7)),
)
_LAST = _Conv(1536, 1, 0, 1)
# Blocks of each kind, and how much of what a block gives is added to what it was given.
_COUNTS = {35: 10, 17: 20, 8: 10}
_SCALES = {35: 0.17, 17: 0.10, 8: 0.20}


class _Layers:
    """The layers of one Keras model of TFOD's, made one block after the other; `first` is the number of the
    first layer of the block at hand."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.first = 0

    def conv(self, features: KerasTensor, conv: _Conv) -> KerasTensor:
        layer = layers.conv(
            _HYPERPARAMS, conv.channels, conv.kernel_px, self._name(conv.at), stride=conv.stride
        )
        norm = layers.BatchNorm(
            _HYPERPARAMS.bn_momentum, _HYPERPARAMS.bn_epsilon, self._name(conv.norm_at), has_gamma=False
        )
        return keras.ops.relu(norm(layer(features)))

    def chain(self, features: KerasTensor, convs: tuple[_Conv, ...]) -> KerasTensor:
        for conv in convs:
            features = self.conv(features, conv)
        return features

    def branches(self, features: KerasTensor, branches: _Branches) -> list[KerasTensor]:
        return [self.chain(features, branch) for branch in branches]

    def reduction(self, features: KerasTensor, branches: _Branches) -> KerasTensor:
        """Half the size."""
        pooled = keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)
        reduced = keras.ops.concatenate([*self.branches(features, branches), pooled], axis=-1)
        self.first += _count(branches)
        return reduced

    def residual(
        self, features: KerasTensor, branches: _Branches, scale: float, *, activated: bool = True
    ) -> KerasTensor:
        mixed = keras.ops.concatenate(self.branches(features, branches), axis=-1)
        place = _count(branches)
        up = layers.conv(_HYPERPARAMS, features.shape[-1], 1, self._name(place), bias_init=0.0)(mixed)
        self.first += place + 1
        features = keras.ops.add(features, up * scale)
        return keras.ops.relu(features) if activated else features

    def _name(self, place: int) -> str:
        return f"{self.path}.layer_with_weights-{self.first + place}"


def proposal_features(image: KerasTensor, path: str) -> KerasTensor:
    """Returns level 4 (stride 16) of an image (B, H, W, 3) with values in [-1, 1], for the first stage."""
    of_model = _Layers(path)
    features = of_model.chain(image, _STEM)
    features = keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)
    features = of_model.chain(features, _SECOND_STEM)
    features = keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)
    of_model.first = 2 * len(_STEM + _SECOND_STEM)
    pooled = keras.layers.AveragePooling2D(3, strides=1, padding="same")(features)
    branches = [*of_model.branches(features, _MIXED_5B), of_model.conv(pooled, _POOLED_5B)]
    features = keras.ops.concatenate(branches, axis=-1)
    of_model.first += _count(_MIXED_5B) + 2
    for _ in range(_COUNTS[35]):
        features = of_model.residual(features, _BLOCK_35, _SCALES[35])
    features = of_model.reduction(features, _MIXED_6A)
    for _ in range(_COUNTS[17]):
        features = of_model.residual(features, _BLOCK_17, _SCALES[17])
    return features


def box_features(crops: KerasTensor, path: str) -> KerasTensor:
    """Returns what the second stage makes of features (N, h, w, c), at half the size."""
    of_model = _Layers(path)
    features = of_model.reduction(crops, _MIXED_7A)
    for _ in range(_COUNTS[8] - 1):
        features = of_model.residual(features, _BLOCK_8, _SCALES[8])
    features = of_model.residual(features, _BLOCK_8, 1.0, activated=False)
    return of_model.conv(features, _LAST)


def _count(branches: _Branches) -> int:
    """Returns how many layers with weights they have, convolutions and batch norms."""
    return 2 * sum(map(len, branches))

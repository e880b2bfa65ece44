"""EfficientNet B0 to B7 (Tan and Le 2019) as TFOD takes it from tf-models-official
(official/legacy/image_classification/efficientnet/efficientnet_model.py).

What a pipeline.config says of convolutions does not reach this backbone: its batch norm, L2 and initialisers
are fixed. Unlike tf-models-official it drops no blocks at random in training (stochastic depth, up to 0.2
with the depth): a config has no field to turn that off, fine-tuning on a small set gains little from it, and
without it the losses of a resumed run are those of one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector.network import layers

PATH = "_feature_extractor/_efficientnet"
# By version: (width, depth) relative to B0.
_SCALES = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2.0, 3.1))
# B0's stacks: (channels, blocks, stride of the first, kernel size, expansion).
_STACKS = (
    (16, 1, 1, 3, 1),
    (24, 2, 2, 3, 6),
    (40, 2, 2, 5, 6),
    (80, 3, 2, 3, 6),
    (112, 3, 1, 5, 6),
    (192, 4, 2, 5, 6),
    (320, 1, 1, 3, 6),
)
_STEM_CHANNELS = 32
# (stack, block) of levels 3, 4 and 5. They end B0's stacks; TFOD takes the same ones of the deeper versions,
# though their stacks go on, and leaves out what comes after.
_LEVELS = ((2, 1), (4, 2), (6, 0))
_SQUEEZE = 0.25
_MOMENTUM, _EPSILON = 0.99, 1e-3
_L2_WEIGHT = 1e-5


@dataclass(frozen=True, slots=True)
class _Block:
    """An inverted residual: its place, the channels that it puts out, and how it makes them."""

    stack: int
    index: int
    channels: int
    stride: int
    kernel_px: int
    expansion: int


def feature_levels(version: int, image: KerasTensor) -> list[KerasTensor]:
    """Returns levels 3, 4, 5 (strides 8, 16, 32) of an image (B, H, W, 3), normalised by ImageNet's mean and
    standard deviation; `version` is the digit of B0 to B7."""
    path = PATH.replace("/", ".")
    names = (f"{path}.layer_with_weights-{i}" for i in count())
    stem = _conv(_channels(_STEM_CHANNELS, version), 3, names, stride=2)
    features = keras.ops.silu(_batch_norm(names)(stem(image)))
    levels = []
    for block in _blocks(version):
        features = _inverted_residual(features, block, names)
        if (block.stack, block.index) in _LEVELS:
            levels.append(features)
    return levels


def _blocks(version: int) -> Iterator[_Block]:
    """Yields the blocks of B0 to B7 up to level 5."""
    depth = _SCALES[version][1]
    for stack, (channels, repeats, stride, kernel_px, expansion) in enumerate(_STACKS):
        for index in range(math.ceil(repeats * depth)):
            if (stack, index) <= _LEVELS[-1]:
                first_stride = stride if index == 0 else 1
                yield _Block(stack, index, _channels(channels, version), first_stride, kernel_px, expansion)


def _channels(base: int, version: int) -> int:
    return layers.divisible(base * _SCALES[version][0])


def _inverted_residual(inputs: KerasTensor, block: _Block, names: Iterator[str]) -> KerasTensor:
    """Expand, filter each channel, weigh the channels, project; plus the input where shapes allow."""
    features = inputs
    if block.expansion > 1:
        expand = _conv(inputs.shape[-1] * block.expansion, 1, names)
        features = keras.ops.silu(_batch_norm(names)(expand(features)))
    features = _depthwise(block, names)(features)
    features = keras.ops.silu(_batch_norm(names)(features))
    features = _squeeze_and_excite(features, int(inputs.shape[-1] * _SQUEEZE), names)
    features = _conv(block.channels, 1, names)(features)
    features = _batch_norm(names)(features)
    has_residual = block.stride == 1 and inputs.shape[-1] == block.channels
    return keras.ops.add(features, inputs) if has_residual else features


def _squeeze_and_excite(features: KerasTensor, squeezed: int, names: Iterator[str]) -> KerasTensor:
    means = keras.ops.mean(features, axis=(1, 2), keepdims=True)  # (B, 1, 1, C)
    reduce = _conv(squeezed, 1, names, bias=True)
    expand = _conv(features.shape[-1], 1, names, bias=True)
    gates = keras.ops.sigmoid(expand(keras.ops.silu(reduce(means))))
    return keras.ops.multiply(features, gates)


def _conv(
    filters: int, kernel_px: int, names: Iterator[str], *, stride: int = 1, bias: bool = False
) -> layers.Call:
    return keras.layers.Conv2D(
        filters,
        kernel_px,
        strides=stride,
        padding="same",
        use_bias=bias,
        kernel_initializer=_initializer(),
        kernel_regularizer=layers.l2(_L2_WEIGHT),
        bias_regularizer=layers.l2(_L2_WEIGHT),
        name=next(names),
    )


def _depthwise(block: _Block, names: Iterator[str]) -> layers.Call:
    """Not regularised: tf-models-official gives it a `kernel_regularizer`, which Keras 2 passes over."""
    return keras.layers.DepthwiseConv2D(
        block.kernel_px,
        strides=block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=next(names),
    )


def _batch_norm(names: Iterator[str]) -> layers.Call:
    return layers.BatchNorm(_MOMENTUM, _EPSILON, next(names))


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")

"""MobileNetV2 (Sandler et al. 2018, table 2) as TFOD builds it (models/keras_models/mobilenet_v2.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams
from tfrec_tools.detector.network import layers

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
# Blocks whose outputs CenterNet merges, of strides 4, 8 and 16.
_MERGED_BLOCKS = (2, 5, 9)


@dataclass(frozen=True, slots=True)
class MobileNetV2:
    """Which MobileNetV2; `path` is where the checkpoint's model has it, with dots for slashes."""

    hyperparams: ConvHyperparams
    depth_multiplier: float
    min_depth: int
    path: str = "_feature_extractor.classification_backbone"


def pyramid_levels(config: MobileNetV2, image: KerasTensor) -> list[KerasTensor]:
    """Returns levels 3, 4, 5 (strides 8, 16, 32) of an image (B, H, W, 3) with values in [-1, 1]."""
    outputs = _outputs(config, image)
    return [outputs[f"block_{_LEVEL_3_BLOCK}"], outputs[f"block_{_LEVEL_4_BLOCK}"], outputs["last"]]


def last_levels(config: MobileNetV2, image: KerasTensor) -> list[KerasTensor]:
    """Returns levels 4 and 5 (strides 16 and 32) as a detector without a pyramid takes them: the first from
    within a block, before it makes the image smaller."""
    outputs = _outputs(config, image)
    return [outputs[f"expanded_{_LEVEL_4_BLOCK + 1}"], outputs["last"]]


def merged_levels(config: MobileNetV2, image: KerasTensor) -> list[KerasTensor]:
    """Returns levels 2, 3, 4, 5 (strides 4 to 32) as CenterNet takes them."""
    outputs = _outputs(config, image)
    return [*(outputs[f"block_{block}"] for block in _MERGED_BLOCKS), outputs["last"]]


def _outputs(config: MobileNetV2, image: KerasTensor) -> dict[str, KerasTensor]:
    """Returns the output of each block, "block_N", of its expansion, "expanded_N", and of the last layer,
    "last"."""
    names = _names(config.path)
    features = _relu6(_conv_bn(config, image, _width(32, config), 3, names, stride=2))
    outputs: dict[str, KerasTensor] = {}
    for index, (channels, stride, expansion) in enumerate(_blocks()):
        expanded = _expanded(config, features, expansion, names)
        features = _projected(config, features, expanded, channels, stride, names)
        outputs |= {f"expanded_{index}": expanded, f"block_{index}": features}
    features = _conv_bn(config, features, _last_width(config), 1, names)
    return outputs | {"last": _relu6(features)}


def _names(path: str) -> Iterator[str]:
    """Yields checkpoint paths of the layers that have weights, in the order in which they are applied."""
    return (f"{path}.layer_with_weights-{i}" for i in count())


def _blocks() -> Iterator[tuple[int, int, int]]:
    for channels, blocks, stride, expansion in _STAGES:
        for index in range(blocks):
            yield channels, stride if index == 0 else 1, expansion


def _relu6(features: KerasTensor) -> KerasTensor:
    return keras.ops.relu6(features)


def _expanded(config: MobileNetV2, inputs: KerasTensor, expansion: int, names: Iterator[str]) -> KerasTensor:
    if expansion == 1:
        return inputs
    return _relu6(_conv_bn(config, inputs, expansion * inputs.shape[-1], 1, names))


def _projected(
    config: MobileNetV2,
    inputs: KerasTensor,
    expanded: KerasTensor,
    channels: int,
    stride: int,
    names: Iterator[str],
) -> KerasTensor:
    features = layers.depthwise(config.hyperparams, next(names), stride=stride)(expanded)
    features = _relu6(layers.batch_norm(config.hyperparams, next(names))(features))
    features = _conv_bn(config, features, _width(channels, config), 1, names)
    # keras.applications compares with the width before TFOD's minimum depth is applied.
    has_residual = stride == 1 and inputs.shape[-1] == layers.divisible(
        int(channels * config.depth_multiplier)
    )
    return keras.ops.add(inputs, features) if has_residual else features


def _conv_bn(
    config: MobileNetV2,
    inputs: KerasTensor,
    filters: int,
    kernel_px: int,
    names: Iterator[str],
    *,
    stride: int = 1,
) -> KerasTensor:
    features = layers.conv(config.hyperparams, filters, kernel_px, next(names), stride=stride)(inputs)
    return layers.batch_norm(config.hyperparams, next(names))(features)


def _width(channels: int, config: MobileNetV2) -> int:
    return max(layers.divisible(int(channels * config.depth_multiplier)), config.min_depth)


def _last_width(config: MobileNetV2) -> int:
    """Not made wider by a depth multiplier over 1."""
    scaled = layers.divisible(_LAST_CHANNELS * min(config.depth_multiplier, 1.0))
    return max(scaled, config.min_depth)

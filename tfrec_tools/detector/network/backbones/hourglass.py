"""Stacked hourglasses (Newell et al. 2016; Law and Deng 2018) as TFOD builds them
(models/keras_models/hourglass_network.py)."""

from __future__ import annotations

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams, Initializer
from tfrec_tools.detector.config.center_net import HourglassConfig
from tfrec_tools.detector.network import layers

PATH = "_feature_extractor._network"
_HYPERPARAMS = ConvHyperparams(
    l2_weight=0.0,
    initializer=Initializer("variance_scaling", 1.0, "fan_avg", is_uniform=True),
    activation="relu",
    use_bias=False,
    bn_momentum=0.1,
    bn_epsilon=1e-5,
)


def features(config: HourglassConfig, image: KerasTensor) -> list[KerasTensor]:
    """Returns the features of stride 4 of each hourglass, of an image (B, H, W, 3)."""
    first, width = config.channels[:2]
    inputs = _conv_block(image, first, 7, f"{PATH}.downsample_input.conv_block", stride=2)
    inputs = _residual_block(inputs, width, f"{PATH}.downsample_input.residual_block", stride=2)
    outputs = []
    for stack in range(config.stacks):
        inner = _hourglass(inputs, config.channels[1:], config.blocks, f"{PATH}.hourglass_network.{stack}")
        outputs.append(_conv_block(inner, width, 3, f"{PATH}.output_conv.{stack}"))
        if stack + 1 < config.stacks:
            inputs = _between(inputs, outputs[-1], stack)
    return outputs


def _between(inputs: KerasTensor, output: KerasTensor, stack: int) -> KerasTensor:
    """Returns the input of the next hourglass."""
    width = inputs.shape[-1]
    of_inputs = _conv_norm(inputs, width, 1, f"{PATH}.intermediate_conv1.{stack}")
    of_output = _conv_norm(output, width, 1, f"{PATH}.intermediate_conv2.{stack}")
    merged = keras.ops.relu(keras.ops.add(of_inputs, of_output))
    return _residual_block(merged, width, f"{PATH}.intermediate_residual.{stack}")


def _hourglass(
    inputs: KerasTensor, channels: tuple[int, ...], blocks: tuple[int, ...], path: str
) -> KerasTensor:
    """Half the size, an hourglass of the remaining stages within, and back to the size again."""
    count, outer, inner = blocks[0], channels[0], channels[1]
    beside = _residual_blocks(inputs, [outer] * count, f"{path}.encoder_block1")
    features = _residual_blocks(inputs, [inner] * count, f"{path}.encoder_block2", stride=2)
    if len(blocks) > 2:
        features = _hourglass(features, channels[1:], blocks[1:], f"{path}.inner_block.0")
    else:
        features = _residual_blocks(features, [inner] * blocks[1], f"{path}.inner_block")
    features = _residual_blocks(features, [inner] * (count - 1) + [outer], f"{path}.decoder_block")
    return keras.ops.add(beside, keras.layers.UpSampling2D(2)(features))


def _residual_blocks(
    features: KerasTensor, channels: list[int], path: str, *, stride: int = 1
) -> KerasTensor:
    """The first block has the stride."""
    for place, width in enumerate(channels):
        features = _residual_block(features, width, f"{path}.{place}", stride=1 if place else stride)
    return features


def _residual_block(inputs: KerasTensor, channels: int, path: str, *, stride: int = 1) -> KerasTensor:
    features = _conv_block(inputs, channels, 3, f"{path}.conv_block", stride=stride)
    features = layers.conv(_HYPERPARAMS, channels, 3, f"{path}.conv")(features)
    features = _norm(features, f"{path}.norm")
    if stride > 1 or inputs.shape[-1] != channels:
        inputs = _conv_norm(inputs, channels, 1, f"{path}.skip", stride=stride)
    return keras.ops.relu(keras.ops.add(features, inputs))


def _conv_block(
    inputs: KerasTensor, channels: int, kernel_px: int, path: str, *, stride: int = 1
) -> KerasTensor:
    return keras.ops.relu(_conv_norm(inputs, channels, kernel_px, path, stride=stride))


def _conv_norm(
    inputs: KerasTensor, channels: int, kernel_px: int, path: str, *, stride: int = 1
) -> KerasTensor:
    conv = layers.evenly_padded_conv(_HYPERPARAMS, channels, kernel_px, f"{path}.conv", stride=stride)
    return _norm(conv(inputs), f"{path}.norm")


def _norm(features: KerasTensor, path: str) -> KerasTensor:
    norm = layers.BatchNorm(_HYPERPARAMS.bn_momentum, _HYPERPARAMS.bn_epsilon, path, is_biased=True)
    return norm(features)

"""CenterNet (Zhou et al. 2019, "Objects as Points") as a network, and what its maps say.

TFOD: meta_architectures/center_net_meta_arch.py, models/center_net_mobilenet_v2_fpn_feature_extractor.py,
models/center_net_resnet_v1_fpn_feature_extractor.py, models/center_net_resnet_feature_extractor.py,
models/center_net_hourglass_feature_extractor.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams, Initializer
from tfrec_tools.detector.config.center_net import (
    CenterNetConfig,
    HeadConfig,
    HourglassConfig,
    MobileNetV2Fpn,
    ResnetFpn,
    ResnetV2,
)
from tfrec_tools.detector.network import layers
from tfrec_tools.detector.network.backbones import hourglass, mobilenet_v2, preact_resnet, resnet
from tfrec_tools.detector.network.layers import Call

BACKBONE = "_feature_extractor._base_model"
_PYRAMID = "_feature_extractor._feature_extractor_model"
# The first of the pyramid's convolutions that is separable, or is not.
FIRST_SMOOTHING = f"{_PYRAMID}.layer_with_weights-3"
HEADS = "_prediction_head_dict"
_FEATURES = "features."  # and a number: names of what comes out of the backbone
_SAME = 1e-6  # TFOD's: so near to the highest of its window a score is a peak


@dataclass(frozen=True, slots=True)
class _Pyramid:
    """Channels of the coarsest level, of each level that is merged, fine ones last, and of what is made of
    each sum."""

    top: int
    merged: tuple[int, int, int]
    smoothed: tuple[int, int, int]
    separable: bool = False
    interpolation: str = "nearest"


class Maps(NamedTuple):
    """What the heads of a stack say of a batch, in cells of 4 x 4 pixels.

    logits   (B, h, w, K) float32, of the centres of a class
    sizes    (B, h, w, 2) float32 [height width]
    offsets  (B, h, w, 2) float32 [y x] from the cell's corner
    """

    logits: tf.Tensor
    sizes: tf.Tensor
    offsets: tf.Tensor


class Peaks(NamedTuple):
    """The highest of the heatmaps' peaks, (B, M) each: scores float32, 0 where there are no more; cells
    int32, row by row; columns int32, of the classes."""

    scores: tf.Tensor
    cells: tf.Tensor
    columns: tf.Tensor


def build(config: CenterNetConfig) -> keras.Model:
    """Returns a model from canvases (B, H, W, 3) float32 to the `Maps` of each stack, one after the other."""
    image = keras.Input((config.resizer.height_px, config.resizer.width_px, 3), name="image")
    outputs = []
    for stack, features in enumerate(_features(config, image)):
        outputs += _maps(config, features, stack)
    return keras.Model(image, outputs, name="center_net")


def side_by_side(network: keras.Model, base: keras.Model) -> keras.Model:
    """Returns a model to what `network` gives, followed by what `base` does, whose backbone is the same: it
    is run once for both."""
    rest_of_base = keras.Model(_backbone_outputs(base), base.outputs)
    return keras.Model(network.inputs, [*network.outputs, *rest_of_base(_backbone_outputs(network))])


def stacks(outputs: Sequence[tf.Tensor]) -> list[Maps]:
    """Returns what the network gave, in float32, the last one best."""
    maps = [tf.cast(each, tf.float32) for each in outputs]
    return [Maps(*maps[first : first + 3]) for first in range(0, len(maps), 3)]


def class_head(config: CenterNetConfig, stack: int) -> str:
    """Returns the layer whose channels are the classes."""
    return f"{HEADS}.object_center.{stack}.layer_with_weights-{len(config.center_head.filters)}"


def count_stacks(config: CenterNetConfig) -> int:
    return config.extractor.stacks if isinstance(config.extractor, HourglassConfig) else 1


def decode(maps: Maps) -> tf.Tensor:
    """Returns (B, h w, 4) [ymin xmin ymax xmax], fractions of the canvas, clipped to it: the box of each
    cell."""
    height, width = maps.logits.shape[1:3]
    corners = tf.stack(tf.meshgrid(tf.range(height), tf.range(width), indexing="ij"), axis=-1)
    centres = tf.cast(corners, tf.float32) + maps.offsets
    halves = tf.maximum(maps.sizes, 0.0) / 2.0
    size = tf.constant([height, width], tf.float32)
    boxes = tf.concat([(centres - halves) / size, (centres + halves) / size], axis=-1)
    return tf.clip_by_value(tf.reshape(boxes, (-1, height * width, 4)), 0.0, 1.0)


def peaks(scores: tf.Tensor, window_px: int, most: int) -> Peaks:
    """Returns the peaks of scores (B, h, w, K), each the highest of its class in a window around it."""
    _, height, width, classes = scores.shape
    highest = tf.nn.max_pool2d(scores, window_px, 1, "SAME")
    kept = tf.where(tf.abs(scores - highest) < _SAME, scores, 0.0)
    flat = tf.reshape(kept, (-1, height * width * classes))
    best, places = tf.math.top_k(flat, min(most, flat.shape[1]))
    return Peaks(best, places // classes, places % classes)


def _features(config: CenterNetConfig, image: KerasTensor) -> list[KerasTensor]:
    """Returns the features of stride 4 of each stack."""
    extractor = config.extractor
    match extractor:
        case MobileNetV2Fpn():
            hyperparams = _hyperparams(bn_momentum=0.9997, bn_epsilon=0.001)
            network = mobilenet_v2.MobileNetV2(hyperparams, extractor.depth_multiplier, 1, BACKBONE)
            interpolation = "bilinear" if extractor.bilinear else "nearest"
            pyramid = _Pyramid(64, (64, 32, 24), (32, 24, 24), extractor.separable, interpolation)
            return [_upsampled(pyramid, _named(mobilenet_v2.merged_levels(network, image)))]
        case ResnetFpn():
            pyramid = _Pyramid(256, (256, 128, 64), (128, 64, 64))
            return [_upsampled(pyramid, _named(_resnet_levels(extractor.depth, image)))]
        case ResnetV2():
            network_v2 = preact_resnet.V2[extractor.depth]
            stages = preact_resnet.stages(network_v2, _resnet_hyperparams(), image, BACKBONE)
            return [_enlarged(_named(stages[-1:])[0])]
        case HourglassConfig():
            return _named(hourglass.features(extractor, image))


def _resnet_levels(depth: int, image: KerasTensor) -> list[KerasTensor]:
    hyperparams = _resnet_hyperparams()
    if depth in preact_resnet.BASIC:
        return preact_resnet.stages(preact_resnet.BASIC[depth], hyperparams, image, BACKBONE)
    return resnet.feature_levels(resnet.Resnet(depth, hyperparams, is_keras=True), image, BACKBONE)


def _resnet_hyperparams() -> ConvHyperparams:
    """Returns those of keras.applications."""
    return _hyperparams(bn_momentum=0.99, bn_epsilon=1.001e-5)


def _named(features: list[KerasTensor]) -> list[KerasTensor]:
    return [keras.layers.Identity(name=f"{_FEATURES}{i}")(each) for i, each in enumerate(features)]


def _backbone_outputs(network: keras.Model) -> list[KerasTensor]:
    """Returns what was `_named`."""
    named = [layer for layer in network.layers if layer.name.startswith(_FEATURES)]
    return [layer.output for layer in sorted(named, key=lambda layer: layer.name)]


def _upsampled(pyramid: _Pyramid, levels: list[KerasTensor]) -> KerasTensor:
    """Returns stride 4 of levels of strides 4 to 32: each is the coarser one at twice its size plus its own
    projection, smoothed."""
    names = (f"{_PYRAMID}.layer_with_weights-{i}" for i in count(1))  # 0 is the backbone
    hyperparams = _hyperparams(bn_momentum=0.99, bn_epsilon=0.001)
    *finer, coarsest = levels
    features = layers.conv(hyperparams, pyramid.top, 1, next(names), bias_init=0.0)(coarsest)
    for level, merged, smoothed in zip(reversed(finer), pyramid.merged, pyramid.smoothed, strict=True):
        larger = keras.layers.UpSampling2D(2, interpolation=pyramid.interpolation)(features)
        own = layers.conv(hyperparams, merged, 1, next(names), bias_init=0.0)(level)
        conv = _conv(hyperparams, smoothed, 3, next(names), separable=pyramid.separable)
        normed = layers.batch_norm(hyperparams, next(names))(conv(keras.ops.add(larger, own)))
        features = keras.ops.relu(normed)
    return features


def _enlarged(features: KerasTensor) -> KerasTensor:
    """Returns stride 4 of stride 32: three times convolved, and convolved to twice the size."""
    names = (f"{_PYRAMID}.layer_with_weights-{i}" for i in count(1))
    hyperparams = _hyperparams(bn_momentum=0.99, bn_epsilon=0.001)
    for channels in (256, 128, 64):
        for layer in (layers.conv, layers.enlarging_conv):
            features = layer(hyperparams, channels, 3, next(names), bias_init=0.0)(features)
            features = keras.ops.relu(layers.batch_norm(hyperparams, next(names))(features))
    return features


def _maps(config: CenterNetConfig, features: KerasTensor, stack: int) -> list[KerasTensor]:
    heads = (
        ("object_center", config.center_head, config.num_classes, config.class_bias_init),
        ("box>scale", config.scale_head, 2, 0.0),
        ("box>offset", config.offset_head, 2, 0.0),
    )
    return [
        _head(config, features, head, f"{HEADS}.{name}.{stack}", (channels, bias))
        for name, head, channels, bias in heads
    ]


def _head(
    config: CenterNetConfig, features: KerasTensor, head: HeadConfig, path: str, output: tuple[int, float]
) -> KerasTensor:
    """Hidden convolutions, and a last one of so many channels and this bias at the start."""
    hyperparams = _hyperparams(bn_momentum=0.99, bn_epsilon=0.001)
    names = (f"{path}.layer_with_weights-{i}" for i in count())
    for filters, kernel_px in zip(head.filters, head.kernels_px, strict=True):
        conv = _conv(hyperparams, filters, kernel_px, next(names), separable=config.use_depthwise)
        features = keras.ops.relu(conv(features))
    channels, bias = output
    return layers.conv(hyperparams, channels, 1, next(names), bias_init=bias)(features)


def _conv(hyperparams: ConvHyperparams, filters: int, kernel_px: int, name: str, *, separable: bool) -> Call:
    if separable:
        return layers.separable(hyperparams, filters, name, configured=(), bias_init=0.0)
    return layers.conv(hyperparams, filters, kernel_px, name, bias_init=0.0)


def _hyperparams(bn_momentum: float, bn_epsilon: float) -> ConvHyperparams:
    """Returns how TFOD builds all of it: no pipeline.config says anything of that."""
    return ConvHyperparams(
        l2_weight=0.0,
        initializer=Initializer("variance_scaling", 1.0, "fan_avg", is_uniform=True),
        activation="relu",
        use_bias=True,
        bn_momentum=bn_momentum,
        bn_epsilon=bn_epsilon,
    )

"""The bidirectional feature pyramid of EfficientDet (Tan et al. 2020, figure 2d), as TFOD builds it
(models/bidirectional_feature_pyramid_generators.py, utils/bifpn_utils.py).

A round walks down the pyramid, coarse to fine, and up again. A node brings two or three maps to its size,
adds them, weighted or not, and smooths the sum. TFOD counts the nodes in the order in which they are
computed; the count is their name in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import keras
import tensorflow as tf
from keras import KerasTensor

from tfrec_tools.detector.config.bifpn import BifpnConfig
from tfrec_tools.detector.network import layers

MIN_LEVEL, MAX_LEVEL = 3, 7
_STAGE = "_feature_extractor._bifpn_stage"
_EPSILON = 1e-4


@dataclass(frozen=True, slots=True)
class _Map:
    """A level of the pyramid; `projected` to the pyramid's depth, as the backbone's are not."""

    level: int
    features: KerasTensor
    projected: bool = True


class WeightedSum(keras.layers.Layer):
    """Fast normalised fusion (equation 3): maps of one shape, each by its share of the positive weights."""

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        self.shares = self.add_weight(
            shape=(len(input_shape), 1), initializer="ones", name="bifpn_combine_weights"
        )

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        positive = keras.ops.relu(self.shares[:, 0])
        shares = positive / (keras.ops.sum(positive) + _EPSILON)
        return sum(features * shares[i] for i, features in enumerate(inputs))

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return input_shape[0]


def pyramid(config: BifpnConfig, backbone: Sequence[KerasTensor]) -> list[KerasTensor]:
    """Returns levels 3 to 7, fine to coarse, from the backbone's 3, 4 and 5. The sides of level 3 must be
    multiples of 16, since coarser levels are doubled to meet finer ones."""
    nodes = count()
    levels = {MIN_LEVEL + i: _Map(MIN_LEVEL + i, features, False) for i, features in enumerate(backbone)}
    for level in range(MIN_LEVEL + len(backbone), MAX_LEVEL + 1):
        path = f"{_STAGE}.node_input_blocks.{next(nodes)}.0"
        levels[level] = _Map(level, _resampled(config, levels[level - 1], level, path))
    for _ in range(config.rounds):
        levels = _round(config, levels, nodes)
    return [levels[level].features for level in range(MIN_LEVEL, MAX_LEVEL + 1)]


def _round(config: BifpnConfig, levels: dict[int, _Map], nodes: Iterator[int]) -> dict[int, _Map]:
    down = {MAX_LEVEL: levels[MAX_LEVEL]}
    for level in range(MAX_LEVEL - 1, MIN_LEVEL - 1, -1):
        down[level] = _node(config, next(nodes), level, [levels[level], down[level + 1]])
    up = {MIN_LEVEL: down[MIN_LEVEL]}
    for level in range(MIN_LEVEL + 1, MAX_LEVEL):
        up[level] = _node(config, next(nodes), level, [levels[level], down[level], up[level - 1]])
    up[MAX_LEVEL] = _node(config, next(nodes), MAX_LEVEL, [levels[MAX_LEVEL], up[MAX_LEVEL - 1]])
    return up


def _node(config: BifpnConfig, index: int, level: int, inputs: list[_Map]) -> _Map:
    """Activation, separable convolution, batch norm of the weighted sum, in this order."""
    hyperparams, block = config.hyperparams, f"{_STAGE}.node_post_combine_block.{index}"
    maps = [
        _resampled(config, source, level, f"{_STAGE}.node_input_blocks.{index}.{place}")
        for place, source in enumerate(inputs)
    ]
    merge = WeightedSum(name=f"{_STAGE}.node_combine_op.{index}") if config.weighted else keras.layers.Add()
    smooth = layers.separable(
        hyperparams,
        config.depth,
        f"{block}.1",
        configured=("depthwise", "pointwise"),
        bias_init=_bias(config),
    )
    norm = layers.batch_norm(hyperparams, f"{block}.2")
    return _Map(level, norm(smooth(layers.activate(hyperparams, merge(maps)))))


def _resampled(config: BifpnConfig, source: _Map, level: int, path: str) -> KerasTensor:
    """Returns a map at another level, one up or down at most, projected by a convolution of this node's own
    if it is the backbone's. In TFOD a node's input is a pair of (place of its source, layers)."""
    features = source.features
    if not source.projected:
        conv = layers.conv(config.hyperparams, config.depth, 1, f"{path}.1.0", bias_init=_bias(config))
        features = layers.batch_norm(config.hyperparams, f"{path}.1.1")(conv(features))
    if source.level < level:
        return keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)
    if source.level > level:
        return keras.layers.UpSampling2D(2)(features)
    return features


def _bias(config: BifpnConfig) -> float | None:
    return 0.0 if config.hyperparams.use_bias else None

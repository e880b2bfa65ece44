"""A backbone's levels 3, 4, 5 to a feature pyramid, of levels 3 to 7 mostly (Lin et al. 2017).

TFOD: models/ssd_mobilenet_v2_fpn_keras_feature_extractor.py,
models/ssd_mobilenet_v1_fpn_keras_feature_extractor.py, models/ssd_resnet_v1_fpn_keras_feature_extractor.py,
models/feature_map_generators.py.
"""

from __future__ import annotations

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.ssd import FpnConfig
from tfrec_tools.detector.network import layers

_PYRAMID = "_feature_extractor._fpn_features_generator"
_COARSE = "_feature_extractor._coarse_feature_layers"
_FIRST, _LAST = 3, 5  # levels of a backbone


def pyramid(config: FpnConfig, levels: list[KerasTensor]) -> list[KerasTensor]:
    """Returns the levels that are asked for, fine to coarse, each of the same depth, of levels 3, 4, 5."""
    return _coarse_levels(config, _top_down(config, levels[config.min_level - _FIRST :]))


def _top_down(config: FpnConfig, levels: list[KerasTensor]) -> list[KerasTensor]:
    """Fine to coarse in and out; each level is its own projection plus the coarser one at twice its size,
    smoothed (TFOD's KerasFpnTopDownFeatureMaps, which counts its blocks from the coarse end)."""
    *finer, coarsest = levels
    features = _projection(config, f"{_PYRAMID}.top_layers.0", coarsest)
    outputs = [features]
    for block, level in enumerate(reversed(finer)):
        lateral = _projection(config, f"{_PYRAMID}.residual_blocks.{block}.0", level)
        merged = keras.ops.add(keras.layers.UpSampling2D(2)(features), lateral)
        features = _block(config, merged, f"{_PYRAMID}.conv_layers.{block}")
        outputs.append(features)
    return outputs[::-1]


def _coarse_levels(config: FpnConfig, levels: list[KerasTensor]) -> list[KerasTensor]:
    """Appends the levels from 6 on, each from the one before by a convolution of stride 2."""
    for block in range(config.max_level - _LAST):
        levels = [*levels, _block(config, levels[-1], f"{_COARSE}.{block}", stride=2)]
    return levels


def _projection(config: FpnConfig, path: str, features: KerasTensor) -> KerasTensor:
    return layers.conv(config.hyperparams, _depth(config), 1, path, bias_init=0.0)(features)


def _block(config: FpnConfig, features: KerasTensor, path: str, *, stride: int = 1) -> KerasTensor:
    depth, hyperparams = _depth(config), config.hyperparams
    if config.use_depthwise:
        conv = layers.separable(hyperparams, depth, f"{path}.0", stride=stride)
    else:
        conv = layers.conv(hyperparams, depth, 3, f"{path}.0", stride=stride)
    return layers.activate(hyperparams, layers.batch_norm(hyperparams, f"{path}.1")(conv(features)))


def _depth(config: FpnConfig) -> int:
    return max(int(config.depth * config.depth_multiplier), config.min_depth)

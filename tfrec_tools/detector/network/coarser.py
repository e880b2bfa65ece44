"""Feature levels of a single-shot detector without a pyramid: two of the backbone's, and four coarser ones
made from the last (TFOD's models/feature_map_generators.py, multi_resolution_feature_maps)."""

from __future__ import annotations

from collections.abc import Iterator

from keras import KerasTensor

from tfrec_tools.detector.config.ssd import MobileNetV2Config
from tfrec_tools.detector.network import layers

_LEVELS = "_feature_extractor.feature_map_generator.convolutions"
# Channels of the coarser levels, before the depth multiplier.
_DEPTHS = (512, 256, 256, 128)


def coarser_levels(config: MobileNetV2Config, levels: list[KerasTensor]) -> list[KerasTensor]:
    """Returns the levels given and one for each of _DEPTHS, of half the size of the one before."""
    for depth in _DEPTHS:
        path = f"{_LEVELS}.{len(levels)}"
        # TFOD keeps the layers of a level as [conv, norm, activation, conv, norm, activation].
        names = iter([f"{path}.{place}" for place in (0, 1, 3, 4)])
        narrow = _block(config, levels[-1], _scaled(config, depth // 2), 1, names)
        levels = [*levels, _block(config, narrow, _scaled(config, depth), 3, names, stride=2)]
    return levels


def _block(
    config: MobileNetV2Config,
    features: KerasTensor,
    channels: int,
    kernel_px: int,
    names: Iterator[str],
    *,
    stride: int = 1,
) -> KerasTensor:
    """A convolution, its batch norm and its activation; the next names are theirs."""
    features = layers.conv(config.hyperparams, channels, kernel_px, next(names), stride=stride)(features)
    normed = layers.batch_norm(config.hyperparams, next(names))(features)
    return layers.activate(config.hyperparams, normed)


def _scaled(config: MobileNetV2Config, depth: int) -> int:
    return max(int(depth * config.depth_multiplier), config.min_depth)

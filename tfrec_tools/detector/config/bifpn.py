"""The `feature_extractor { }` block of EfficientDet."""

from __future__ import annotations

from dataclasses import dataclass

from tfrec_tools.detector.config.blocks import ConvHyperparams, read_hyperparams
from tfrec_tools.detector.config.fields import Fields
from tfrec_tools.errors import InputError

# {feature extractor: the version of EfficientNet under the pyramid}
BIFPN_EXTRACTORS = {f"ssd_efficientnet-b{version}_bifpn_keras": version for version in range(8)}


@dataclass(frozen=True, slots=True)
class BifpnConfig:
    """EfficientNet, B0 to B7 by `version`, with a bidirectional pyramid of levels 3 to 7 that is walked
    `rounds` times, `depth` channels each. Maps are added as they are, as in D6 and D7, or `weighted`."""

    version: int
    rounds: int
    depth: int
    weighted: bool
    hyperparams: ConvHyperparams


def read_bifpn(block: Fields, version: int) -> BifpnConfig:
    """Returns the fields that only this extractor has, of a block whose type has been read."""
    block.must_be("use_depthwise", False, False)
    if (multiplier := block.number("depth_multiplier", 1.0)) != 1.0:
        raise block.fault("depth_multiplier", f"found {multiplier:g}, expected 1")
    bifpn = block.block("bifpn")
    levels = bifpn.whole("min_level", 3), bifpn.whole("max_level", 7)
    if levels != (3, 7):
        raise InputError(
            bifpn.path, f"found levels {levels[0]} to {levels[1]}, expected 3 to 7", where=bifpn.place
        )
    if (method := bifpn.word("combine_method", "fast_attention")) not in ("fast_attention", "sum"):
        raise bifpn.fault("combine_method", f"found {method!r}, expected 'fast_attention' or 'sum'")
    config = BifpnConfig(
        version=version,
        rounds=bifpn.whole("num_iterations"),
        depth=max(bifpn.whole("num_filters"), block.whole("min_depth", 16)),
        weighted=method == "fast_attention",
        hyperparams=read_hyperparams(block.block("conv_hyperparams")),
    )
    bifpn.done()
    return config

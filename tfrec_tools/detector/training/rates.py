"""What of a detector is trained, and at which learning rates: by groups of layers, and by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import keras

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import Config
from tfrec_tools.detector.config.ssd import SsdConfig
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.options.groups import BACKBONE, GROUPS
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.errors import InputError

# Of batches of 8. TFOD trains single-shot families and Faster R-CNN alike at 0.005 for 8 images (0.08 for
# 128, 0.04 for 64, 0.01 for 16), Detectron2 and torchvision Faster R-CNN at 0.01 (0.02 for 16).
_LRS: dict[type[Config], float] = {SsdConfig: 0.04, FasterRcnnConfig: 0.02, CenterNetConfig: 0.01}
_BATCH = 8
_MOST_TIMES = 2.0  # TFOD's highest, 0.08; little above was tried
_SHOWN = 4  # names, of those that exist


@dataclass(frozen=True, slots=True)
class GroupLine:
    """What a group of layers has, and how it is trained: `parameters` in all, of which so many are
    `trained`, at a learning rate `lr`; that is None where nothing of it is."""

    name: str
    layers: int
    parameters: int
    trained: int
    lr: float | None


def learning_rate(detector: Detector, config: TrainConfig) -> float:
    """Returns the rate at its peak, of all that has none of its own. By default it grows with the batch,
    whose gradient is a mean over more images (Goyal et al. 2017, "Accurate, Large Minibatch SGD"), to twice
    that of 8 at most. CenterNet's losses are sums over few cells of a fine map, and distances in cells:
    at the rate of single-shot families it forgets what it knew."""
    if config.lr is not None:
        return config.lr
    return _LRS[type(detector.config)] * min((config.batch_size or _BATCH) / _BATCH, _MOST_TIMES)


def rate_of(detector: Detector, config: TrainConfig, group: str) -> float:
    """Returns the peak of a group's learning rate."""
    if group in config.group_lrs:
        return config.group_lrs[group]
    return learning_rate(detector, config) * (config.backbone_lr_mult if group == BACKBONE else 1.0)


def trained(detector: Detector, config: TrainConfig) -> list[tuple[float, list[keras.Variable]]]:
    """Returns the variables to train, with the learning rate of those that stand together: the backbone's
    last."""
    by_path, groups = _trainable(detector), _groups(detector)
    paths = [path for path in by_path if not _is_frozen(config, path, groups[path])]
    paths.sort(key=lambda path: groups[path] == BACKBONE)
    return [
        (rate, [by_path[path] for path in of_rate])
        for rate, of_rate in groupby(paths, lambda path: rate_of(detector, config, groups[path]))
    ]


def keeps_backbone(detector: Detector, config: TrainConfig) -> bool:
    """Returns whether nothing of the backbone is trained."""
    groups = _groups(detector).items()
    return all(_is_frozen(config, path, group) for path, group in groups if group == BACKBONE)


def table(detector: Detector, config: TrainConfig) -> list[GroupLine]:
    """Returns a line for each group that the detector has."""
    return list(_lines(detector, config))


def _lines(detector: Detector, config: TrainConfig) -> Iterator[GroupLine]:
    groups, by_path = _groups(detector), _trainable(detector)
    for name in GROUPS:
        paths = [path for path, group in groups.items() if group == name]
        sizes = {path: int(keras.ops.size(by_path[path])) for path in paths}
        of_trained = sum(size for path, size in sizes.items() if not _is_frozen(config, path, name))
        if paths:
            yield GroupLine(
                name,
                len({path.rpartition("/")[0] for path in paths}),
                sum(sizes.values()),
                of_trained,
                rate_of(detector, config, name) if of_trained else None,
            )


def line(lines: list[GroupLine]) -> str:
    """Says the learning rates."""
    rates = (f"{each.name} {'frozen' if each.lr is None else f'{each.lr:g}'}" for each in lines)
    return f"learning rates: {', '.join(rates)}"


def require_groups(detector: Detector, config: TrainConfig) -> None:
    """Raises InputError where a group or an expression means nothing that the detector has, or nothing is
    left to train."""
    groups = _groups(detector)
    exist = [group for group in GROUPS if group in groups.values()]
    for flag, names in (("--lr", config.group_lrs), ("--freeze", config.frozen)):
        if missing := [name for name in names if name not in exist]:
            reason = f"a detector of this kind has no {missing[0]}; it has {', '.join(exist)}"
            raise InputError(flag, reason)
    pattern = config.freeze_layers
    if pattern is not None and not any(re.search(pattern, path) for path in groups):
        some = list(groups)[:: max(1, -(-len(groups) // _SHOWN))]
        reason = f"{pattern!r} is found in no variable's name; there are {', '.join(some)} and others"
        raise InputError("--freeze-layers", reason)
    if all(_is_frozen(config, path, group) for path, group in groups.items()):
        raise InputError("--freeze", "leaves nothing to train, with --freeze-layers; freeze less")


def _trainable(detector: Detector) -> dict[str, keras.Variable]:
    """Returns {path in the checkpoint's model: variable} of what can be trained, in the order of the
    network."""
    start = f"{object_graph.MODEL}/"
    return {
        path.removeprefix(start): variable
        for path, variable in detectors.variables(detector.network).items()
        if variable.trainable
    }


def _groups(detector: Detector) -> dict[str, str]:
    return {path: registry.group_of(detector.config, path) for path in _trainable(detector)}


def _is_frozen(config: TrainConfig, path: str, group: str) -> bool:
    if group in config.frozen or (config.freeze_backbone and group == BACKBONE):
        return True
    return config.freeze_layers is not None and re.search(config.freeze_layers, path) is not None

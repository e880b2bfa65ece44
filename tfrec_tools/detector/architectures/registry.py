"""The families of detectors: which code a config asks for."""

from __future__ import annotations

from typing import Any, Protocol

import keras
import tensorflow as tf

from tfrec_tools.detector.architectures import center_net, faster_rcnn, ssd
from tfrec_tools.detector.checkpoints.object_graph import ObjectGraph
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import Config
from tfrec_tools.detector.config.ssd import SsdConfig
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import Losses
from tfrec_tools.detector.network.detections import Detections
from tfrec_tools.detector.network.heads import ClassHead
from tfrec_tools.detector.options.groups import BACKBONE, HEAD, NECK


class Family(Protocol):
    """What a module of a family has; `config` is of its own type.

    BACKBONES are the paths, in the checkpoint's model, of what was trained on images without boxes, HEADS of
    what says classes and boxes in the end.
    HAS_SIGMOIDS: whether the score of a class is the sigmoid of its own logit, whatever the others are.
    """

    BACKBONES: tuple[str, ...]
    HEADS: tuple[str, ...]
    HAS_SIGMOIDS: bool

    def build(self, config: Any) -> keras.Model: ...

    def side_by_side(self, network: keras.Model, base: keras.Model) -> keras.Model: ...

    def detect(
        self, config: Any, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
    ) -> Detections: ...

    def class_logits(
        self, config: Any, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
    ) -> tf.Tensor: ...

    def training_losses(
        self,
        config: Any,
        network: keras.Model,
        images: tf.Tensor,
        truth: GroundTruth,
        teacher: Teacher | None,
        *,
        training: bool,
    ) -> Losses: ...

    def class_heads(self, config: Any) -> list[ClassHead]: ...


_FAMILIES: dict[type, Family] = {
    SsdConfig: ssd,
    FasterRcnnConfig: faster_rcnn,
    CenterNetConfig: center_net,
}


def of(config: Config) -> Family:
    return _FAMILIES[type(config)]


def group_of(config: Config, path: str) -> str:
    """Returns the group of layers that a path in the checkpoint's model is of. What is neither backbone nor
    head is the neck: the pyramid and coarser levels of single-shot families, the first stage (RPN) of Faster
    R-CNN, the upsampling of CenterNet."""
    family = of(config)
    for group, roots in ((BACKBONE, family.BACKBONES), (HEAD, family.HEADS)):
        if path.startswith(tuple(f"{root}/" for root in roots)):
            return group
    return NECK


def fitted(config: Config, graph: ObjectGraph) -> Config:
    """Returns the config with what only a checkpoint of it says."""
    match config:
        case FasterRcnnConfig():
            return faster_rcnn.fitted(config, graph)
        case CenterNetConfig():
            return center_net.fitted(config, graph)
        case SsdConfig():
            return config


def unused(config: Config) -> str | None:
    """Returns the path, in a checkpoint's model, below which there may be variables that no detection
    needs."""
    match config:
        case SsdConfig():
            return ssd.unused(config)
        case CenterNetConfig():
            return center_net.unused(config)
        case FasterRcnnConfig():
            return None

"""Single-shot detectors: a backbone, feature levels, a predictor.

TFOD: meta_architectures/ssd_meta_arch.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf
from keras import KerasTensor
from numpy.typing import NDArray

from tfrec_tools.detector.config.anchors import MultiscaleAnchors
from tfrec_tools.detector.config.bifpn import BifpnConfig
from tfrec_tools.detector.config.ssd import ConvolutionalPredictor, FpnConfig, MobileNetV2Config, SsdConfig
from tfrec_tools.detector.losses import distillation, matching, ssd_losses
from tfrec_tools.detector.network import bifpn, box_coding, detections, predictors
from tfrec_tools.detector.network.anchors import multiscale_boxes, ssd_boxes
from tfrec_tools.detector.network.backbones import efficientnet, mobilenet_v1, mobilenet_v2, resnet
from tfrec_tools.detector.network.coarser import coarser_levels
from tfrec_tools.detector.network.fpn import pyramid
from tfrec_tools.detector.network.heads import ClassHead

_BACKBONE = "_feature_extractor/classification_backbone"
BACKBONES: tuple[str, ...] = (_BACKBONE, efficientnet.PATH)
HEADS: tuple[str, ...] = ("_box_predictor",)
HAS_SIGMOIDS = True
_FEATURES = "features."  # and a number: names of what comes out of the backbone


def build(config: SsdConfig) -> keras.Model:
    """Returns a model from canvases (B, H, W, 3) float32 to [codes (B, A, 4), logits (B, A, K+1)]: box codes
    [ty tx th tw] an anchor, and class logits with the background, where the family has it, in column 0."""
    image = keras.Input((config.resizer.height_px, config.resizer.width_px, 3), name="image")
    outputs = predictors.Outputs(_per_cell(config), config.num_classes + config.background)
    codes, logits = predictors.predict(config.predictor, _levels(config, image), outputs)
    return keras.Model(image, [codes, logits], name="ssd")


def side_by_side(network: keras.Model, base: keras.Model) -> keras.Model:
    """Returns a model to what `network` gives, followed by what `base` does, whose backbone is the same: it
    is run once for both."""
    rest_of_base = keras.Model(_features(base), base.outputs)
    return keras.Model(network.inputs, [*network.outputs, *rest_of_base(_features(network))])


def unused(config: SsdConfig) -> str | None:
    """Returns where a checkpoint has what no detection passes through: TFOD's EfficientNet goes on after
    level 5, to the end of its last stack and the classifier of ImageNet."""
    return _BACKBONE if isinstance(config.extractor, BifpnConfig) else None


def detect(
    config: SsdConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> detections.Detections:
    """Returns sigmoid scores, and the best boxes by them."""
    return select(config, *decoded(config, network, images), windows)


def decoded(config: SsdConfig, network: keras.Model, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what the network says of each anchor: boxes (B, A, 4), fractions of the canvas and not clipped,
    and scores (B, A, K), or (B, A, K+1) with that of the background first."""
    codes, logits = network(images, training=False)
    boxes = box_coding.decode(codes, tf.constant(anchor_boxes(config)), config.code_scales)
    return boxes, tf.sigmoid(logits)


def select(
    config: SsdConfig, boxes: tf.Tensor, scores: tf.Tensor, windows: tf.Tensor
) -> detections.Detections:
    """Returns the best of what `decoded` gives."""
    of_classes = scores[..., 1:] if config.background else scores
    return detections.best(config.nms, boxes[:, :, None, :], of_classes, windows)


def class_logits(config: SsdConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
    """Returns (B, A, K), those of the classes; the windows make no difference to them."""
    del windows
    logits = network(images, training=False)[1]
    return logits[..., 1:] if config.background else logits


def training_losses(
    config: SsdConfig,
    network: keras.Model,
    images: tf.Tensor,
    truth: matching.GroundTruth,
    teacher: distillation.Teacher | None,
    *,
    training: bool,
) -> ssd_losses.Losses:
    """Returns the losses of some images of a batch; `training` lets batch norm follow them."""
    targets = matching.assign(
        config.matcher, config.code_scales, tf.constant(anchor_boxes(config)), truth, config.background
    )
    answers = _answers(network, images, teacher, training=training)
    said = [tf.cast(answer, tf.float32) for answer in answers]
    emphasis = distillation.EMPHASIS if teacher else 1.0
    losses = ssd_losses.detection_losses(config.loss, said[0], said[1], targets, emphasis)
    if teacher is None:
        return losses
    return replace(losses, distillation=_distillation(config, teacher, truth, said))


def _answers(
    network: keras.Model, images: tf.Tensor, teacher: distillation.Teacher | None, *, training: bool
) -> list[tf.Tensor]:
    """Returns what the network says, and then the teacher, if there is one."""
    if teacher and teacher.joined:
        return list(teacher.joined(images, training=False))
    answers = network(images, training=training)
    return [*answers, *teacher.network(images, training=False)] if teacher else list(answers)


def _distillation(
    config: SsdConfig,
    teacher: distillation.Teacher,
    truth: matching.GroundTruth,
    said: Sequence[tf.Tensor],
) -> tuple[ssd_losses.LossTerm, ...]:
    codes, logits, base_codes, base_logits = said
    first = int(config.background)
    student = distillation.Answers(codes, tf.gather(logits, teacher.grown_columns + first, axis=-1))
    answers = distillation.Answers(base_codes, tf.gather(base_logits, teacher.base_columns + first, axis=-1))
    boxes = box_coding.decode(base_codes, tf.constant(anchor_boxes(config)), config.code_scales)
    is_certain = distillation.is_sure(answers) & distillation.may_know(boxes, truth)
    return distillation.loss(answers, student, boxes, is_certain, distillation.EMPHASIS)


def class_heads(config: SsdConfig) -> list[ClassHead]:
    per_cell, kernel = _per_cell(config), "kernel"
    if isinstance(config.predictor, ConvolutionalPredictor):
        paths = [predictors.class_head(level) for level in range(len(per_cell))]
    else:
        paths = [predictors.SHARED_CLASS_HEAD]
        kernel = "pointwise_kernel" if config.predictor.use_depthwise else "kernel"
    return [
        ClassHead(path.replace(".", "/"), kernel, count, config.background)
        for path, count in zip(paths, per_cell, strict=False)
    ]


@lru_cache(maxsize=8)
def anchor_boxes(config: SsdConfig) -> NDArray[np.float32]:
    """Returns (A, 4) float32 [ymin xmin ymax xmax], fractions of the canvas."""
    size = config.resizer.height_px, config.resizer.width_px
    if isinstance(config.anchors, MultiscaleAnchors):
        return multiscale_boxes(config.anchors, *size)
    return ssd_boxes(config.anchors, *size)


def _per_cell(config: SsdConfig) -> list[int]:
    """Returns how many anchors each level has at a cell."""
    anchors = config.anchors
    if isinstance(anchors, MultiscaleAnchors):
        return [anchors.per_cell] * (anchors.max_level - anchors.min_level + 1)
    return [len(anchors.cell(level)) for level in range(anchors.levels)]


def _levels(config: SsdConfig, image: KerasTensor) -> list[KerasTensor]:
    extractor = config.extractor
    match extractor:
        case MobileNetV2Config():
            return coarser_levels(extractor, _named(mobilenet_v2.last_levels(_mobilenet(extractor), image)))
        case FpnConfig():
            return pyramid(extractor, _named(_pyramid_levels(extractor, image)))
        case BifpnConfig():
            return bifpn.pyramid(extractor, _named(efficientnet.feature_levels(extractor.version, image)))


def _named(levels: list[KerasTensor]) -> list[KerasTensor]:
    return [keras.layers.Identity(name=f"{_FEATURES}{i}")(level) for i, level in enumerate(levels)]


def _features(network: keras.Model) -> list[KerasTensor]:
    """Returns what was `_named`."""
    named = [layer for layer in network.layers if layer.name.startswith(_FEATURES)]
    return [layer.output for layer in sorted(named, key=lambda layer: layer.name)]


def _pyramid_levels(config: FpnConfig, image: KerasTensor) -> list[KerasTensor]:
    """Returns levels 3, 4, 5."""
    if config.backbone == "mobilenet_v1":
        return mobilenet_v1.pyramid_levels(config, image, _BACKBONE.replace("/", "."))
    if config.backbone == "mobilenet_v2":
        return mobilenet_v2.pyramid_levels(_mobilenet(config), image)
    depth = int(config.backbone.removeprefix("resnet"))
    network = resnet.Resnet(depth, config.hyperparams, config.depth_multiplier, config.min_depth)
    return resnet.feature_levels(network, image, _BACKBONE.replace("/", "."))[1:]


def _mobilenet(config: FpnConfig | MobileNetV2Config) -> mobilenet_v2.MobileNetV2:
    return mobilenet_v2.MobileNetV2(config.hyperparams, config.depth_multiplier, config.min_depth)

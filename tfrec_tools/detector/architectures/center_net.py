"""CenterNet: a heatmap of centres a class, and at each centre a size and an offset (Zhou et al. 2019).

TFOD: meta_architectures/center_net_meta_arch.py
"""

from __future__ import annotations

from dataclasses import replace

import keras
import tensorflow as tf

from tfrec_tools.detector.checkpoints.object_graph import MODEL, ObjectGraph
from tfrec_tools.detector.config.center_net import (
    STRIDE_PX,
    CenterNetConfig,
    MobileNetV2Fpn,
    ResnetFpn,
    ResnetV2,
)
from tfrec_tools.detector.losses import center_losses, distillation
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import Losses, LossTerm
from tfrec_tools.detector.network import center_network, peak_suppression
from tfrec_tools.detector.network.backbones import hourglass, preact_resnet
from tfrec_tools.detector.network.center_network import Maps
from tfrec_tools.detector.network.detections import Detections
from tfrec_tools.detector.network.heads import ClassHead
from tfrec_tools.detector.network.layers import path_of

# An hourglass is one network from the pixels to the features that the heads see.
BACKBONES: tuple[str, ...] = (path_of(center_network.BACKBONE), path_of(hourglass.PATH))
HEADS: tuple[str, ...] = (center_network.HEADS,)
HAS_SIGMOIDS = True


def build(config: CenterNetConfig) -> keras.Model:
    return center_network.build(config)


def side_by_side(network: keras.Model, base: keras.Model) -> keras.Model:
    return center_network.side_by_side(network, base)


def fitted(config: CenterNetConfig, graph: ObjectGraph) -> CenterNetConfig:
    """Returns the config with the pyramid's kind of convolutions that a checkpoint has: TFOD of other years
    built another kind for the same pipeline.config."""
    if not isinstance(config.extractor, MobileNetV2Fpn):
        return config
    kernel = graph.find(f"{MODEL}/{path_of(center_network.FIRST_SMOOTHING)}/depthwise_kernel")
    return replace(config, extractor=replace(config.extractor, separable=kernel is not None))


def unused(config: CenterNetConfig) -> str | None:
    """Returns where a checkpoint has what no detection passes through: the last batch norm of some
    ResNets."""
    match config.extractor:
        case ResnetFpn(depth) if depth in preact_resnet.BASIC:
            network = preact_resnet.BASIC[depth]
        case ResnetV2(depth):
            network = preact_resnet.V2[depth]
        case _:
            return None
    return path_of(preact_resnet.unused(network, center_network.BACKBONE))


def detect(
    config: CenterNetConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> Detections:
    """Returns the boxes at the highest peaks."""
    return select(config, *decoded(network, images), windows)


def decoded(network: keras.Model, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what the last stack says of each of its A cells, row by row: boxes (B, A, 4), fractions of the
    canvas, clipped to it, and scores (B, A, K)."""
    maps = _last(network, images)
    return center_network.decode(maps), tf.sigmoid(_of_cells(maps.logits))


def select(config: CenterNetConfig, boxes: tf.Tensor, scores: tf.Tensor, windows: tf.Tensor) -> Detections:
    """Returns the best of what `decoded` gives. As TFOD does, it counts peaks in the padding too, whose boxes
    have no area in the image; a suppression removes them."""
    maps = tf.reshape(scores, (-1, *config.cells, config.num_classes))
    peaks = center_network.peaks(maps, config.peak_px, config.max_boxes)
    there = peaks.scores > 0.0
    best = tf.gather(boxes, peaks.cells, batch_dims=1) / tf.tile(windows, [1, 2])[:, None, :]
    in_image = tf.clip_by_value(best, 0.0, 1.0)
    if config.nms is not None:
        of_peaks = tf.gather(scores, peaks.cells, batch_dims=1)
        return peak_suppression.suppressed(config.nms, in_image, of_peaks, there)
    return Detections(
        boxes=tf.where(there[..., None], in_image, 0.0),
        scores=peaks.scores,
        ids=tf.where(there, peaks.columns + 1, 0),
    )


def class_logits(
    config: CenterNetConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> tf.Tensor:
    """Returns (B, A, K) of the last stack's cells; the windows make no difference to them."""
    del config, windows
    return _of_cells(_last(network, images).logits)


def training_losses(
    config: CenterNetConfig,
    network: keras.Model,
    images: tf.Tensor,
    truth: GroundTruth,
    teacher: distillation.Teacher | None,
    *,
    training: bool,
) -> Losses:
    """Returns the losses of some images of a batch; `training` lets batch norm follow them."""
    targets = center_losses.assign(truth, config.loss.min_iou, config.cells, STRIDE_PX)
    stacks = _answers(network, images, teacher, training=training)
    ours = stacks[: center_network.count_stacks(config)]
    emphasis = distillation.EMPHASIS if teacher else 1.0
    losses = center_losses.losses(config.loss, ours, targets, truth, emphasis)
    if teacher is None:
        return losses
    return replace(losses, distillation=_distillation(config, teacher, truth, ours[-1], stacks[-1]))


def _answers(
    network: keras.Model, images: tf.Tensor, teacher: distillation.Teacher | None, *, training: bool
) -> list[Maps]:
    """Returns what the network's stacks say, and then the teacher's, if there is one."""
    if teacher and teacher.joined:
        return center_network.stacks(teacher.joined(images, training=False))
    answers = network(images, training=training)
    of_base = teacher.network(images, training=False) if teacher else ()
    return center_network.stacks([*answers, *of_base])


def _distillation(
    config: CenterNetConfig, teacher: distillation.Teacher, truth: GroundTruth, ours: Maps, base: Maps
) -> tuple[LossTerm, ...]:
    student = distillation.Answers(_codes(config, ours), _columns(ours, teacher.grown_columns))
    answers = distillation.Answers(_codes(config, base), _columns(base, teacher.base_columns))
    boxes = center_network.decode(base)
    is_certain = distillation.is_sure(answers) & distillation.may_know(boxes, truth)
    return distillation.loss(answers, student, boxes, is_certain, distillation.EMPHASIS)


def _codes(config: CenterNetConfig, maps: Maps) -> tf.Tensor:
    """Returns (B, A, 4): offsets and sizes by what they weigh in training, as sizes are much larger."""
    parts = (maps.offsets * config.loss.offset_weight, maps.sizes * config.loss.scale_weight)
    return _of_cells(tf.concat(parts, axis=-1))


def _columns(maps: Maps, columns: tf.Tensor) -> tf.Tensor:
    return tf.gather(_of_cells(maps.logits), columns, axis=-1)


def _last(network: keras.Model, images: tf.Tensor) -> Maps:
    return center_network.stacks(network(images, training=False))[-1]


def _of_cells(values: tf.Tensor) -> tf.Tensor:
    """Returns (B, h w, C) of (B, h, w, C)."""
    _, height, width, channels = values.shape
    return tf.reshape(values, (-1, height * width, channels))


def class_heads(config: CenterNetConfig) -> list[ClassHead]:
    return [
        ClassHead(path_of(center_network.class_head(config, stack)), "kernel", per_cell=1, background=False)
        for stack in range(center_network.count_stacks(config))
    ]

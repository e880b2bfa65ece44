"""Faster R-CNN: a first stage proposes boxes, a second one looks at each of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import keras
import tensorflow as tf

from tfrec_tools.detector.checkpoints.object_graph import MODEL, ObjectGraph
from tfrec_tools.detector.config.faster_rcnn import CODE_SCALES, INCEPTION, FasterRcnnConfig
from tfrec_tools.detector.losses import rcnn_losses, sampling
from tfrec_tools.detector.losses.distillation import Answers, Teacher, is_sure, loss, may_know
from tfrec_tools.detector.losses.matching import GroundTruth
from tfrec_tools.detector.losses.ssd_losses import Losses, LossTerm
from tfrec_tools.detector.network import box_coding, detections, rcnn_network
from tfrec_tools.detector.network.backbones import resnet
from tfrec_tools.detector.network.heads import ClassHead
from tfrec_tools.detector.network.rcnn_network import FirstStageOutput, Proposals, Refined, anchor_boxes

BACKBONES: tuple[str, ...] = (rcnn_network.FEATURES, rcnn_network.BOX_FEATURES)
HEADS: tuple[str, ...] = ("_mask_rcnn_box_predictor",)
HAS_SIGMOIDS = False


def build(config: FasterRcnnConfig) -> keras.Model:
    return rcnn_network.build(config)


def side_by_side(network: keras.Model, base: keras.Model) -> keras.Model:
    return rcnn_network.side_by_side(network, base)


def detect(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> detections.Detections:
    """Returns softmax scores, and the best refined boxes by them."""
    return select(config, *decoded(config, network, images, windows), windows)


def decoded(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns what the second stage says of each proposal: boxes (B, P, 1 or K, 4), fractions of the canvas
    and not clipped, scores (B, P, K+1) with that of the background first, and (B, P) which proposals are
    ones."""
    proposals, refined = predict(config, network, images, windows)
    boxes = box_coding.decode(refined.codes, proposals.boxes[:, :, None, :], CODE_SCALES)
    return boxes, tf.nn.softmax(refined.logits), proposals.valid


def select(
    config: FasterRcnnConfig, boxes: tf.Tensor, scores: tf.Tensor, valid: tf.Tensor, windows: tf.Tensor
) -> detections.Detections:
    """Returns the best of what `decoded` gives."""
    of_classes = tf.where(valid[..., None], scores[..., 1:], -1.0)  # below any threshold
    return detections.best(config.boxes.nms, boxes, of_classes, windows)


def class_logits(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> tf.Tensor:
    """Returns (B, P, K) of the proposals."""
    return predict(config, network, images, windows)[1].logits[..., 1:]


def predict(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> tuple[Proposals, Refined]:
    """Runs both stages, one after the other."""
    features, codes, logits = rcnn_network.first_stage(network, images, training=False)
    anchors = tf.constant(anchor_boxes(config))
    proposals = rcnn_network.propose(config, anchors, codes, logits, windows)
    return proposals, rcnn_network.refine(config, network, features, proposals.boxes, training=False)


def training_losses(
    config: FasterRcnnConfig,
    network: keras.Model,
    images: tf.Tensor,
    truth: GroundTruth,
    teacher: Teacher | None,
    *,
    training: bool,
) -> Losses:
    """Returns the losses of both stages; `training` lets batch norm follow the images."""
    seen, *seen_by_base = _first_stages(network, images, teacher, training=training)
    sample = partial(sampling.balanced, truth.draw)
    stages = stage_losses(config, network, seen, truth, sample, training=training)
    batch_size = tf.cast(tf.shape(images)[0], tf.float32)
    losses = Losses(
        localization=(LossTerm(stages.proposal_localization + stages.box_localization, batch_size),),
        classification=(LossTerm(stages.proposal_classification + stages.box_classification, batch_size),),
    )
    if teacher is None:
        return losses
    distillation = _distillation(config, network, teacher, truth, seen, *seen_by_base)
    return replace(losses, distillation=distillation)


def _first_stages(
    network: keras.Model, images: tf.Tensor, teacher: Teacher | None, *, training: bool
) -> tuple[FirstStageOutput, ...]:
    """Returns what the network's first stage says, and then the teacher's, if there is one."""
    if teacher and teacher.joined:
        return rcnn_network.both_first_stages(teacher.joined, images)
    seen = rcnn_network.first_stage(network, images, training=training)
    return (seen, rcnn_network.first_stage(teacher.network, images, training=False)) if teacher else (seen,)


def stage_losses(
    config: FasterRcnnConfig,
    network: keras.Model,
    seen: FirstStageOutput,
    truth: GroundTruth,
    sample: rcnn_losses.Sample,
    *,
    training: bool,
) -> rcnn_losses.StageLosses:
    """Returns each loss by itself. `sample` draws first from the proposals, then from the anchors."""
    kept = rcnn_network.trained_anchors(config)
    anchors = tf.constant(anchor_boxes(config)[kept])
    codes, logits = tf.gather(seen.codes, kept, axis=1), tf.gather(seen.logits, kept, axis=1)
    constant_codes, constant_logits = tf.stop_gradient(codes), tf.stop_gradient(logits)
    proposals = rcnn_network.propose(config, anchors, constant_codes, constant_logits, truth.windows)
    drawn = rcnn_losses.draw_boxes(config.box_loss, truth, *proposals, sample)
    refined = rcnn_network.refine(config, network, seen.features, drawn.boxes, training=training)
    of_boxes = rcnn_losses.box_losses(config.box_loss, drawn, *refined, truth)
    of_proposals = rcnn_losses.proposal_losses(config.proposal_loss, anchors, codes, logits, truth, sample)
    return rcnn_losses.StageLosses(*of_proposals, *of_boxes)


def _distillation(
    config: FasterRcnnConfig,
    network: keras.Model,
    teacher: Teacher,
    truth: GroundTruth,
    seen: FirstStageOutput,
    base_seen: FirstStageOutput,
) -> tuple[LossTerm, ...]:
    """Returns the distillation loss of both stages (as Peng et al. 2020, "Faster ILOD"); the second is asked
    about the teacher's best proposals."""
    anchors = tf.constant(anchor_boxes(config))
    boxes = box_coding.decode(base_seen.codes, anchors, CODE_SCALES)
    base = _objectness(base_seen)
    of_anchors = loss(base, _objectness(seen), boxes, is_sure(base))
    asked, valid = rcnn_network.propose(config, anchors, base_seen.codes, base_seen.logits, truth.windows)
    asked, valid = asked[:, : config.box_loss.samples], valid[:, : config.box_loss.samples]
    refined = rcnn_network.refine(config, teacher.network, base_seen.features, asked, training=False)
    ours = rcnn_network.refine(config, network, seen.features, asked, training=False)
    answers = _answers(refined, teacher.base_columns), _answers(ours, teacher.grown_columns)
    return of_anchors + loss(*answers, asked, valid & may_know(asked, truth))


def _objectness(seen: FirstStageOutput) -> Answers:
    """Returns log-odds, whose sigmoid is the softmax of the two logits."""
    return Answers(seen.codes, seen.logits[..., 1:] - seen.logits[..., :1])


def _answers(refined: Refined, columns: tf.Tensor) -> Answers:
    """Returns logits against the background's, since a softmax knows no others; codes (B, P, 4), or of each
    class its own, (B, P, 4 C)."""
    codes, logits = refined
    codes = codes if codes.shape[2] == 1 else tf.gather(codes, columns, axis=2)
    shape = tf.shape(codes)
    of_classes = tf.gather(logits, columns + 1, axis=-1) - logits[..., :1]
    return Answers(tf.reshape(codes, (shape[0], shape[1], shape[2] * 4)), of_classes)


def class_heads(config: FasterRcnnConfig) -> list[ClassHead]:
    path = rcnn_network.CLASS_HEAD.replace(".", "/")
    heads = [ClassHead(path, "kernel", per_cell=1, background=True)]
    if not config.boxes.shares_box:
        path = rcnn_network.BOX_HEAD.replace(".", "/")
        heads.append(ClassHead(path, "kernel", per_cell=1, background=False, values=4))
    return heads


def fitted(config: FasterRcnnConfig, graph: ObjectGraph) -> FasterRcnnConfig:
    """Returns the config with the width that a checkpoint's ResNet has, which no pipeline.config says."""
    if config.depth == INCEPTION:
        return config
    path = f"{MODEL}/{rcnn_network.FEATURES}/layer_with_weights-0/kernel"
    kernel = graph.nodes[graph.find(path) or 0].value
    return config if kernel is None else replace(config, width=kernel.shape[-1] / resnet.STEM_CHANNELS)

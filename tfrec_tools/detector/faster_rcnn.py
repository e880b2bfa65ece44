"""Faster R-CNN (Ren et al. 2015): a first stage proposes boxes, a second one looks at each of them.

TFOD: meta_architectures/faster_rcnn_meta_arch.py, models/faster_rcnn_resnet_keras_feature_extractor.py,
predictors/mask_rcnn_keras_box_predictor.py. Boxes are fractions of the canvas, where TFOD has pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector import coding, detections, distill, layers, rcnn_losses, sampling
from tfrec_tools.detector.anchors import grid_boxes
from tfrec_tools.detector.backbones import resnet
from tfrec_tools.detector.checkpoint import MODEL, ObjectGraph
from tfrec_tools.detector.distill import Answers, Teacher
from tfrec_tools.detector.heads import ClassHead
from tfrec_tools.detector.losses import Losses
from tfrec_tools.detector.matching import Truth
from tfrec_tools.detector.pipeline.faster_rcnn import FasterRcnnConfig

_FEATURES, _BOX_FEATURES = (
    "_feature_extractor_for_proposal_features",
    "_feature_extractor_for_box_classifier_features",
)
BACKBONES: tuple[str, ...] = (_FEATURES, _BOX_FEATURES)
_PROPOSAL_CONV = "_first_stage_box_predictor_first_conv.layer_with_weights-0"
_PROPOSAL_HEADS = "_first_stage_box_predictor._prediction_heads"
_PROPOSAL_CODES = f"{_PROPOSAL_HEADS}.box_encodings.0._box_encoder_layers.0"
_PROPOSAL_LOGITS = f"{_PROPOSAL_HEADS}.class_predictions_with_background.0._class_predictor_layers.0"
_BOX_HEAD = "_mask_rcnn_box_predictor._box_prediction_head._box_encoder_layers.1"
_CLASS_HEAD = "_mask_rcnn_box_predictor._class_prediction_head._class_predictor_layers.1"
_FIRST, _SECOND = "first_stage", "second_stage"


class Proposals(NamedTuple):
    """Boxes of a batch that the first stage takes for objects, best first.

    boxes  (B, P, 4) float32, clipped to the picture, zeros where there are no more
    valid  (B, P) bool
    """

    boxes: tf.Tensor
    valid: tf.Tensor


class Refined(NamedTuple):
    """What the second stage says of proposals.

    codes   (B, P, 1 or K, 4) float32 [ty tx th tw] relative to the proposal, one for all classes or one each
    logits  (B, P, K+1) float32, column 0 is the background
    """

    codes: tf.Tensor
    logits: tf.Tensor


def build(config: FasterRcnnConfig) -> keras.Model:
    """Both stages in one model, which is for its parts: `stages` takes them out."""
    first = _first_stage(config)
    second = _second_stage(config, first.outputs[0].shape[-1])
    return keras.Model(
        [*first.inputs, *second.inputs],
        [*first(first.inputs[0]), *second(second.inputs[0])],
        name="faster_rcnn",
    )


def stages(network: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The first stage, from canvases (B, H, W, 3) to [features (B, h, w, C), codes (B, A, 4),
    logits (B, A, 2)], and the second, from crops of the features (N, s, s, C) to [codes (N, 1 or K, 4),
    logits (N, K+1)]; the background is in column 0."""
    return network.get_layer(_FIRST), network.get_layer(_SECOND)


def detect(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> detections.Detections:
    """Softmax scores, and the best refined boxes by them."""
    proposals, refined = predict(config, network, images, windows)
    boxes = coding.decode(refined.codes, proposals.boxes[:, :, None, :], rcnn_losses.CODE_SCALES)
    scores = tf.nn.softmax(refined.logits)[..., 1:]
    scores = tf.where(proposals.valid[..., None], scores, -1.0)  # below any threshold
    return detections.best(config.boxes.nms, boxes, scores, windows)


def class_logits(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> tf.Tensor:
    """(B, P, K) of the proposals."""
    return predict(config, network, images, windows)[1].logits[..., 1:]


def predict(
    config: FasterRcnnConfig, network: keras.Model, images: tf.Tensor, windows: tf.Tensor
) -> tuple[Proposals, Refined]:
    """Both stages, one after the other."""
    first, second = stages(network)
    features, codes, logits = first(images, training=False)
    proposals = propose(config, tf.constant(anchor_boxes(config)), codes, logits, windows)
    return proposals, _refine(config, second, features, proposals.boxes, training=False)


def propose(
    config: FasterRcnnConfig, anchors: tf.Tensor, codes: tf.Tensor, logits: tf.Tensor, windows: tf.Tensor
) -> Proposals:
    """The best boxes of the first stage: anchors (A, 4), codes (B, A, 4), logits (B, A, 2)."""
    boxes = coding.decode(codes, anchors, rcnn_losses.CODE_SCALES)[:, :, None, :]
    best = detections.best(config.proposals.nms, boxes, tf.nn.softmax(logits)[..., 1:], windows)
    return Proposals(best.boxes * tf.tile(windows, [1, 2])[:, None, :], best.ids > 0)


def training_losses(
    config: FasterRcnnConfig,
    network: keras.Model,
    images: tf.Tensor,
    truth: Truth,
    teacher: Teacher | None,
    *,
    training: bool,
) -> Losses:
    """The losses of both stages; `training` lets batch norm follow the batch."""
    sample = partial(sampling.balanced, truth.seed)
    found = stage_losses(config, network, images, truth, sample, teacher, training=training)
    return Losses(
        localization=found.proposal_localization + found.box_localization,
        classification=found.proposal_classification + found.box_classification,
        distillation=found.distillation,
    )


def stage_losses(
    config: FasterRcnnConfig,
    network: keras.Model,
    images: tf.Tensor,
    truth: Truth,
    sample: rcnn_losses.Sample,
    teacher: Teacher | None,
    *,
    training: bool,
) -> rcnn_losses.StageLosses:
    """Each loss by itself. `sample` draws first from the proposals, then from the anchors."""
    first, second = stages(network)
    features, codes, logits = first(images, training=training)
    kept = trained_anchors(config)
    codes, logits = tf.gather(codes, kept, axis=1), tf.gather(logits, kept, axis=1)
    anchors = tf.constant(anchor_boxes(config)[kept])
    proposals = propose(config, anchors, tf.stop_gradient(codes), tf.stop_gradient(logits), truth.windows)
    drawn = rcnn_losses.draw_boxes(config.box_loss, truth, *proposals, sample)
    refined = _refine(config, second, features, drawn.boxes, training=training)
    of_boxes = rcnn_losses.box_losses(config.box_loss, drawn, *refined, truth)
    of_proposals = rcnn_losses.proposal_losses(config.proposal_loss, anchors, codes, logits, truth, sample)
    taught = 0.0
    if teacher is not None:
        refine = partial(_refine, config, second, features, training=training)
        taught = _distillation(config, teacher, images, truth.windows, refine)
    return rcnn_losses.StageLosses(*of_proposals, *of_boxes, taught)


def _distillation(
    config: FasterRcnnConfig,
    teacher: Teacher,
    images: tf.Tensor,
    windows: tf.Tensor,
    refine: Callable[[tf.Tensor], Refined],
) -> tf.Tensor:
    """On the teacher's own proposals, which `refine` gives to the student's second stage."""
    proposals, answer = predict(config, teacher.network, images, windows)
    boxes = coding.decode(answer.codes, proposals.boxes[:, :, None, :], rcnn_losses.CODE_SCALES)
    base = _answers(answer, teacher.base_columns)
    student = _answers(refine(proposals.boxes), teacher.grown_columns)
    return distill.loss(base, student, boxes[:, :, 0], proposals.valid)


def _answers(refined: Refined, columns: tf.Tensor) -> Answers:
    """Logits against the background's, since a softmax knows no others; codes only where all classes share
    them."""
    logits = tf.gather(refined.logits, columns + 1, axis=-1) - refined.logits[..., :1]
    codes = refined.codes[:, :, 0] if refined.codes.shape[2] == 1 else tf.zeros_like(refined.codes[:, :, 0])
    return Answers(codes, logits)


def fitted(config: FasterRcnnConfig, graph: ObjectGraph) -> FasterRcnnConfig:
    """The config with the width that a checkpoint's ResNet has, which no pipeline.config says."""
    path = f"{MODEL}/{_FEATURES}/layer_with_weights-0/kernel"
    kernel = graph.nodes[graph.find(path) or 0].value
    return config if kernel is None else replace(config, width=kernel.shape[-1] / resnet.STEM_CHANNELS)


def class_heads(config: FasterRcnnConfig) -> list[ClassHead]:
    heads = [ClassHead(_CLASS_HEAD.replace(".", "/"), "kernel", per_cell=1, background=True)]
    if not config.boxes.shares_box:
        path = _BOX_HEAD.replace(".", "/")
        heads.append(ClassHead(path, "kernel", per_cell=1, background=False, values=4))
    return heads


@lru_cache(maxsize=8)
def anchor_boxes(config: FasterRcnnConfig) -> NDArray[np.float32]:
    """(A, 4) float32 [ymin xmin ymax xmax], clipped to the canvas."""
    return np.clip(_unclipped_anchors(config), 0.0, 1.0)


def trained_anchors(config: FasterRcnnConfig) -> NDArray[np.int64]:
    """Indices of the anchors that take part in training."""
    anchors = _unclipped_anchors(config)
    inside = ((anchors >= 0.0) & (anchors <= 1.0)).all(axis=-1)
    return np.flatnonzero(inside | config.proposals.clip_anchors)


def _unclipped_anchors(config: FasterRcnnConfig) -> NDArray[np.float32]:
    return grid_boxes(config.proposals.anchors, config.resizer.height_px, config.resizer.width_px)


def _backbone(config: FasterRcnnConfig) -> resnet.Resnet:
    # TFOD takes no weight decay, batch norm or activation for it from the pipeline.config.
    return resnet.Resnet(config.depth, resnet.default_hyperparams(weight_decay=0.0), config.width)


def _first_stage(config: FasterRcnnConfig) -> keras.Model:
    proposals = config.proposals
    image = keras.Input((config.resizer.height_px, config.resizer.width_px, 3), name="image")
    features = resnet.conv4(_backbone(config), image, _FEATURES)
    conv = layers.conv(
        proposals.hyperparams, proposals.depth, proposals.kernel_px, _PROPOSAL_CONV, bias_init=0.0
    )
    hidden = keras.ops.relu6(conv(features))
    per_cell = proposals.anchors.per_cell
    codes = layers.conv(proposals.hyperparams, 4 * per_cell, 1, _PROPOSAL_CODES, bias_init=0.0)(hidden)
    logits = layers.conv(proposals.hyperparams, 2 * per_cell, 1, _PROPOSAL_LOGITS, bias_init=0.0)(hidden)
    outputs = [features, keras.layers.Reshape((-1, 4))(codes), keras.layers.Reshape((-1, 2))(logits)]
    return keras.Model(image, outputs, name=_FIRST)


def _second_stage(config: FasterRcnnConfig, channels: int) -> keras.Model:
    boxes = config.boxes
    side = (boxes.crop_px - boxes.pool_px) // boxes.pool_stride + 1
    crops = keras.Input((side, side, channels), name="crops")
    features = resnet.conv5(_backbone(config), crops, _BOX_FEATURES)
    features = keras.ops.mean(features, axis=(1, 2))
    codes = 1 if boxes.shares_box else config.num_classes
    codes = keras.layers.Reshape((codes, 4))(layers.dense(boxes.hyperparams, 4 * codes, _BOX_HEAD)(features))
    logits = layers.dense(boxes.hyperparams, config.num_classes + 1, _CLASS_HEAD)(features)
    return keras.Model(crops, [codes, logits], name=_SECOND)


def _refine(
    config: FasterRcnnConfig, second: keras.Model, features: tf.Tensor, boxes: tf.Tensor, *, training: bool
) -> Refined:
    """The second stage on features (B, h, w, C) of boxes (B, P, 4)."""
    batch, count = tf.shape(boxes)[0], tf.shape(boxes)[1]
    side, pool, stride = config.boxes.crop_px, config.boxes.pool_px, config.boxes.pool_stride
    crops = tf.image.crop_and_resize(
        features, tf.reshape(boxes, (-1, 4)), tf.repeat(tf.range(batch), count), (side, side)
    )
    codes, logits = second(tf.nn.max_pool2d(crops, pool, stride, "VALID"), training=training)
    return Refined(
        tf.reshape(codes, (batch, count, *codes.shape[1:])), tf.reshape(logits, (batch, count, -1))
    )

"""The two stages of Faster R-CNN (Ren et al. 2015) as networks, and what lies between them.

TFOD: meta_architectures/faster_rcnn_meta_arch.py, models/faster_rcnn_resnet_keras_feature_extractor.py,
models/faster_rcnn_inception_resnet_v2_keras_feature_extractor.py,
predictors/mask_rcnn_keras_box_predictor.py. Boxes are fractions of the canvas, where TFOD has pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.config.faster_rcnn import CODE_SCALES, INCEPTION, FasterRcnnConfig
from tfrec_tools.detector.network import box_coding, crops, detections, layers
from tfrec_tools.detector.network.anchors import grid_boxes
from tfrec_tools.detector.network.backbones import inception_resnet, resnet

FEATURES = "_feature_extractor_for_proposal_features"
BOX_FEATURES = "_feature_extractor_for_box_classifier_features"
BOX_HEAD = "_mask_rcnn_box_predictor._box_prediction_head._box_encoder_layers.1"
CLASS_HEAD = "_mask_rcnn_box_predictor._class_prediction_head._class_predictor_layers.1"
_PROPOSAL_CONV = "_first_stage_box_predictor_first_conv.layer_with_weights-0"
_PROPOSAL_HEADS = "_first_stage_box_predictor._prediction_heads"
_PROPOSAL_CODES = f"{_PROPOSAL_HEADS}.box_encodings.0._box_encoder_layers.0"
_PROPOSAL_LOGITS = f"{_PROPOSAL_HEADS}.class_predictions_with_background.0._class_predictor_layers.0"
_FIRST, _SECOND = "first_stage", "second_stage"


class FirstStageOutput(NamedTuple):
    """What the first stage says of a batch.

    features  (B, h, w, C) float32
    codes     (B, A, 4) float32 [ty tx th tw]
    logits    (B, A, 2) float32: background, object
    """

    features: tf.Tensor
    codes: tf.Tensor
    logits: tf.Tensor


class Proposals(NamedTuple):
    """Boxes of a batch that the first stage takes for objects, best first.

    boxes  (B, P, 4) float32, clipped to the image, zeros where there are no more
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
    """Returns both stages in one model, which is for its parts: `first_stage` and `refine` call them."""
    first = _first_stage(config)
    second = _second_stage(config, first.outputs[0].shape[-1])
    return keras.Model(
        [*first.inputs, *second.inputs],
        [*first(first.inputs[0]), *second(second.inputs[0])],
        name="faster_rcnn",
    )


def first_stage(network: keras.Model, images: tf.Tensor, *, training: bool) -> FirstStageOutput:
    """Runs the first stage on canvases (B, H, W, 3)."""
    return FirstStageOutput(*_in_float32(network.get_layer(_FIRST)(images, training=training)))


def side_by_side(network: keras.Model, base: keras.Model) -> keras.Model:
    """Returns the first stage of `network`, followed by codes and logits of the first stage of `base`, whose
    features are the same: they are found once for both."""
    first, first_of_base = network.get_layer(_FIRST), base.get_layer(_FIRST)
    features, *outputs = first_of_base.outputs
    rest_of_base = keras.Model(features, outputs)
    return keras.Model(first.inputs, [*first.outputs, *rest_of_base(first.outputs[0])])


def both_first_stages(both: keras.Model, images: tf.Tensor) -> tuple[FirstStageOutput, FirstStageOutput]:
    """Returns what both of `side_by_side` say."""
    features, codes, logits, *of_base = _in_float32(both(images, training=False))
    return FirstStageOutput(features, codes, logits), FirstStageOutput(features, *of_base)


def propose(
    config: FasterRcnnConfig, anchors: tf.Tensor, codes: tf.Tensor, logits: tf.Tensor, windows: tf.Tensor
) -> Proposals:
    """Returns the best boxes of the first stage: anchors (A, 4), codes (B, A, 4), logits (B, A, 2)."""
    boxes = box_coding.decode(codes, anchors, CODE_SCALES)[:, :, None, :]
    best = detections.best(config.proposals.nms, boxes, tf.nn.softmax(logits)[..., 1:], windows)
    return Proposals(best.boxes * tf.tile(windows, [1, 2])[:, None, :], best.ids > 0)


def refine(
    config: FasterRcnnConfig, network: keras.Model, features: tf.Tensor, boxes: tf.Tensor, *, training: bool
) -> Refined:
    """Runs the second stage on features (B, h, w, C) of boxes (B, P, 4)."""
    batch, count = tf.shape(boxes)[0], tf.shape(boxes)[1]
    side, pool, stride = config.boxes.crop_px, config.boxes.pool_px, config.boxes.pool_stride
    pooled = tf.nn.max_pool2d(crops.crop(features, boxes, side), pool, stride, "VALID")
    codes, logits = _in_float32(network.get_layer(_SECOND)(pooled, training=training))
    return Refined(
        tf.reshape(codes, (batch, count, *codes.shape[1:])),
        tf.reshape(logits, (batch, count, logits.shape[1])),
    )


def _in_float32(outputs: list[tf.Tensor]) -> list[tf.Tensor]:
    """Casts what a stage gives that may compute with fewer bits."""
    return [tf.cast(output, tf.float32) for output in outputs]


@lru_cache(maxsize=8)
def anchor_boxes(config: FasterRcnnConfig) -> NDArray[np.float32]:
    """Returns (A, 4) float32 [ymin xmin ymax xmax], clipped to the canvas."""
    return np.clip(_unclipped_anchors(config), 0.0, 1.0)


def trained_anchors(config: FasterRcnnConfig) -> NDArray[np.int64]:
    """Returns indices of the anchors that take part in training."""
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
    if config.depth == INCEPTION:
        features = inception_resnet.proposal_features(image, FEATURES)
    else:
        features = resnet.conv4(_backbone(config), image, FEATURES)
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
    if config.depth == INCEPTION:
        features = inception_resnet.box_features(crops, BOX_FEATURES)
    else:
        features = resnet.conv5(_backbone(config), crops, BOX_FEATURES)
    features = keras.ops.mean(features, axis=(1, 2))
    codes = 1 if boxes.shares_box else config.num_classes
    codes = keras.layers.Reshape((codes, 4))(layers.dense(boxes.hyperparams, 4 * codes, BOX_HEAD)(features))
    logits = layers.dense(boxes.hyperparams, config.num_classes + 1, CLASS_HEAD)(features)
    return keras.Model(crops, [codes, logits], name=_SECOND)

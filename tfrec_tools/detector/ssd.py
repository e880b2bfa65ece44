"""SSD with a feature pyramid and shared heads: MobileNetV2 FPNLite.

TFOD: models/ssd_mobilenet_v2_fpn_keras_feature_extractor.py, models/feature_map_generators.py,
predictors/convolutional_keras_box_predictor.py.
"""

from __future__ import annotations

import keras
from keras import KerasTensor

from tfrec_tools.detector import layers
from tfrec_tools.detector.backbones import mobilenet_v2
from tfrec_tools.detector.pipeline import FeatureExtractorConfig, SsdConfig

_PYRAMID = "_feature_extractor._fpn_features_generator"
_COARSE = "_feature_extractor._coarse_feature_layers"
_TOWER = "_box_predictor._head_scope_conv_layers.PredictionTower"
_TOWER_NORMS = "_box_predictor._base_tower_layers_for_heads.box_encodings"
_BOX_HEAD = "_box_predictor._box_prediction_head._box_encoder_layers.0"
CLASS_HEAD = "_box_predictor._prediction_heads.class_predictions_with_background._class_predictor_layers.0"


def build(config: SsdConfig) -> keras.Model:
    """A model from pictures (B, H, W, 3) float32 in [-1, 1] to [codes (B, A, 4), logits (B, A, K+1)]:
    box codes [ty tx th tw] an anchor, and class logits with the background in column 0."""
    image = keras.Input((config.height_px, config.width_px, 3), name="image")
    levels = mobilenet_v2.feature_levels(config.feature_extractor, image)
    levels = _coarse_levels(config.feature_extractor, _pyramid(config.feature_extractor, levels))
    codes, logits = _predict(config, levels)
    return keras.Model(image, [codes, logits], name="ssd_mobilenet_v2_fpnlite")


def _pyramid(config: FeatureExtractorConfig, levels: list[KerasTensor]) -> list[KerasTensor]:
    """Fine to coarse in and out; each level is its own projection plus the coarser one at twice its size,
    smoothed (TFOD's KerasFpnTopDownFeatureMaps, which counts its blocks from the coarse end)."""
    depth = _depth(config)
    *finer, coarsest = levels
    features = layers.conv(config.hyperparams, depth, 1, f"{_PYRAMID}.top_layers.0", bias=True)(coarsest)
    outputs = [features]
    for block, level in enumerate(reversed(finer)):
        lateral = layers.conv(
            config.hyperparams, depth, 1, f"{_PYRAMID}.residual_blocks.{block}.0", bias=True
        )(level)
        merged = keras.ops.add(keras.layers.UpSampling2D(2)(features), lateral)
        features = _separable_block(config, merged, f"{_PYRAMID}.conv_layers.{block}")
        outputs.append(features)
    return outputs[::-1]


def _coarse_levels(config: FeatureExtractorConfig, levels: list[KerasTensor]) -> list[KerasTensor]:
    """Levels 6 and 7, each from the one before by a convolution of stride 2."""
    for block in range(2):
        levels = [*levels, _separable_block(config, levels[-1], f"{_COARSE}.{block}", stride=2)]
    return levels


def _separable_block(
    config: FeatureExtractorConfig, features: KerasTensor, path: str, *, stride: int = 1
) -> KerasTensor:
    features = layers.separable(config.hyperparams, _depth(config), f"{path}.0", stride=stride)(features)
    return keras.ops.relu6(layers.batch_norm(config.hyperparams, f"{path}.1")(features))


def _depth(config: FeatureExtractorConfig) -> int:
    return max(int(config.fpn_depth * config.depth_multiplier), config.min_depth)


def _predict(config: SsdConfig, levels: list[KerasTensor]) -> tuple[KerasTensor, KerasTensor]:
    """One tower and two heads for all levels; only the batch norms are each level's own."""
    predictor, per_cell = config.box_predictor, config.anchors.per_cell
    convs = [
        layers.separable(predictor.hyperparams, predictor.depth, f"{_TOWER}.{i}")
        for i in range(predictor.tower_layers)
    ]
    box_head = layers.separable(
        predictor.hyperparams, per_cell * 4, _BOX_HEAD, regularized=False, bias_init=0.0
    )
    class_head = layers.separable(
        predictor.hyperparams,
        per_cell * (config.num_classes + 1),
        CLASS_HEAD,
        regularized=False,
        bias_init=predictor.class_bias_init,
    )
    codes, logits = [], []
    for index, features in enumerate(levels):
        for layer, shared_conv in enumerate(convs):
            # TFOD keeps a tower as [conv, norm, activation, conv, ...].
            norm = layers.batch_norm(predictor.hyperparams, f"{_TOWER_NORMS}.{index}.{3 * layer + 1}")
            features = keras.ops.relu6(norm(shared_conv(features)))
        codes.append(keras.layers.Reshape((-1, 4))(box_head(features)))
        logits.append(keras.layers.Reshape((-1, config.num_classes + 1))(class_head(features)))
    return keras.ops.concatenate(codes, axis=1), keras.ops.concatenate(logits, axis=1)

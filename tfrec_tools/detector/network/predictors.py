"""Box predictors of single-shot detectors: from feature levels to box codes and class logits.

TFOD: predictors/convolutional_keras_box_predictor.py, predictors/heads/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import KerasTensor

from tfrec_tools.detector.config.ssd import ConvolutionalPredictor, WeightSharedPredictor
from tfrec_tools.detector.network import layers
from tfrec_tools.detector.network.layers import Call

_PREDICTOR = "_box_predictor"
_CLASS_KEY = "class_predictions_with_background"
_CLASS_HEADS = f"{_PREDICTOR}._prediction_heads.{_CLASS_KEY}"
# The path of the one class head that all levels share.
SHARED_CLASS_HEAD = f"{_CLASS_HEADS}._class_predictor_layers.0"
_SHARED_BOX_HEAD = f"{_PREDICTOR}._box_prediction_head._box_encoder_layers.0"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of each level: `per_cell` boxes a cell, and `columns` class logits each."""

    per_cell: Sequence[int]
    columns: int


def class_head(level: int) -> str:
    """Returns the path of a level's own class head."""
    return f"{_CLASS_HEADS}.{level}._class_predictor_layers.0"


def predict(
    config: ConvolutionalPredictor | WeightSharedPredictor, levels: list[KerasTensor], outputs: Outputs
) -> tuple[KerasTensor, KerasTensor]:
    """Returns codes (B, A, 4) and logits (B, A, columns) of all levels, in their order."""
    if isinstance(config, ConvolutionalPredictor):
        codes, logits = _convolutional(config, levels, outputs)
    else:
        codes, logits = _weight_shared(config, levels, outputs)
    codes = [keras.layers.Reshape((-1, 4))(level) for level in codes]
    logits = [keras.layers.Reshape((-1, outputs.columns))(level) for level in logits]
    return keras.ops.concatenate(codes, axis=1), keras.ops.concatenate(logits, axis=1)


def _convolutional(
    config: ConvolutionalPredictor, levels: list[KerasTensor], outputs: Outputs
) -> tuple[list[KerasTensor], list[KerasTensor]]:
    """Each level has its own heads, and what comes before them."""
    codes, logits = [], []
    for level, (of_backbone, per_cell) in enumerate(zip(levels, outputs.per_cell, strict=True)):
        features = _before(config, of_backbone, level)
        box_head = f"{_PREDICTOR}._prediction_heads.box_encodings.{level}._box_encoder_layers.0"
        conv = layers.conv(config.hyperparams, 4 * per_cell, config.kernel_px, box_head, bias_init=0.0)
        codes.append(conv(features))
        channels, bias = outputs.columns * per_cell, config.class_bias_init
        conv = layers.conv(config.hyperparams, channels, config.kernel_px, class_head(level), bias_init=bias)
        logits.append(conv(features))
    return codes, logits


def _before(config: ConvolutionalPredictor, features: KerasTensor, level: int) -> KerasTensor:
    """Convolves a level by 1x1, as often as is asked for."""
    hyperparams = config.hyperparams
    depth = max(min(features.shape[-1], config.max_depth), config.min_depth)
    bias = None if hyperparams.has_batch_norm and not hyperparams.use_bias else 0.0
    for layer in range(config.layers_before if depth > 0 else 0):
        # TFOD keeps the layers as [conv, norm, activation, conv, ...], with a place for a norm that is not.
        path = f"{_PREDICTOR}._shared_nets.{level}"
        features = layers.conv(hyperparams, depth, 1, f"{path}.{3 * layer}", bias_init=bias)(features)
        if hyperparams.has_batch_norm:
            features = layers.batch_norm(hyperparams, f"{path}.{3 * layer + 1}")(features)
        features = layers.activate(hyperparams, features)
    return features


def _weight_shared(
    config: WeightSharedPredictor, levels: list[KerasTensor], outputs: Outputs
) -> tuple[list[KerasTensor], list[KerasTensor]]:
    """Towers and heads are those of all levels; only the batch norms are each level's own."""
    per_cell = outputs.per_cell[0]
    box_head = _head(config, 4 * per_cell, _SHARED_BOX_HEAD, 0.0)
    columns = outputs.columns * per_cell
    class_head = _head(config, columns, SHARED_CLASS_HEAD, config.class_bias_init)
    if config.shares_tower:
        features = _tower(config, levels, "PredictionTower", "box_encodings")
        return [box_head(level) for level in features], [class_head(level) for level in features]
    box_levels = _tower(config, levels, "BoxPredictionTower", "box_encodings")
    class_levels = _tower(config, levels, "ClassPredictionTower", _CLASS_KEY)
    return [box_head(level) for level in box_levels], [class_head(level) for level in class_levels]


def _tower(
    config: WeightSharedPredictor, levels: list[KerasTensor], name: str, norms: str
) -> list[KerasTensor]:
    hyperparams = config.hyperparams
    convs = [
        _tower_conv(config, f"{_PREDICTOR}._head_scope_conv_layers.{name}.{layer}")
        for layer in range(config.tower_layers)
    ]
    outputs = []
    for index, features in enumerate(levels):
        for layer, shared_conv in enumerate(convs):
            # TFOD keeps a tower as [conv, norm, activation, conv, ...].
            path = f"{_PREDICTOR}._base_tower_layers_for_heads.{norms}.{index}.{3 * layer + 1}"
            normed = layers.batch_norm(hyperparams, path)(shared_conv(features))
            features = layers.activate(hyperparams, normed)
        outputs.append(features)
    return outputs


def _tower_conv(config: WeightSharedPredictor, path: str) -> Call:
    bias = 0.0 if config.hyperparams.use_bias else None
    if config.use_depthwise:
        return layers.separable(config.hyperparams, config.depth, path, bias_init=bias)
    return layers.conv(config.hyperparams, config.depth, 3, path, bias_init=bias)


def _head(config: WeightSharedPredictor, channels: int, path: str, bias: float) -> Call:
    if config.use_depthwise:
        return layers.separable(config.hyperparams, channels, path, configured=(), bias_init=bias)
    return layers.conv(config.hyperparams, channels, 3, path, bias_init=bias)

"""TFOD's pipeline.config: what of it describes the model.

Field names, defaults and meanings: object_detection/protos/*.proto. A model is built only from fields that
are understood; any other field of its `model` block is refused by name, because a silent default would be
another model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.detector import textproto
from tfrec_tools.detector.anchors import MultiscaleAnchors
from tfrec_tools.detector.fields import Fields
from tfrec_tools.errors import InputError

SUPPORTED = "supported: ssd with ssd_mobilenet_v2_fpn_keras, depthwise (SSD MobileNetV2 FPNLite)"


@dataclass(frozen=True, slots=True)
class Initializer:
    """How kernels start: "random_normal" or "truncated_normal" with this standard deviation, or
    "variance_scaling" by the fan-in with this factor."""

    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class ConvHyperparams:
    """How a block's convolutions are built: L2 weight, kernel initialiser, batch norm; relu6 after each."""

    l2_weight: float
    initializer: Initializer
    bn_momentum: float
    bn_epsilon: float


@dataclass(frozen=True, slots=True)
class FeatureExtractorConfig:
    depth_multiplier: float
    min_depth: int
    fpn_depth: int
    hyperparams: ConvHyperparams


@dataclass(frozen=True, slots=True)
class BoxPredictorConfig:
    depth: int
    tower_layers: int
    class_bias_init: float
    hyperparams: ConvHyperparams


@dataclass(frozen=True, slots=True)
class NmsConfig:
    score_threshold: float
    iou_threshold: float
    max_per_class: int
    max_total: int


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Focal loss of the classes, smooth L1 of the box codes, and how they are weighed."""

    focal_gamma: float
    focal_alpha: float | None
    smooth_l1_delta: float
    classification_weight: float
    localization_weight: float
    normalize_by_matches: bool
    normalize_by_code_size: bool


@dataclass(frozen=True, slots=True)
class MatcherConfig:
    """TFOD's argmax_matcher with force_match_for_each_row: every box gets its best anchor at least."""

    matched_threshold: float
    unmatched_threshold: float


@dataclass(frozen=True, slots=True)
class SsdConfig:
    """The `model { ssd { } }` block of an SSD MobileNetV2 FPNLite."""

    num_classes: int
    height_px: int
    width_px: int
    feature_extractor: FeatureExtractorConfig
    box_predictor: BoxPredictorConfig
    anchors: MultiscaleAnchors
    code_scales: tuple[float, float, float, float]
    matcher: MatcherConfig
    loss: LossConfig
    nms: NmsConfig


def read_pipeline(path: Path) -> SsdConfig:
    """The model of a pipeline.config. InputError where the text is no text proto, or names a model or a
    field that is not supported."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as fault:
        raise InputError(path, "", "not found, expected TFOD's pipeline.config") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, "", f"cannot be read as text ({fault})") from fault
    return parse_pipeline(path, text)


def parse_pipeline(path: Path, text: str) -> SsdConfig:
    """As `read_pipeline`, of a text; `path` is for messages."""
    try:
        root = textproto.parse(text)
    except textproto.TextError as fault:
        raise InputError(path, f"line {fault.line}", f"not a pipeline.config ({fault})") from fault
    return _ssd(_only_model(path, root))


def _only_model(path: Path, root: textproto.Message) -> Fields:
    models = root.messages("model")
    if len(models) != 1:
        raise InputError(path, "model", f"found {len(models)} times, expected one `model {{ ... }}` block")
    model = Fields(path, "model", models[0], SUPPORTED)
    return model.block(model.only("ssd"))


def _ssd(ssd: Fields) -> SsdConfig:
    feature_extractor = _feature_extractor(ssd.block("feature_extractor"))
    height_px, width_px = _fixed_shape(ssd.block("image_resizer"))
    config = SsdConfig(
        num_classes=int(ssd.number("num_classes")),
        height_px=height_px,
        width_px=width_px,
        feature_extractor=feature_extractor,
        box_predictor=_box_predictor(ssd.block("box_predictor")),
        anchors=_anchors(ssd.block("anchor_generator")),
        code_scales=_code_scales(ssd.block("box_coder")),
        matcher=_matcher(ssd.block("matcher")),
        loss=_loss(ssd),
        nms=_nms(ssd.block("post_processing")),
    )
    similarity = ssd.block("similarity_calculator")
    similarity.empty("iou_similarity")
    similarity.done()
    ssd.must_be("encode_background_as_zeros", False, True)
    ssd.must_be("add_background_class", True, True)
    ssd.ignore("inplace_batchnorm_update", "freeze_batchnorm")
    ssd.done()
    return config


def _fixed_shape(resizer: Fields) -> tuple[int, int]:
    resizer.only("fixed_shape_resizer")
    shape = resizer.block("fixed_shape_resizer")
    height, width = int(shape.number("height")), int(shape.number("width"))
    method = shape.word("resize_method", "BILINEAR")
    if method != "BILINEAR":
        raise shape.fault("resize_method", f"found {method}, expected BILINEAR")
    shape.must_be("convert_to_grayscale", False, False)
    shape.done()
    resizer.done()
    if min(height, width) < 32 or height % 32 or width % 32:
        raise InputError(
            shape.path,
            shape.place,
            f"found {height} x {width}, expected multiples of 32, as the pyramid doubles its levels",
        )
    return height, width


def _feature_extractor(block: Fields) -> FeatureExtractorConfig:
    kind = block.word("type", "")
    if kind != "ssd_mobilenet_v2_fpn_keras":
        raise block.fault("type", f"found {kind!r}; {SUPPORTED}")
    block.must_be("use_depthwise", False, True)
    block.must_be("override_base_feature_extractor_hyperparams", False, True)
    block.must_be("use_explicit_padding", False, False)
    block.must_be("use_native_resize_op", False, False)
    pad_to_multiple = block.number("pad_to_multiple", 1)
    if pad_to_multiple > 1:
        raise block.fault("pad_to_multiple", f"found {pad_to_multiple:g}, expected 1")
    fpn = block.block("fpn")
    levels = int(fpn.number("min_level", 3)), int(fpn.number("max_level", 7))
    if levels != (3, 7):
        raise InputError(fpn.path, fpn.place, f"found levels {levels[0]} to {levels[1]}, expected 3 to 7")
    config = FeatureExtractorConfig(
        depth_multiplier=block.number("depth_multiplier", 1.0),
        min_depth=int(block.number("min_depth", 16)),
        fpn_depth=int(fpn.number("additional_layer_depth", 256)),
        hyperparams=_hyperparams(block.block("conv_hyperparams")),
    )
    fpn.done()
    block.done()
    return config


def _box_predictor(block: Fields) -> BoxPredictorConfig:
    block.only("weight_shared_convolutional_box_predictor")
    predictor = block.block("weight_shared_convolutional_box_predictor")
    predictor.must_be("use_depthwise", False, True)
    predictor.must_be("share_prediction_tower", False, True)
    predictor.must_be("apply_batch_norm", True, True)
    predictor.must_be("use_dropout", False, False)
    predictor.ignore("dropout_keep_probability")
    if (kernel_size := predictor.number("kernel_size", 3)) != 3:
        raise predictor.fault("kernel_size", f"found {kernel_size:g}, expected 3")
    config = BoxPredictorConfig(
        depth=int(predictor.number("depth")),
        tower_layers=int(predictor.number("num_layers_before_predictor", 0)),
        class_bias_init=predictor.number("class_prediction_bias_init", 0.0),
        hyperparams=_hyperparams(predictor.block("conv_hyperparams")),
    )
    predictor.done()
    block.done()
    return config


def _hyperparams(block: Fields) -> ConvHyperparams:
    regularizer, bn = block.block("regularizer"), block.block("batch_norm")
    l2 = regularizer.block("l2_regularizer")
    bn.must_be("scale", False, True)
    bn.must_be("center", True, True)
    bn.ignore("train")
    if (activation := block.word("activation", "RELU")) != "RELU_6":
        raise block.fault("activation", f"found {activation}, expected RELU_6")
    config = ConvHyperparams(
        l2_weight=l2.number("weight", 1.0),
        initializer=_initializer(block.block("initializer")),
        bn_momentum=bn.number("decay", 0.999),
        bn_epsilon=bn.number("epsilon", 0.001),
    )
    for part in (l2, bn, regularizer, block):
        part.done()
    return config


def _initializer(block: Fields) -> Initializer:
    kind = block.only(
        *(f"{name}_initializer" for name in ("random_normal", "truncated_normal", "variance_scaling"))
    )
    part = block.block(kind)
    if kind == "variance_scaling_initializer":
        if part.flag("uniform", False) or part.word("mode", "FAN_IN") != "FAN_IN":
            raise InputError(part.path, part.place, "expected mode FAN_IN and a normal distribution")
        initializer = Initializer("variance_scaling", part.number("factor", 2.0))
    else:
        if (mean := part.number("mean", 0.0)) != 0.0:
            raise part.fault("mean", f"found {mean:g}, expected 0")
        initializer = Initializer(kind.removesuffix("_initializer"), part.number("stddev", 1.0))
    part.done()
    block.done()
    return initializer


def _anchors(block: Fields) -> MultiscaleAnchors:
    block.only("multiscale_anchor_generator")
    grid = block.block("multiscale_anchor_generator")
    grid.must_be("normalize_coordinates", True, True)
    anchors = MultiscaleAnchors(
        min_level=int(grid.number("min_level", 3)),
        max_level=int(grid.number("max_level", 7)),
        anchor_scale=grid.number("anchor_scale", 4.0),
        aspect_ratios=tuple(grid.numbers("aspect_ratios")),
        scales_per_octave=int(grid.number("scales_per_octave", 2)),
    )
    if (anchors.min_level, anchors.max_level) != (3, 7):
        raise InputError(grid.path, grid.place, "expected levels 3 to 7, as in the feature pyramid")
    grid.done()
    block.done()
    return anchors


def _code_scales(block: Fields) -> tuple[float, float, float, float]:
    block.only("faster_rcnn_box_coder")
    coder = block.block("faster_rcnn_box_coder")
    scales = (
        coder.number("y_scale", 10.0),
        coder.number("x_scale", 10.0),
        coder.number("height_scale", 5.0),
        coder.number("width_scale", 5.0),
    )
    coder.done()
    block.done()
    return scales


def _matcher(block: Fields) -> MatcherConfig:
    block.only("argmax_matcher")
    argmax = block.block("argmax_matcher")
    argmax.must_be("ignore_thresholds", False, False)
    argmax.must_be("negatives_lower_than_unmatched", True, True)
    argmax.must_be("force_match_for_each_row", False, True)
    argmax.ignore("use_matmul_gather")
    config = MatcherConfig(argmax.number("matched_threshold", 0.5), argmax.number("unmatched_threshold", 0.5))
    argmax.done()
    block.done()
    return config


def _loss(ssd: Fields) -> LossConfig:
    block = ssd.block("loss")
    localization, classification = block.block("localization_loss"), block.block("classification_loss")
    smooth_l1 = localization.block(localization.only("weighted_smooth_l1"))
    focal = classification.block(classification.only("weighted_sigmoid_focal"))
    alpha = focal.numbers("alpha")
    config = LossConfig(
        focal_gamma=focal.number("gamma", 2.0),
        focal_alpha=alpha[-1] if alpha else None,
        smooth_l1_delta=smooth_l1.number("delta", 1.0),
        classification_weight=block.number("classification_weight", 1.0),
        localization_weight=block.number("localization_weight", 1.0),
        normalize_by_matches=ssd.flag("normalize_loss_by_num_matches", True),
        normalize_by_code_size=ssd.flag("normalize_loc_loss_by_codesize", False),
    )
    for part in (smooth_l1, focal, localization, classification, block):
        part.done()
    return config


def _nms(block: Fields) -> NmsConfig:
    if (converter := block.word("score_converter", "IDENTITY")) != "SIGMOID":
        raise block.fault("score_converter", f"found {converter}, expected SIGMOID")
    nms = block.block("batch_non_max_suppression")
    nms.must_be("use_class_agnostic_nms", False, False)
    nms.ignore("use_static_shapes")
    nms.must_be("use_combined_nms", False, False)
    if (sigma := nms.number("soft_nms_sigma", 0.0)) != 0.0:
        raise nms.fault("soft_nms_sigma", f"found {sigma:g}, expected 0")
    config = NmsConfig(
        score_threshold=nms.number("score_threshold", 0.0),
        iou_threshold=nms.number("iou_threshold", 0.6),
        max_per_class=int(nms.number("max_detections_per_class", 100)),
        max_total=int(nms.number("max_total_detections", 100)),
    )
    nms.done()
    block.done()
    return config

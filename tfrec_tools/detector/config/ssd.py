"""The `model { ssd { } }` block: SSD MobileNet with and without a pyramid, RetinaNet, EfficientDet."""

from __future__ import annotations

from dataclasses import dataclass

from tfrec_tools.detector.config.anchors import MultiscaleAnchors, SsdAnchors
from tfrec_tools.detector.config.bifpn import BIFPN_EXTRACTORS, BifpnConfig, read_bifpn
from tfrec_tools.detector.config.blocks import (
    ConvHyperparams,
    MatcherConfig,
    NmsConfig,
    Resizer,
    read_hyperparams,
    read_nms,
    read_resizer,
)
from tfrec_tools.detector.config.fields import SUPPORTED, Fields
from tfrec_tools.errors import InputError


@dataclass(frozen=True, slots=True)
class MobileNetV2Config:
    """MobileNetV2, its last layers and four coarser ones made from them."""

    depth_multiplier: float
    min_depth: int
    hyperparams: ConvHyperparams


@dataclass(frozen=True, slots=True)
class FpnConfig:
    """A backbone ("mobilenet_v1", "mobilenet_v2", "resnet50", "resnet101", "resnet152") with a feature
    pyramid of these levels, `depth` channels each before the depth multiplier."""

    backbone: str
    depth_multiplier: float
    min_depth: int
    depth: int
    use_depthwise: bool
    hyperparams: ConvHyperparams
    min_level: int = 3
    max_level: int = 7


ExtractorConfig = MobileNetV2Config | FpnConfig | BifpnConfig


@dataclass(frozen=True, slots=True)
class ConvolutionalPredictor:
    """Two convolutions a level, of a kernel of `kernel_px`, and before them `layers_before` of 1x1, of as
    many channels as the level has, within these bounds."""

    kernel_px: int
    class_bias_init: float
    hyperparams: ConvHyperparams
    layers_before: int = 0
    min_depth: int = 0
    max_depth: int = 0


@dataclass(frozen=True, slots=True)
class WeightSharedPredictor:
    """Towers and heads that all levels share; one tower for boxes and classes, or one each."""

    depth: int
    tower_layers: int
    shares_tower: bool
    use_depthwise: bool
    class_bias_init: float
    hyperparams: ConvHyperparams


PredictorConfig = ConvolutionalPredictor | WeightSharedPredictor


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
class SsdConfig:
    """A single-shot detector; `background` says whether the class logits have a column 0 for it."""

    num_classes: int
    background: bool
    resizer: Resizer
    extractor: ExtractorConfig
    predictor: PredictorConfig
    anchors: MultiscaleAnchors | SsdAnchors
    code_scales: tuple[float, float, float, float]
    matcher: MatcherConfig
    loss: LossConfig
    nms: NmsConfig

    @property
    def pixels(self) -> str:
        """How the backbone wants pixels: "mobilenet", "resnet" or "efficientnet"."""
        if isinstance(self.extractor, BifpnConfig):
            return "efficientnet"
        is_resnet = isinstance(self.extractor, FpnConfig) and self.extractor.backbone.startswith("resnet")
        return "resnet" if is_resnet else "mobilenet"


def read_ssd(ssd: Fields) -> SsdConfig:
    """Raises InputError where a field is not supported."""
    config = SsdConfig(
        num_classes=ssd.whole("num_classes"),
        background=ssd.flag("add_background_class", True),
        resizer=read_resizer(ssd.block("image_resizer")),
        extractor=_extractor(ssd.block("feature_extractor")),
        predictor=_predictor(ssd.block("box_predictor")),
        anchors=_anchors(ssd.block("anchor_generator")),
        code_scales=_code_scales(ssd.block("box_coder")),
        matcher=_matcher(ssd.block("matcher")),
        loss=_loss(ssd),
        nms=read_nms(ssd.block("post_processing"), "SIGMOID"),
    )
    _require_fitting(ssd, config)
    similarity = ssd.block("similarity_calculator")
    similarity.empty("iou_similarity")
    similarity.done()
    ssd.must_be("encode_background_as_zeros", False, True)
    ssd.ignore("inplace_batchnorm_update", "freeze_batchnorm")
    ssd.done()
    return config


def _require_fitting(ssd: Fields, config: SsdConfig) -> None:
    """A pyramid goes with its anchors, and its coarsest level that is doubled divides the canvas."""
    has_pyramid = not isinstance(config.extractor, MobileNetV2Config)
    if has_pyramid != isinstance(config.anchors, MultiscaleAnchors):
        expected = "multiscale_anchor_generator" if has_pyramid else "ssd_anchor_generator"
        raise ssd.fault("anchor_generator", f"expected {expected} with this feature_extractor")
    height, width = config.resizer.height_px, config.resizer.width_px
    stride = 2 ** (7 if isinstance(config.extractor, BifpnConfig) else 5)
    if isinstance(config.extractor, FpnConfig) and isinstance(config.anchors, MultiscaleAnchors):
        levels = config.extractor.min_level, config.extractor.max_level
        if (config.anchors.min_level, config.anchors.max_level) != levels:
            expected = f"expected levels {levels[0]} to {levels[1]}, as in the feature pyramid"
            raise ssd.fault("anchor_generator", expected)
    if has_pyramid and (height % stride or width % stride):
        raise ssd.fault(
            "image_resizer",
            f"found {height} x {width}, expected multiples of {stride}, as the pyramid doubles its levels",
        )


def _extractor(block: Fields) -> ExtractorConfig:
    kind = block.word("type", "")
    if kind not in _EXTRACTORS and kind not in BIFPN_EXTRACTORS:
        raise block.fault("type", f"found {kind!r}; {SUPPORTED}")
    # TFOD's EfficientNet refuses what the others are built for only.
    block.must_be("override_base_feature_extractor_hyperparams", False, kind not in BIFPN_EXTRACTORS)
    block.must_be("use_explicit_padding", False, False)
    block.must_be("use_native_resize_op", False, False)
    if (pad_to_multiple := block.number("pad_to_multiple", 1)) > 1:
        raise block.fault("pad_to_multiple", f"found {pad_to_multiple:g}, expected 1")
    config = _extractor_of(kind, block)
    block.done()
    return config


def _extractor_of(kind: str, block: Fields) -> ExtractorConfig:
    if kind in BIFPN_EXTRACTORS:
        return read_bifpn(block, BIFPN_EXTRACTORS[kind])
    backbone = _EXTRACTORS[kind]
    return _fpn(block, backbone) if backbone else _mobilenet_v2(block)


# {feature extractor: backbone under a feature pyramid, or "" without one}
_EXTRACTORS = {
    "ssd_mobilenet_v2_keras": "",
    "ssd_mobilenet_v1_fpn_keras": "mobilenet_v1",
    "ssd_mobilenet_v2_fpn_keras": "mobilenet_v2",
    "ssd_resnet50_v1_fpn_keras": "resnet50",
    "ssd_resnet101_v1_fpn_keras": "resnet101",
    "ssd_resnet152_v1_fpn_keras": "resnet152",
}


SSD_EXTRACTORS = (*_EXTRACTORS, *BIFPN_EXTRACTORS)


def _mobilenet_v2(block: Fields) -> MobileNetV2Config:
    block.must_be("use_depthwise", False, False)
    return MobileNetV2Config(
        depth_multiplier=block.number("depth_multiplier", 1.0),
        min_depth=block.whole("min_depth", 16),
        hyperparams=read_hyperparams(block.block("conv_hyperparams")),
    )


def _fpn(block: Fields, backbone: str) -> FpnConfig:
    fpn = block.block("fpn")
    lowest, highest = fpn.whole("min_level", 3), fpn.whole("max_level", 7)
    if not 3 <= lowest <= 5 <= highest <= 10:
        expected = "expected from 3, 4 or 5 to at least 5"
        raise InputError(fpn.path, f"found levels {lowest} to {highest}, {expected}", where=fpn.place)
    config = FpnConfig(
        backbone=backbone,
        depth_multiplier=block.number("depth_multiplier", 1.0),
        min_depth=block.whole("min_depth", 16),
        depth=fpn.whole("additional_layer_depth", 256),
        use_depthwise=block.flag("use_depthwise", False),
        hyperparams=read_hyperparams(block.block("conv_hyperparams")),
        min_level=lowest,
        max_level=highest,
    )
    fpn.done()
    return config


def _predictor(block: Fields) -> PredictorConfig:
    kind = block.only("weight_shared_convolutional_box_predictor", "convolutional_box_predictor")
    predictor = block.block(kind)
    predictor.must_be("use_dropout", False, False)
    predictor.ignore("dropout_keep_probability")
    if (code_size := predictor.number("box_code_size", 4)) != 4:
        raise predictor.fault("box_code_size", f"found {code_size:g}, expected 4")
    is_shared = kind == "weight_shared_convolutional_box_predictor"
    config = _weight_shared(predictor) if is_shared else _convolutional(predictor)
    predictor.done()
    block.done()
    return config


def _weight_shared(predictor: Fields) -> WeightSharedPredictor:
    predictor.must_be("apply_batch_norm", True, True)
    if (kernel_size := predictor.number("kernel_size", 3)) != 3:
        raise predictor.fault("kernel_size", f"found {kernel_size:g}, expected 3")
    return WeightSharedPredictor(
        depth=predictor.whole("depth"),
        tower_layers=predictor.whole("num_layers_before_predictor", 0),
        shares_tower=predictor.flag("share_prediction_tower", False),
        use_depthwise=predictor.flag("use_depthwise", False),
        class_bias_init=predictor.number("class_prediction_bias_init", 0.0),
        hyperparams=read_hyperparams(predictor.block("conv_hyperparams")),
    )


def _convolutional(predictor: Fields) -> ConvolutionalPredictor:
    predictor.must_be("use_depthwise", False, False)
    predictor.must_be("apply_sigmoid_to_scores", False, False)
    return ConvolutionalPredictor(
        kernel_px=predictor.whole("kernel_size", 1),
        class_bias_init=predictor.number("class_prediction_bias_init", 0.0),
        hyperparams=read_hyperparams(predictor.block("conv_hyperparams"), may_lack_norm=True),
        layers_before=predictor.whole("num_layers_before_predictor", 0),
        min_depth=predictor.whole("min_depth", 0),
        max_depth=predictor.whole("max_depth", 0),
    )


def _anchors(block: Fields) -> MultiscaleAnchors | SsdAnchors:
    kind = block.only("multiscale_anchor_generator", "ssd_anchor_generator")
    grid = block.block(kind)
    anchors = _multiscale(grid) if kind == "multiscale_anchor_generator" else _ssd_anchors(grid)
    grid.done()
    block.done()
    return anchors


def _multiscale(grid: Fields) -> MultiscaleAnchors:
    grid.must_be("normalize_coordinates", True, True)
    return MultiscaleAnchors(
        min_level=grid.whole("min_level", 3),
        max_level=grid.whole("max_level", 7),
        anchor_scale=grid.number("anchor_scale", 4.0),
        aspect_ratios=tuple(grid.numbers("aspect_ratios")),
        scales_per_octave=grid.whole("scales_per_octave", 2),
    )


def _ssd_anchors(grid: Fields) -> SsdAnchors:
    """Of those with strides and offsets of their own nobody has been seen."""
    if (layers := grid.whole("num_layers", 6)) != 6:
        raise grid.fault("num_layers", f"found {layers}, expected 6, as the feature extractor has levels")
    return SsdAnchors(
        levels=layers,
        min_scale=grid.number("min_scale", 0.2),
        max_scale=grid.number("max_scale", 0.95),
        aspect_ratios=tuple(grid.numbers("aspect_ratios")),
        interpolated_aspect_ratio=grid.number("interpolated_scale_aspect_ratio", 1.0),
        reduced_lowest=grid.flag("reduce_boxes_in_lowest_layer", True),
    )


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
    config = MatcherConfig(
        argmax.number("matched_threshold", 0.5), argmax.number("unmatched_threshold", 0.5), forced=True
    )
    argmax.done()
    block.done()
    return config


def _loss(ssd: Fields) -> LossConfig:
    """Returns the losses, or those of the papers where other ones are asked for: a model is run without them,
    and `read_loss` stands before each training."""
    try:
        return read_loss(ssd)
    except InputError:
        ssd.ignore("loss", "normalize_loss_by_num_matches", "normalize_loc_loss_by_codesize")
        return LossConfig(2.0, 0.25, 1.0, 1.0, 1.0, normalize_by_matches=True, normalize_by_code_size=False)


def read_loss(ssd: Fields) -> LossConfig:
    """Raises InputError where a loss is not supported."""
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

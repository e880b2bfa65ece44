"""Blocks of a pipeline.config that several families have, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tfrec_tools.detector.config.fields import Fields
from tfrec_tools.errors import InputError

_FANS = ("FAN_IN", "FAN_OUT", "FAN_AVG")
_ACTIVATIONS = {"RELU": "relu", "RELU_6": "relu6", "SWISH": "swish"}


@dataclass(frozen=True, slots=True)
class Initializer:
    """How kernels start: "random_normal" or "truncated_normal" with this standard deviation, or
    "variance_scaling" with this factor, by `fan` ("fan_in", "fan_out" or "fan_avg"), and with a normal
    distribution or a uniform one."""

    kind: str
    value: float
    fan: str = "fan_in"
    is_uniform: bool = False


@dataclass(frozen=True, slots=True)
class KernelHyperparams:
    """How layers without batch norm are built: L2 weight and kernel initialiser."""

    l2_weight: float
    initializer: Initializer


@dataclass(frozen=True, slots=True)
class ConvHyperparams:
    """How a block's convolutions are built: L2 weight, kernel initialiser, batch norm after each and then
    the activation ("relu", "relu6" or "swish"); `use_bias` gives them a bias besides. Where not
    `has_batch_norm`, they have a bias in its place."""

    l2_weight: float
    initializer: Initializer
    activation: str
    use_bias: bool
    bn_momentum: float
    bn_epsilon: float
    has_batch_norm: bool = True


@dataclass(frozen=True, slots=True)
class Resizer:
    """How an image comes onto the canvas, `height_px` x `width_px`, that the network sees: stretched to
    it, or with `keep_aspect` scaled until its shorter side is `min_side_px` long, but no longer than fits,
    and padded below and on the right."""

    height_px: int
    width_px: int
    keep_aspect: bool
    min_side_px: int


@dataclass(frozen=True, slots=True)
class MatcherConfig:
    """TFOD's argmax_matcher; where `forced` (force_match_for_each_row), every box gets its best anchor at
    least."""

    matched_threshold: float
    unmatched_threshold: float
    forced: bool


@dataclass(frozen=True, slots=True)
class NmsConfig:
    """Non-maximum suppression: of what scores more than `score_threshold`, a box that overlaps a better one
    by an IoU of more than `iou_threshold` goes, class by class or, where `class_agnostic`, of any class."""

    score_threshold: float
    iou_threshold: float
    max_per_class: int
    max_total: int
    class_agnostic: bool = False


def read_resizer(resizer: Fields) -> Resizer:
    kind = resizer.only("fixed_shape_resizer", "keep_aspect_ratio_resizer")
    block = resizer.block(kind)
    settings = _fixed_shape(block) if kind == "fixed_shape_resizer" else _keep_aspect(block)
    method = block.word("resize_method", "BILINEAR")
    if method != "BILINEAR":
        raise block.fault("resize_method", f"found {method}, expected BILINEAR")
    block.must_be("convert_to_grayscale", False, False)
    block.done()
    resizer.done()
    if min(settings.height_px, settings.width_px) < 1:
        raise InputError(block.path, "expected a height and a width of at least 1", where=block.place)
    return settings


def _fixed_shape(block: Fields) -> Resizer:
    return Resizer(block.whole("height"), block.whole("width"), False, 0)


def _keep_aspect(block: Fields) -> Resizer:
    block.must_be("pad_to_max_dimension", False, True)
    shorter, longer = block.whole("min_dimension", 600), block.whole("max_dimension", 1024)
    if any(value != 0.0 for value in block.numbers("per_channel_pad_value")):
        raise block.fault("per_channel_pad_value", "expected 0")
    return Resizer(longer, longer, True, shorter)


def read_hyperparams(block: Fields, *, may_lack_norm: bool = False) -> ConvHyperparams:
    regularizer = block.block("regularizer")
    l2 = regularizer.block("l2_regularizer")
    has_batch_norm = block.has("batch_norm") or not may_lack_norm
    momentum, epsilon = _batch_norm(block.block("batch_norm")) if has_batch_norm else (0.0, 0.0)
    activation = block.word("activation", "RELU")
    if activation not in _ACTIVATIONS:
        raise block.fault("activation", f"found {activation}, expected {' or '.join(_ACTIVATIONS)}")
    config = ConvHyperparams(
        l2_weight=l2.number("weight", 1.0),
        initializer=read_initializer(block.block("initializer")),
        activation=_ACTIVATIONS[activation],
        use_bias=block.flag("force_use_bias", False),
        bn_momentum=momentum,
        bn_epsilon=epsilon,
        has_batch_norm=has_batch_norm,
    )
    for part in (l2, regularizer, block):
        part.done()
    return config


def _batch_norm(bn: Fields) -> tuple[float, float]:
    """Returns momentum and epsilon."""
    bn.must_be("scale", False, True)
    bn.must_be("center", True, True)
    bn.ignore("train")
    numbers = bn.number("decay", 0.999), bn.number("epsilon", 0.001)
    bn.done()
    return numbers


def read_kernel_hyperparams(block: Fields) -> KernelHyperparams:
    regularizer = block.block("regularizer")
    l2 = regularizer.block("l2_regularizer")
    config = KernelHyperparams(l2.number("weight", 1.0), read_initializer(block.block("initializer")))
    block.ignore("op", "activation")  # of the layers that have these, both are fixed in TFOD's code
    for part in (l2, regularizer, block):
        part.done()
    return config


def read_initializer(block: Fields) -> Initializer:
    kind = block.only(
        *(f"{name}_initializer" for name in ("random_normal", "truncated_normal", "variance_scaling"))
    )
    part = block.block(kind)
    if kind == "variance_scaling_initializer":
        fan = part.word("mode", "FAN_IN")
        if fan not in _FANS:
            raise part.fault("mode", f"found {fan}, expected {' or '.join(_FANS)}")
        initializer = Initializer(
            "variance_scaling", part.number("factor", 2.0), fan.lower(), part.flag("uniform", False)
        )
    else:
        if (mean := part.number("mean", 0.0)) != 0.0:
            raise part.fault("mean", f"found {mean:g}, expected 0")
        initializer = Initializer(kind.removesuffix("_initializer"), part.number("stddev", 1.0))
    part.done()
    block.done()
    return initializer


def read_nms(block: Fields, converter: str) -> NmsConfig:
    """Returns a post_processing block, whose score converter must be this one."""
    if (word := block.word("score_converter", "IDENTITY")) != converter:
        raise block.fault("score_converter", f"found {word}, expected {converter}")
    nms = block.block("batch_non_max_suppression")
    nms.must_be("use_class_agnostic_nms", False, False)
    nms.ignore("use_static_shapes")
    config = _nms(nms)
    nms.done()
    block.done()
    return config


def read_nms_of_peaks(block: Fields) -> NmsConfig:
    """Returns a CenterNet's post_processing block. TFOD takes its scores as they are, whatever its score
    converter says, and refuses itself a suppression that it gives no window to (post_processing.py,
    batch_multiclass_non_max_suppression)."""
    block.ignore("score_converter", "logit_scale")
    nms = block.block("batch_non_max_suppression")
    if nms.flag("change_coordinate_frame", True):
        reason = "found true, its default, which TFOD refuses for a CenterNet; expected false"
        raise nms.fault("change_coordinate_frame", reason)
    for name in ("use_static_shapes", "use_partitioned_nms"):  # TFOD mixes up what belongs to which box
        nms.must_be(name, False, False)
    nms.ignore("use_hard_nms", "use_cpu_nms")  # how the same is computed
    agnostic = nms.flag("use_class_agnostic_nms", False)
    classes = nms.whole("max_classes_per_detection", 1)
    if agnostic and classes != 1:
        raise nms.fault("max_classes_per_detection", f"found {classes}, expected 1, as in TFOD")
    config = replace(_nms(nms), class_agnostic=agnostic)
    nms.done()
    block.done()
    return config


def _nms(block: Fields) -> NmsConfig:
    block.must_be("use_combined_nms", False, False)
    if (sigma := block.number("soft_nms_sigma", 0.0)) != 0.0:
        raise block.fault("soft_nms_sigma", f"found {sigma:g}, expected 0")
    config = NmsConfig(
        score_threshold=block.number("score_threshold", 0.0),
        iou_threshold=block.number("iou_threshold", 0.6),
        max_per_class=block.whole("max_detections_per_class", 100),
        max_total=block.whole("max_total_detections", 100),
    )
    if not 0.0 <= config.iou_threshold <= 1.0:
        raise block.fault("iou_threshold", f"found {config.iou_threshold:g}, expected 0 to 1")
    for name, most in (
        ("max_detections_per_class", config.max_per_class),
        ("max_total_detections", config.max_total),
    ):
        if most < 1:
            raise block.fault(name, f"found {most}, expected at least 1")
    return config

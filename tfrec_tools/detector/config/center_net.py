"""The `model { center_net { } }` block: CenterNet for boxes (protos/center_net.proto)."""

from __future__ import annotations

from dataclasses import dataclass

from tfrec_tools.detector.config.blocks import NmsConfig, Resizer, read_nms_of_peaks, read_resizer
from tfrec_tools.detector.config.fields import SUPPORTED, Fields

STRIDE_PX = 4  # of the maps that the heads give
_MOST = 1 << 14  # channels of a layer; TFOD's have 256
_OTHER_TASKS = (
    "keypoint_estimation_task",
    "mask_estimation_task",
    "densepose_estimation_task",
    "track_estimation_task",
    "temporal_offset_task",
    "deepmac_mask_estimation",
)


@dataclass(frozen=True, slots=True)
class MobileNetV2Fpn:
    """MobileNetV2 with a pyramid up to stride 4, whose convolutions are `separable` or plain, and whose
    levels are made larger `bilinear` or by repetition."""

    depth_multiplier: float
    separable: bool
    bilinear: bool


@dataclass(frozen=True, slots=True)
class ResnetFpn:
    """ResNet v1 of 50 or 101 layers, or TFOD's own of 18 or 34, with a pyramid up to stride 4."""

    depth: int


@dataclass(frozen=True, slots=True)
class ResnetV2:
    """ResNet v2 of 50 or 101 layers, and transposed convolutions to stride 4."""

    depth: int


@dataclass(frozen=True, slots=True)
class HourglassConfig:
    """Stacked hourglasses: `channels` of the input and then of each stage, residual blocks a stage, and how
    many networks stand one after the other."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    stacks: int

    @property
    def stride_px(self) -> int:
        """Of the coarsest stage."""
        return STRIDE_PX * 2 ** (len(self.blocks) - 1)


CenterExtractor = MobileNetV2Fpn | ResnetFpn | ResnetV2 | HourglassConfig


@dataclass(frozen=True, slots=True)
class ChannelScaling:
    """What is done to pixels of 0..255 before the backbone's own normalisation: channels in the order blue,
    green, red where `bgr`, then (x - means) / stds."""

    means: tuple[float, float, float]
    stds: tuple[float, float, float]
    bgr: bool


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The hidden convolutions of a head, channels and kernel side of each."""

    filters: tuple[int, ...]
    kernels_px: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CenterLoss:
    """The focal loss of the heatmap, by `alpha` and `beta` (Law and Deng 2018, equation 1), how far a box may
    be moved and still overlap itself by `min_iou`, and what each loss weighs."""

    alpha: float
    beta: float
    min_iou: float
    center_weight: float
    scale_weight: float
    offset_weight: float


@dataclass(frozen=True, slots=True)
class CenterNetConfig:
    """Objects as points (Zhou et al. 2019): a heatmap of centres a class, and at each centre a size and an
    offset. `peak_px` is the side of the window in which a peak is the highest; `nms` suppresses what is left
    of the peaks, where there is one."""

    num_classes: int
    resizer: Resizer
    extractor: CenterExtractor
    channels: ChannelScaling
    use_depthwise: bool
    center_head: HeadConfig
    scale_head: HeadConfig
    offset_head: HeadConfig
    class_bias_init: float
    loss: CenterLoss
    max_boxes: int
    peak_px: int
    nms: NmsConfig | None = None

    @property
    def pixels(self) -> str:
        """How the backbone wants pixels, after `channels`."""
        match self.extractor:
            case MobileNetV2Fpn() | ResnetV2():
                return "keras_mobilenet"
            case ResnetFpn():
                return "keras_resnet"
            case HourglassConfig():
                return "as they are"

    @property
    def cells(self) -> tuple[int, int]:
        """Height and width of the maps that the heads give."""
        return self.resizer.height_px // STRIDE_PX, self.resizer.width_px // STRIDE_PX


# The types whose names say all; of {type: hourglass} TFOD has no fields either
# (models/center_net_hourglass_feature_extractor.py, models/keras_models/hourglass_network.py).
_MOBILENETS = ("mobilenet_v2_fpn", "mobilenet_v2_fpn_sep_conv")
_RESNETS = {f"resnet_v1_{depth}_fpn": depth for depth in (18, 34, 50, 101)}
_RESNETS_V2 = {f"resnet_v2_{depth}": depth for depth in (50, 101)}
_HOURGLASSES = {
    "hourglass_10": HourglassConfig((32, 64, 64), (1, 1), 1),
    "hourglass_20": HourglassConfig((48, 96, 96, 144), (1, 2, 2), 1),
    "hourglass_32": HourglassConfig((48, 96, 96, 144, 144), (2, 2, 2, 2), 1),
    "hourglass_52": HourglassConfig((64, 128, 128, 192, 192, 192, 256), (2, 2, 2, 2, 2, 4), 1),
    "hourglass_104": HourglassConfig((128, 256, 256, 384, 384, 384, 512), (2, 2, 2, 2, 2, 4), 2),
}
CENTER_NET_EXTRACTORS = (*_MOBILENETS, *_RESNETS, *_RESNETS_V2, *_HOURGLASSES)


def read_center_net(block: Fields) -> CenterNetConfig:
    """Raises InputError where a field is not supported."""
    for task in _OTHER_TASKS:
        if block.has(task):
            raise block.fault(task, f"not supported, CenterNet for boxes alone is; {SUPPORTED}")
    extractor, channels = _extractor(block.block("feature_extractor"))
    use_depthwise = block.flag("use_depthwise", False)
    detection, center = block.block("object_detection_task"), block.block("object_center_params")
    config = CenterNetConfig(
        num_classes=block.whole("num_classes"),
        resizer=read_resizer(block.block("image_resizer")),
        extractor=extractor,
        channels=channels,
        use_depthwise=use_depthwise,
        center_head=_head(center, "center_head_params", use_depthwise),
        scale_head=_head(detection, "scale_head_params", use_depthwise),
        offset_head=_head(detection, "offset_head_params", use_depthwise),
        class_bias_init=center.number("heatmap_bias_init", -2.19),
        loss=_loss(detection, center),
        max_boxes=center.whole("max_box_predictions", 100),
        peak_px=center.whole("peak_max_pool_kernel_size", 3),
        nms=read_nms_of_peaks(block.block("post_processing")) if block.has("post_processing") else None,
    )
    _require_fitting(block, config)
    center.ignore("use_labeled_classes")  # here classes that were not annotated are always left out
    block.ignore(
        "compute_heatmap_sparse", "output_prediction_dict"
    )  # how the same is computed, or more given
    for part in (detection, center, block):
        part.done()
    return config


def _require_fitting(block: Fields, config: CenterNetConfig) -> None:
    """What is made smaller and larger again has to come out as large as it was."""
    height, width = config.resizer.height_px, config.resizer.width_px
    stride = config.extractor.stride_px if isinstance(config.extractor, HourglassConfig) else 32
    if height % stride or width % stride:
        reason = f"found {height} x {width}, expected multiples of {stride}, as the levels are doubled"
        raise block.fault("image_resizer", reason)
    for name, number in (
        ("max_box_predictions", config.max_boxes),
        ("peak_max_pool_kernel_size", config.peak_px),
    ):
        if number < 1:
            raise block.fault(f"object_center_params.{name}", f"found {number}, expected at least 1")
    if 0.0 in config.channels.stds:
        raise block.fault("feature_extractor.channel_stds", "found 0, by which nothing can be divided")


def _extractor(block: Fields) -> tuple[CenterExtractor, ChannelScaling]:
    kind = block.word("type", "")
    if kind not in CENTER_NET_EXTRACTORS:
        raise block.fault("type", f"found {kind!r}; {SUPPORTED}")
    block.must_be("use_depthwise", False, False)
    channels = ChannelScaling(
        means=_of_channels(block, "channel_means", 0.0),
        stds=_of_channels(block, "channel_stds", 1.0),
        bgr=block.flag("bgr_ordering", False),
    )
    extractor = _mobilenet(block) if kind in _MOBILENETS else _by_name(block, kind)
    block.done()
    return extractor, channels


def _by_name(block: Fields, kind: str) -> CenterExtractor:
    block.ignore("depth_multiplier", "use_separable_conv", "upsampling_interpolation")  # of MobileNetV2 alone
    if kind in _RESNETS:
        return ResnetFpn(_RESNETS[kind])
    return ResnetV2(_RESNETS_V2[kind]) if kind in _RESNETS_V2 else _HOURGLASSES[kind]


def _mobilenet(block: Fields) -> MobileNetV2Fpn:
    method = block.word("upsampling_interpolation", "nearest")
    if method not in ("nearest", "bilinear"):
        raise block.fault("upsampling_interpolation", f"found {method!r}, expected 'nearest' or 'bilinear'")
    return MobileNetV2Fpn(
        depth_multiplier=block.number("depth_multiplier", 1.0),
        separable=block.flag("use_separable_conv", False),
        bilinear=method == "bilinear",
    )


def _of_channels(block: Fields, name: str, default: float) -> tuple[float, float, float]:
    match block.numbers(name) or [default] * 3:
        case [first, second, third]:
            return first, second, third
        case others:
            raise block.fault(name, f"found {len(others)} numbers, expected one for each of 3 channels")


def _head(parent: Fields, name: str, use_depthwise: bool) -> HeadConfig:
    if not parent.has(name):
        return HeadConfig((256,), (3,))
    block = parent.block(name)
    filters, kernels = _counts(block, "num_filters", 256), _counts(block, "kernel_sizes", 3)
    if len(filters) != len(kernels):
        raise block.fault("num_filters", f"found {filters}, expected as many as kernel_sizes: {kernels}")
    if use_depthwise and set(kernels) != {3}:
        raise block.fault("kernel_sizes", f"found {kernels}, expected 3 with use_depthwise")
    block.done()
    return HeadConfig(tuple(filters), tuple(kernels))


def _counts(block: Fields, name: str, default: int) -> list[int]:
    numbers = block.numbers(name) or [float(default)]
    if not all(number.is_integer() and 0 < number <= _MOST for number in numbers):
        raise block.fault(name, f"found {numbers}, expected whole numbers from 1 to {_MOST}")
    return [int(number) for number in numbers]


def _loss(detection: Fields, center: Fields) -> CenterLoss:
    localization = detection.block("localization_loss")
    localization.only("l1_localization_loss")
    localization.empty("l1_localization_loss")
    classification = center.block("classification_loss")
    focal = classification.block(classification.only("penalty_reduced_logistic_focal_loss"))
    task_weight = detection.number("task_loss_weight", 1.0)
    loss = CenterLoss(
        alpha=focal.number("alpha", 2.0),
        beta=focal.number("beta", 4.0),
        min_iou=center.number("min_box_overlap_iou", 0.7),
        center_weight=center.number("object_center_loss_weight", 1.0),
        scale_weight=task_weight * detection.number("scale_loss_weight", 0.1),
        offset_weight=task_weight * detection.number("offset_loss_weight", 1.0),
    )
    for part in (focal, classification, localization):
        part.done()
    return loss

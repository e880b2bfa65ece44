"""The `model { faster_rcnn { } }` block: Faster R-CNN with a ResNet or an Inception-ResNet-V2."""

from __future__ import annotations

from dataclasses import dataclass

from tfrec_tools.detector.config.anchors import GridAnchors
from tfrec_tools.detector.config.blocks import (
    KernelHyperparams,
    NmsConfig,
    Resizer,
    read_kernel_hyperparams,
    read_nms,
    read_resizer,
)
from tfrec_tools.detector.config.fields import SUPPORTED, Fields

INCEPTION = 0
# {feature extractor: depth of its ResNet}
_DEPTHS = {f"faster_rcnn_resnet{depth}_keras": depth for depth in (50, 101, 152)}
_DEPTHS["faster_rcnn_inception_resnet_v2_keras"] = INCEPTION
FASTER_RCNN_EXTRACTORS = tuple(_DEPTHS)
_STRIDE_PX = 16


@dataclass(frozen=True, slots=True)
class ProposalConfig:
    """The first stage: a convolution of `kernel_px` and `depth` channels over the features, and on it two
    heads. `clip_anchors` says whether training takes anchors that reach over the canvas, cut off at it, or
    leaves them out."""

    kernel_px: int
    depth: int
    hyperparams: KernelHyperparams
    anchors: GridAnchors
    clip_anchors: bool
    nms: NmsConfig


@dataclass(frozen=True, slots=True)
class BoxConfig:
    """The second stage: features of a box in `crop_px` x `crop_px` cells, pooled, to its class and its
    refined corners, which are those of all classes or, unless `shares_box`, each class's own."""

    crop_px: int
    pool_px: int
    pool_stride: int
    shares_box: bool
    hyperparams: KernelHyperparams
    nms: NmsConfig


@dataclass(frozen=True, slots=True)
class StageLoss:
    """How a stage is trained: on so many boxes an image, of which at most this fraction on objects, and
    what its losses weigh."""

    samples: int
    positive_fraction: float
    localization_weight: float
    classification_weight: float


@dataclass(frozen=True, slots=True)
class FasterRcnnConfig:
    """Faster R-CNN on a ResNet of `depth` layers, or on an Inception-ResNet-V2, whose depth is INCEPTION. No
    pipeline.config has `width`, by which the ResNet's channels are multiplied: it is for tests."""

    num_classes: int
    resizer: Resizer
    depth: int
    proposals: ProposalConfig
    boxes: BoxConfig
    proposal_loss: StageLoss
    box_loss: StageLoss
    width: float = 1.0

    @property
    def pixels(self) -> str:
        """How the backbone wants pixels."""
        return "mobilenet" if self.depth == INCEPTION else "resnet"


def read_faster_rcnn(block: Fields) -> FasterRcnnConfig:
    """Raises InputError where a field is not supported."""
    if (stages := block.number("number_of_stages", 2)) != 2:
        raise block.fault("number_of_stages", f"found {stages:g}, expected 2")
    config = FasterRcnnConfig(
        num_classes=block.whole("num_classes"),
        resizer=read_resizer(block.block("image_resizer")),
        depth=_depth(block.block("feature_extractor")),
        proposals=_proposals(block),
        boxes=_boxes(block),
        proposal_loss=StageLoss(
            samples=block.whole("first_stage_minibatch_size", 256),
            positive_fraction=block.number("first_stage_positive_balance_fraction", 0.5),
            localization_weight=block.number("first_stage_localization_loss_weight", 1.0),
            classification_weight=block.number("first_stage_objectness_loss_weight", 1.0),
        ),
        box_loss=StageLoss(
            samples=block.whole("second_stage_batch_size", 64),
            positive_fraction=block.number("second_stage_balance_fraction", 0.25),
            localization_weight=block.number("second_stage_localization_loss_weight", 1.0),
            classification_weight=block.number("second_stage_classification_loss_weight", 1.0),
        ),
    )
    block.must_be("inplace_batchnorm_update", False, False)
    block.must_be("use_combined_nms_in_first_stage", False, False)
    # How TFOD computes the same: on a TPU, or with more outputs.
    block.ignore(
        "use_matmul_crop_and_resize",
        "use_matmul_gather_in_matcher",
        "use_static_balanced_label_sampler",
        "use_static_shapes",
        "use_static_shapes_for_eval",
        "use_partitioned_nms_in_first_stage",
        "return_raw_detections_during_predict",
        "output_final_box_features",
        "output_final_box_rpn_features",
        "resize_masks",
        "second_stage_mask_prediction_loss_weight",
        # Of training alone, before which `require_softmax_loss` stands.
        "hard_example_miner",
        "second_stage_classification_loss",
    )
    block.done()
    return config


def _depth(block: Fields) -> int:
    kind = block.word("type", "")
    if kind not in _DEPTHS:
        raise block.fault("type", f"found {kind!r}; {SUPPORTED}")
    if (stride := block.number("first_stage_features_stride", _STRIDE_PX)) != _STRIDE_PX:
        raise block.fault("first_stage_features_stride", f"found {stride:g}, expected {_STRIDE_PX}")
    block.ignore("batch_norm_trainable")  # of TFOD's trainer
    block.done()
    return _DEPTHS[kind]


def _proposals(block: Fields) -> ProposalConfig:
    if (rate := block.number("first_stage_atrous_rate", 1)) != 1:
        raise block.fault("first_stage_atrous_rate", f"found {rate:g}, expected 1")
    most = block.whole("first_stage_max_proposals", 300)
    return ProposalConfig(
        kernel_px=block.whole("first_stage_box_predictor_kernel_size", 3),
        depth=block.whole("first_stage_box_predictor_depth", 512),
        hyperparams=read_kernel_hyperparams(block.block("first_stage_box_predictor_conv_hyperparams")),
        anchors=_anchors(block.block("first_stage_anchor_generator")),
        clip_anchors=block.flag("clip_anchors_to_image", False),
        nms=NmsConfig(
            score_threshold=block.number("first_stage_nms_score_threshold", 0.0),
            iou_threshold=block.number("first_stage_nms_iou_threshold", 0.7),
            max_per_class=most,
            max_total=most,
        ),
    )


def _anchors(block: Fields) -> GridAnchors:
    block.only("grid_anchor_generator")
    grid = block.block("grid_anchor_generator")
    anchors = GridAnchors(
        base_px=(grid.number("height", 256), grid.number("width", 256)),
        stride_px=(grid.whole("height_stride", 16), grid.whole("width_stride", 16)),
        offset_px=(grid.number("height_offset", 0), grid.number("width_offset", 0)),
        scales=tuple(grid.numbers("scales")),
        aspect_ratios=tuple(grid.numbers("aspect_ratios")),
    )
    if anchors.stride_px != (_STRIDE_PX, _STRIDE_PX):
        raise grid.fault("height_stride", f"found {anchors.stride_px}, expected 16, as the features have it")
    if not anchors.per_cell:
        raise grid.fault("scales", "expected at least one scale and one aspect ratio")
    grid.done()
    block.done()
    return anchors


def _boxes(block: Fields) -> BoxConfig:
    predictor = block.block("second_stage_box_predictor")
    predictor.only("mask_rcnn_box_predictor")
    heads = predictor.block("mask_rcnn_box_predictor")
    for name in ("use_dropout", "predict_instance_masks", "predict_keypoints"):
        heads.must_be(name, False, False)
    heads.ignore("dropout_keep_probability")
    config = BoxConfig(
        crop_px=block.whole("initial_crop_size"),
        pool_px=block.whole("maxpool_kernel_size"),
        pool_stride=block.whole("maxpool_stride"),
        shares_box=heads.flag("share_box_across_classes", False),
        hyperparams=read_kernel_hyperparams(heads.block("fc_hyperparams")),
        nms=read_nms(block.block("second_stage_post_processing"), "SOFTMAX"),
    )
    heads.done()
    predictor.done()
    return config


def require_softmax_loss(block: Fields) -> None:
    """What TFOD takes where nothing is said. Raises InputError where another loss is asked for."""
    if block.has("hard_example_miner"):
        raise block.fault("hard_example_miner", f"not understood; {SUPPORTED}")
    if not block.has("second_stage_classification_loss"):
        return
    loss = block.block("second_stage_classification_loss")
    softmax = loss.block(loss.only("weighted_softmax"))
    if (scale := softmax.number("logit_scale", 1.0)) != 1.0:
        raise softmax.fault("logit_scale", f"found {scale:g}, expected 1")
    softmax.done()
    loss.done()


CODE_SCALES = (10.0, 10.0, 5.0, 5.0)

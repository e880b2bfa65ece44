"""The center_net block of a pipeline.config: what is read of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.places import DATA
from tfrec_tools.detector.config.blocks import NmsConfig
from tfrec_tools.detector.config.center_net import (
    CenterNetConfig,
    ChannelScaling,
    HeadConfig,
    HourglassConfig,
    MobileNetV2Fpn,
    ResnetFpn,
)
from tfrec_tools.detector.config.read import parse_pipeline
from tfrec_tools.errors import InputError

TEXT = (DATA / "center_net.pipeline.config").read_text(encoding="utf-8")


def _parsed(text: str) -> CenterNetConfig:
    config = parse_pipeline(Path("p.config"), text)
    assert isinstance(config, CenterNetConfig)
    return config


def test_a_config_is_read() -> None:
    config = _parsed(TEXT)
    assert config.extractor == HourglassConfig((32, 64, 64), (1, 1), 1)
    assert config.channels.bgr
    assert config.channels.stds == pytest.approx((73.60277, 69.89082, 70.91508))
    assert config.center_head == HeadConfig((16,), (3,))
    assert config.cells == (16, 16)
    assert (config.max_boxes, config.peak_px) == (20, 3)
    assert config.class_bias_init == pytest.approx(-2.19)


def test_what_is_not_said_is_as_in_tfods_protos() -> None:
    start, end = TEXT.index("      type:"), TEXT.index("    image_resizer")
    text = f'{TEXT[:start]}      type: "mobilenet_v2_fpn"\n    }}\n{TEXT[end:]}'
    for name in ("scale_loss_weight: 0.1", "min_box_overlap_iou: 0.7", "max_box_predictions: 20"):
        assert name in text
        text = text.replace(name, "")
    config = _parsed(text)
    assert config.extractor == MobileNetV2Fpn(1.0, separable=False, bilinear=False)
    assert config.channels == ChannelScaling((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), bgr=False)
    assert config.loss.scale_weight == pytest.approx(0.1)
    assert config.loss.min_iou == pytest.approx(0.7)
    assert config.max_boxes == 100


@pytest.mark.parametrize("said", ["", "num_filters: 16", "kernel_sizes: 5"])
def test_a_head_that_says_half_of_it_has_the_rest_as_in_tfods_protos(said: str) -> None:
    before, _, after = TEXT.rpartition("num_filters: 16\n        kernel_sizes: 3")
    found = _parsed(f"{before}{said}{after}").center_head
    assert found == HeadConfig((16 if "filters" in said else 256,), (5 if "sizes" in said else 3,))


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_resnets_are_read(depth: int) -> None:
    assert _parsed(TEXT.replace("hourglass_10", f"resnet_v1_{depth}_fpn")).extractor == ResnetFpn(depth)


SUPPRESSION = """num_classes: 2 post_processing { score_converter: SIGMOID batch_non_max_suppression {
    score_threshold: 0.25 iou_threshold: 0.5 max_detections_per_class: 7 max_total_detections: 9
    change_coordinate_frame: false %s } }"""


@pytest.mark.parametrize("agnostic", [False, True])
def test_a_suppression_is_read(agnostic: bool) -> None:
    assert _parsed(TEXT).nms is None
    more = f"use_class_agnostic_nms: {str(agnostic).lower()} use_hard_nms: true"
    nms = _parsed(TEXT.replace("num_classes: 2", SUPPRESSION % more)).nms
    assert nms == NmsConfig(0.25, 0.5, 7, 9, class_agnostic=agnostic)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("soft_nms_sigma: 0.5", "soft_nms_sigma: found 0.5, expected 0"),
        ("use_combined_nms: true", "use_combined_nms: found true, expected false"),
        ("use_static_shapes: true", "use_static_shapes: found true, expected false"),
        ("use_partitioned_nms: true", "use_partitioned_nms: found true, expected false"),
        ("use_class_agnostic_nms: true max_classes_per_detection: 2", "found 2, expected 1, as in TFOD"),
        ("change_coordinate_frame: true", "found true, its default, which TFOD refuses for a CenterNet"),
        ("iou_threshold: 1.5", "iou_threshold: found 1.5, expected 0 to 1"),
        ("max_total_detections: 0", "max_total_detections: found 0, expected at least 1"),
        ("max_detections_per_class: -1", "max_detections_per_class: found -1, expected at least 1"),
        ("fancy: 1", "fancy: not understood"),
        ("} calibration_config {", "post_processing.calibration_config: not understood"),
    ],
)
def test_a_suppression_that_cannot_be_had_as_in_tfod_is_refused(more: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        _parsed(TEXT.replace("num_classes: 2", SUPPRESSION % more))


def test_tfod_has_no_suppression_without_its_own_block() -> None:
    for block, found in (("", "found 0 times"), ("batch_non_max_suppression {}", "found true, its default")):
        with pytest.raises(InputError, match=found):
            _parsed(TEXT.replace("num_classes: 2", f"num_classes: 2 post_processing {{ {block} }}"))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "num_classes: 2",
            "num_classes: 2 keypoint_estimation_task {}",
            "keypoint_estimation_task: not supp",
        ),
        ("num_classes: 2", "num_classes: 2 mask_estimation_task {}", "mask_estimation_task: not supported"),
        ("num_classes: 2", "num_classes: 2 deepmac_mask_estimation {}", "deepmac_mask_estimation: not supp"),
        ("hourglass_10", "mobilenet_v2", "type: found 'mobilenet_v2'; supported: .* center_net"),
        ("hourglass_10", "hourglass_104", "found 64 x 64, expected multiples of 128"),
        (
            "min_dimension: 64\n        max_dimension: 64",
            "max_dimension: 66",
            "66 x 66, expected multiples of 8",
        ),
        ("channel_stds: 70.91508", "", "channel_stds: found 2 numbers, expected one for each of 3"),
        ("l1_localization_loss", "weighted_smooth_l1", "found weighted_smooth_l1, expected l1_local"),
        (
            "kernel_sizes: 3",
            "kernel_sizes: 3 kernel_sizes: 5",
            "found .16., expected as many as kernel_sizes",
        ),
        ("penalty_reduced_logistic_focal_loss", "weighted_sigmoid", "expected penalty_reduced_logistic"),
        ("max_box_predictions: 20", "max_box_predictions: 0", "max_box_predictions: found 0, expected at"),
        ("num_classes: 2", "num_classes: 2 fancy: 1", "fancy: not understood"),
        ("channel_stds: 73.60277", "channel_stds: 0", "channel_stds: found 0, by which nothing"),
        ("num_filters: 16", "num_filters: 2.5", r"num_filters: found \[2.5\], expected whole numbers"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(old: str, new: str, found: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=found):
        parse_pipeline(Path("p.config"), TEXT.replace(old, new, 1))

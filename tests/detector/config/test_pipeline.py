"""TFOD's pipeline.config: read, refused by name, rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.places import DATA
from tfrec_tools.detector.config.read import parse_pipeline, read_pipeline, require_losses
from tfrec_tools.detector.config.rewrite import Changes, lacking, rewrite_pipeline
from tfrec_tools.detector.config.ssd import FpnConfig, SsdConfig
from tfrec_tools.errors import InputError

TINY = DATA / "fpnlite.pipeline.config"
TEXT = TINY.read_text(encoding="utf-8")


def test_the_model_is_read_field_by_field() -> None:
    config = read_pipeline(TINY)
    assert isinstance(config, SsdConfig)
    assert (config.num_classes, config.background) == (2, True)
    assert (config.resizer.height_px, config.resizer.width_px) == (64, 64)
    assert isinstance(config.extractor, FpnConfig)
    assert (config.extractor.backbone, config.extractor.depth_multiplier) == ("mobilenet_v2", 0.25)
    assert config.extractor.hyperparams.bn_momentum == 0.5
    assert config.predictor.class_bias_init == float(np.float32(-4.6))
    assert config.anchors.aspect_ratios == (1.0, 2.0, 0.5)
    assert config.loss.focal_alpha == 0.25
    assert config.nms.iou_threshold == float(np.float32(0.6))


def test_numbers_are_float32_as_in_tfods_protos() -> None:
    """160 channels times 0.35 are 56 by Python's numbers, and 55 by TFOD's; whole numbers stay what they
    are, and so are defaults that the proto has."""
    text = TEXT.replace("depth_multiplier: 0.25", "depth_multiplier: 0.35")
    text = text.replace("num_classes: 2", "num_classes: 16777217")
    config = parse_pipeline(Path("p.config"), re.sub(r"iou_threshold: \S+", "", text))
    assert isinstance(config, SsdConfig)
    assert isinstance(config.extractor, FpnConfig)
    assert int(160 * config.extractor.depth_multiplier) == 55
    assert config.num_classes == 16777217
    assert config.nms.iou_threshold == float(np.float32(0.6))


def test_every_number_of_every_familys_config_is_a_float32() -> None:
    for file in DATA.glob("*.pipeline.config"):
        numbers = [*_floats(read_pipeline(file))]
        assert len(numbers) > 10
        assert all(number == float(np.float32(number)) for number in numbers)


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    parts = value if isinstance(value, tuple) else (getattr(value, f.name) for f in _fields(value))
    for part in parts:
        yield from _floats(part)


def _fields(value: Any) -> tuple[Any, ...]:
    return fields(value) if is_dataclass(value) else ()


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        ("  ssd {", "  detr {", "model", "found detr, expected ssd"),
        (
            "ssd_mobilenet_v2_fpn_keras",
            "ssd_inception_v2_keras",
            "feature_extractor.type",
            "supported: ssd with",
        ),
        ("height: 64", "height: 60", "image_resizer", "multiples of 32"),
        ("multiscale_anchor_generator", "ssd_anchor_generator", "ssd_anchor_generator", "not understood"),
        ("score_converter: SIGMOID", "score_converter: SOFTMAX", "score_converter", "expected SIGMOID"),
        ("num_classes: 2", "num_classes: two", "num_classes", "expected numbers"),
        ("num_classes: 2", "", "num_classes", "missing"),
        ("num_classes: 2", "num_classes: 1e999", "num_classes", "expected finite numbers"),
        ("num_classes: 2", "num_classes: 1e99", "num_classes", "expected a whole number up to 2147483647"),
        ("num_classes: 2", "num_classes: 2.5", "num_classes", "found 2.5, expected a whole number"),
        ("iou_threshold: 0.6", "iou_threshold: 1e39", "iou_threshold", "that a float32 can hold"),
        ("iou_threshold: 0.6", "iou_threshold: nan", "iou_threshold", "expected finite numbers"),
        ("activation: RELU_6", "activation: SIGMOID", "activation", "expected RELU or"),
        ("encode_background_as_zeros: true", "hard_example_miner {}", "", "expected"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(old: str, new: str, place: str, found: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError) as caught:
        parse_pipeline(Path("p.config"), TEXT.replace(old, new, 1))
    assert place in str(caught.value)
    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'ssd { image_resizer { identity_resizer { } } feature_extractor { type: "ssd_mobilenet_v2" } }',
            "ssd.feature_extractor.type: found 'ssd_mobilenet_v2', a feature extractor of TF 1,",
        ),
        (
            'faster_rcnn { number_of_stages: 3 feature_extractor { type: "faster_rcnn_resnet101" } }',
            "faster_rcnn.number_of_stages: found 3: a Mask R-CNN, whose masks are not built here",
        ),
        (
            'faster_rcnn { feature_extractor { type: "faster_rcnn_nas" first_stage_features_stride: 8 } }',
            "faster_rcnn.feature_extractor.type: found 'faster_rcnn_nas', a feature extractor of TF 1,",
        ),
        (
            'ssd { num_classes: x feature_extractor { type: "ssd_nasnet_keras" } }',
            "ssd.feature_extractor.type: found 'ssd_nasnet_keras'; supported: ",
        ),
    ],
)
def test_what_a_model_is_comes_before_its_details(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_pipeline(Path("p.config"), f"model {{ {text} }}")
    assert str(caught.value).startswith(f"p.config: model.{said}")


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("fpnlite", "gamma: 2.0", "gamma: 2.0\n          delta: 1", "weighted_sigmoid_focal.delta"),
        ("fpnlite", "loss {", "loss {\n      hard_example_miner { }", "loss.hard_example_miner"),
        ("fpnlite", "weighted_smooth_l1", "weighted_iou", "loss.localization_loss"),
        ("ssd_mobilenet_v2", "weighted_sigmoid_focal {", "weighted_sigmoid {", "classification_loss"),
        ("faster_rcnn", "faster_rcnn {", "faster_rcnn {\n    hard_example_miner { }", "hard_example_miner"),
        (
            "faster_rcnn",
            "faster_rcnn {",
            "faster_rcnn {\n    second_stage_classification_loss { weighted_sigmoid { } }",
            "second_stage_classification_loss",
        ),
    ],
)
def test_losses_stop_nothing_but_training(file: str, old: str, new: str, place: str) -> None:
    text = (DATA / f"{file}.pipeline.config").read_text(encoding="utf-8")
    require_losses(Path("p.config"), text)
    assert old in text
    changed = text.replace(old, new, 1)
    assert (
        parse_pipeline(Path("p.config"), changed).num_classes == parse_pipeline(Path("p"), text).num_classes
    )
    with pytest.raises(InputError, match=place):
        require_losses(Path("p.config"), changed)


def test_text_that_is_no_proto_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match=r"line 3: not a pipeline\.config"):
        parse_pipeline(Path("p.config"), "model {\n  ssd {\n  }}}\n")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        read_pipeline(tmp_path / "pipeline.config")


def test_rewriting_leaves_every_other_line_alone() -> None:
    before, after = TEXT.splitlines(), rewrite_pipeline(TEXT, Changes(5, "label_map.pbtxt")).splitlines()
    changed = [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new]
    assert changed[0] == ("num_classes: 2", "num_classes: 5")
    assert {new for _, new in changed[1:]} == {'label_map_path: "label_map.pbtxt"'}
    assert parse_pipeline(Path("p"), "\n".join(after)).num_classes == 5


def test_real_configs_of_every_family_are_read(shared: Path) -> None:
    files = sorted((shared / "tfod").glob("*/*pipeline.config"))
    families = {type(read_pipeline(file)).__name__ for file in files}
    assert families == {"SsdConfig", "FasterRcnnConfig", "CenterNetConfig"}


ALL = Changes(5, "m.pbtxt", "new-*", "val-*", "base/ckpt-0", "full", 4)


def test_rewriting_everything() -> None:
    found = rewrite_pipeline(TEXT, ALL)
    for line in (
        'input_path: "new-*"',
        'input_path: "val-*"',
        'fine_tune_checkpoint: "base/ckpt-0"',
        'fine_tune_checkpoint_type: "full"',
        "batch_size: 4",
    ):
        assert found.count(line) == 1
    assert rewrite_pipeline(found, ALL) == found
    assert lacking(TEXT, ALL) == []


def test_what_a_config_lacks_is_told() -> None:
    assert lacking("model { ssd { } }", Changes(5, "m")) == ["train_input_reader"]
    assert lacking("model { ssd { } } train_input_reader { }", Changes(5, "m")) == []
    evaluated = lacking("model { ssd { } } train_input_reader { }", Changes(5, "m", val="val-*"))
    assert evaluated == ["eval_input_reader", "eval_input_reader.tf_record_input_reader"]
    assert lacking("model { detr { } }", Changes(5, "m"))[0].startswith("model with ssd, faster_rcnn")


def test_real_configs_of_every_family_are_rewritten_and_otherwise_the_same(shared: Path) -> None:
    for file in sorted((shared / "tfod").glob("*/*pipeline.config")):
        text = file.read_text(encoding="utf-8")
        found = rewrite_pipeline(text, ALL)
        assert lacking(text, ALL) == []
        assert found.count("num_classes: 5") == 1
        changed = set(found.splitlines()) - set(text.splitlines())
        assert len(changed) <= 9, changed

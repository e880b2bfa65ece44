"""CenterNet against what the real TFOD computed: one whole check a backbone, the large ones as slow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import against_center_net, against_tfod, by_rule, threads
from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.config.center_net import CenterNetConfig, MobileNetV2Fpn
from tfrec_tools.detector.config.read import read_pipeline
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.detector import class_logits, load_detector
from tfrec_tools.labels.label_map import from_names

MOBILENET, HOURGLASS = "center_net_mobilenet_v2_fpn", "center_net_hourglass"
BOTH = [HOURGLASS, pytest.param(MOBILENET, marks=pytest.mark.slow)]
BY_RULE = ["center_net_resnet_v1_18_fpn", "center_net_resnet50_v1_fpn"]
INDEXES = ["mobilenet_v2_fpn_sep", "resnet101_v1_fpn", "resnet50_v2", "resnet101_v2"]


@pytest.mark.parametrize("name", [MOBILENET, HOURGLASS])
@threads.with_those_of_tfod
def test_inference_and_training_are_tfods(shared: Path, name: str) -> None:
    folder = shared / "tfod" / name
    detector = load_detector(folder)
    against_center_net.check_inference(detector, folder, folder)
    against_center_net.check_training(detector, folder, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_RULE)
@threads.with_those_of_tfod
def test_models_by_rule_are_tfods(shared: Path, tmp_path: Path, name: str) -> None:
    golden, images = shared / "tfod" / name, shared / "tfod" / MOBILENET
    detector = load_detector(by_rule.write_folder(golden, tmp_path / "model"))
    against_center_net.check_inference(detector, golden, images)
    against_center_net.check_training(detector, golden, images)
    against_tfod.check_written_back(tmp_path / "model", tmp_path / "copy")


@pytest.mark.slow
@threads.with_those_of_tfod
def test_the_stacked_hourglasses_are_tfods(shared: Path, tmp_path: Path) -> None:
    """Of 191 million parameters; alone in having outputs of two stacks."""
    golden, images = shared / "tfod" / "center_net_hourglass_104", shared / "tfod" / MOBILENET
    detector = load_detector(by_rule.write_folder(golden, tmp_path / "model"))
    against_center_net.check_inference(detector, golden, images)
    against_center_net.check_training(detector, golden, images)


@pytest.mark.parametrize("name", BOTH)
def test_writing_a_model_back_is_the_identity(shared: Path, tmp_path: Path, name: str) -> None:
    against_tfod.check_written_back(shared / "tfod" / name, tmp_path / "model")


@pytest.mark.parametrize("name", BOTH)
def test_a_grown_model_keeps_its_logits_to_the_bit(shared: Path, name: str) -> None:
    folder = shared / "tfod" / name
    base = load_detector(folder)
    image, window = against_tfod.preprocessed(base, folder / "image1.png")
    grown = growth.grow(base, from_names([*base.labels.names, "dog", "horse"]), seed=0)
    before, after = (class_logits(detector, image, window) for detector in (base, grown))
    assert after.shape[-1] == 5
    assert np.array_equal(before, after[..., :3])


@pytest.mark.slow
@pytest.mark.parametrize("name", INDEXES)
def test_the_keys_of_whole_models_are_ours(shared: Path, name: str) -> None:
    against_tfod.check_keys(shared / "tfod" / "index_only" / f"center_net_{name}.index")


@pytest.mark.slow
def test_a_resnet_v2_is_that_of_keras(shared: Path) -> None:
    """TFOD takes it from keras.applications; layers are the same in the order of their depth."""
    config = read_pipeline(shared / "tfod" / "index_only" / "center_net_resnet50_v2.pipeline.config")
    network = registry.of(config).build(config)
    theirs = keras.applications.ResNet50V2(include_top=False, weights=None)
    by_depth = [
        layer for depth in sorted(theirs._nodes_by_depth, reverse=True) for layer in _at(theirs, depth)
    ]
    ours = [layer for layer in network.layers if layer.weights and "_base_model" in layer.name]
    ours.sort(key=lambda layer: int(layer.name.rpartition("-")[2]))
    assert len(by_depth) == len(ours) + 1  # the last batch norm is not used
    for layer, other in zip(ours, by_depth, strict=False):
        values = [np.random.default_rng(1).uniform(0.01, 0.05, weight.shape) for weight in other.weights]
        layer.set_weights(values)
        other.set_weights(values)
    image = tf.random.stateless_uniform((1, 512, 512, 3), (0, 1), -1, 1)
    wanted = keras.Model(theirs.input, theirs.get_layer("conv5_block3_out").output)(image)
    found = keras.Model(network.input, network.get_layer("features.0").output)(image)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def _at(model: keras.Model, depth: int) -> list[keras.layers.Layer]:
    return [node.operation for node in model._nodes_by_depth[depth] if node.operation.weights]


def test_plain_convolutions_are_those_of_another_year(shared: Path) -> None:
    """The same type, without the field that asks for separable ones."""
    index = shared / "tfod" / "index_only" / "center_net_mobilenet_v2_fpn_plain.index"
    config = read_pipeline(index.with_name(f"{index.stem}.pipeline.config"))
    assert isinstance(config, CenterNetConfig)
    assert config.extractor == MobileNetV2Fpn(1.0, separable=False, bilinear=False)
    against_tfod.check_keys(index, config)


def test_the_checkpoint_says_whether_convolutions_are_separable(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for part in ("checkpoint", "label_map.pbtxt"):
        (folder / part).symlink_to(shared / "tfod" / MOBILENET / part)
    text = (shared / "tfod" / MOBILENET / "pipeline.config").read_text()
    assert "use_separable_conv: true" in text
    (folder / "pipeline.config").write_text(text.replace("use_separable_conv: true", ""))
    said = read_pipeline(folder / "pipeline.config")
    assert isinstance(said, CenterNetConfig)
    read = replace(said, extractor=MobileNetV2Fpn(0.5, separable=True, bilinear=False))
    assert read != said
    assert load_detector(folder).config == read

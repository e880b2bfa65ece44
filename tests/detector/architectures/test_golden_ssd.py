"""SSD MobileNet, with and without a pyramid, and RetinaNet against what the real TFOD computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import against_tfod, threads
from tests.helpers.places import SAMPLE
from tfrec_tools.detector.config.read import parse_pipeline
from tfrec_tools.detector.model import detector, growth
from tfrec_tools.labels.label_map import from_names

TRAINED = "handtrack_ssd_mobilenet_v2_fpnlite"
NARROW = "ssd_mobilenet_v2_fpnlite_narrow"
SEEDED = ["ssd_mobilenet_v2_fpnlite", NARROW, "ssd_mobilenet_v2", "ssd_resnet50_fpn"]
RARE = ["ssd_mobilenet_v1_fpn", "ssd_mobilenet_v2_fpnlite_levels4to7", "ssd_mobilenet_v2_no_head_bn"]
WHOLE = [*SEEDED, *(pytest.param(name, marks=pytest.mark.slow) for name in RARE)]
PICTURES = [
    *((name, f"image{i}.png", f"im{i}") for name in SEEDED for i in range(2)),
    *((name, "image1.png", "im1") for name in RARE),
    (TRAINED, "astronaut.png", "astronaut"),
    (TRAINED, "chelsea.png", "chelsea"),
]
CHECKPOINTS = [
    *(f"custom_{number:02d}" for number in (2, 3, 4, 5, 6, 11, 13)),
    "zoo_fpnlite320",
    "zoo_fpnlite640",
    pytest.param("ssd_mobilenet_v1_fpn", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "picture", "key"), PICTURES)
def test_inference_is_tfods(shared: Path, name: str, picture: str, key: str) -> None:
    against_tfod.check_inference(shared / "tfod" / name, picture, key)


@pytest.mark.parametrize("name", WHOLE)
@threads.with_those_of_tfod
def test_training_is_tfods(shared: Path, name: str) -> None:
    against_tfod.check_training(shared / "tfod" / name)


@pytest.mark.parametrize("name", WHOLE)
def test_batch_norm_moves_as_tfods(shared: Path, name: str) -> None:
    against_tfod.check_batch_norm(shared / "tfod" / name)


@pytest.mark.parametrize("name", [*WHOLE, TRAINED])
def test_writing_a_model_back_is_the_identity(shared: Path, tmp_path: Path, name: str) -> None:
    against_tfod.check_written_back(shared / "tfod" / name, tmp_path / "model")


def test_a_grown_real_model_keeps_its_logits_to_the_bit(shared: Path) -> None:
    base = detector.load_detector(shared / "tfod" / TRAINED)
    image, _ = against_tfod.preprocessed(base, shared / "tfod" / TRAINED / "chelsea.png")
    grown = growth.grow(base, from_names([*base.labels.names, "cat", "dog"]), seed=0)
    assert np.array_equal(base.network(image)[1], grown.network(image)[1][..., :8])


def test_the_samples_base_is_a_model_that_tfod_takes(shared: Path) -> None:
    """TFOD asserts that each of its objects is in a checkpoint, and in its shape."""
    ours, theirs = (
        tf.train.load_checkpoint(str(folder / "checkpoint")).get_variable_to_shape_map()
        for folder in (SAMPLE / "base_model", shared / "tfod" / NARROW)
    )
    assert ours == theirs


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_keys_of_users_own_checkpoints_are_ours(shared: Path, name: str) -> None:
    against_tfod.check_keys(shared / "tfod" / "index_only" / f"{name}.index")


def test_the_keys_of_a_checkpoint_without_its_config_are_ours(shared: Path) -> None:
    """A user's SSD MobileNetV2 of six classes at full width, built by the golden one's config."""
    file = shared / "tfod" / "ssd_mobilenet_v2" / "pipeline.config"
    text = file.read_text().replace("depth_multiplier: 0.5", "depth_multiplier: 1.0")
    config = parse_pipeline(file, text.replace("num_classes: 3", "num_classes: 6"))
    against_tfod.check_keys(shared / "tfod" / "index_only" / "custom_12.index", config)

"""A backbone from keras.applications under new heads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.helpers.places import DATA
from tfrec_tools.detector.model import imagenet
from tfrec_tools.errors import InputError

# Keras' own, of saving weights.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _full_width(family: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """The narrow pipeline.config at the width that keras.applications has, with its batch norm."""
    text = (DATA / f"{family}.pipeline.config").read_text()
    for old, new in (("min_depth: 8", "min_depth: 16"), *changes):
        assert old in text
        text = text.replace(old, new)
    path = folder / "pipeline.config"
    path.write_text(text)
    return path


def _features(detector: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """What the last layer of the backbone gives, before the projection to the pyramid."""
    projection = detector.get_layer("_feature_extractor._fpn_features_generator.top_layers.0")
    return keras.Model(detector.input, projection.input)(pixels).numpy()


@pytest.mark.parametrize(
    ("version", "application"),
    [("v2", keras.applications.MobileNetV2), ("v1", keras.applications.MobileNet)],
)
def test_mobilenets_give_the_features_of_keras_applications(
    tmp_path: Path, version: str, application: Callable[..., keras.Model]
) -> None:
    keras.utils.set_random_seed(1)
    theirs = application((64, 64, 3), include_top=False, weights=None)
    theirs.save_weights(tmp_path / "their.weights.h5")
    changes = (("depth_multiplier: 0.25", "depth_multiplier: 1.0"), ("mobilenet_v2", f"mobilenet_{version}"))
    config = _full_width("fpnlite", tmp_path, *changes)
    made = imagenet.new_detector(config, str(tmp_path / "their.weights.h5"), seed=0)
    assert made.labels.names == ("(nothing)",)
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(_features(made.network, pixels), theirs(pixels), atol=1e-4)


def test_resnet50_gives_the_features_of_keras_applications(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    theirs = keras.applications.ResNet50(input_shape=(64, 64, 3), include_top=False, weights=None)
    random = np.random.default_rng(0)
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
    theirs.save_weights(tmp_path / "their.weights.h5")
    changes = (
        ("depth_multiplier: 0.125", "depth_multiplier: 1.0"),
        ("RELU_6", "RELU"),
        ("0.001", "1.001e-5"),
    )
    config = _full_width("retinanet", tmp_path, *changes)
    made = imagenet.new_detector(config, str(tmp_path / "their.weights.h5"), seed=0)
    pixels = random.uniform(-100, 100, (1, 64, 64, 3)).astype(np.float32)
    # TFOD pads its pooling on other sides, so that before and after it are held against each other.
    pooled = next(layer for layer in made.network.layers if isinstance(layer, keras.layers.MaxPooling2D))
    ours = keras.Model(made.network.input, [pooled.input, pooled.output])(pixels)
    stem = keras.Model(theirs.input, theirs.get_layer("conv1_relu").output)
    np.testing.assert_allclose(ours[0], stem(pixels[..., ::-1]), rtol=1e-3, atol=1e-3)
    rest = keras.Model(theirs.get_layer("pool1_pool").output, theirs.output)
    np.testing.assert_allclose(_features(made.network, pixels), rest(ours[1]), rtol=1e-3, atol=1e-3)


def test_real_weights_fit(shared: Path, tmp_path: Path) -> None:
    weights = shared / "weights" / "mobilenet_v2" / "dogs_1.0_160_no_top.weights.h5"
    config = _full_width("fpnlite", tmp_path, ("depth_multiplier: 0.25", "depth_multiplier: 1.0"))
    made = imagenet.new_detector(config, str(weights), seed=0)
    theirs = keras.applications.MobileNetV2((64, 64, 3), include_top=False, weights=str(weights))
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(_features(made.network, pixels), theirs(pixels), atol=1e-3)


@pytest.mark.parametrize(("content", "found"), [(None, "not found"), (b"no weights", "gives no weights of")])
def test_what_are_no_weights_is_one_line(tmp_path: Path, content: bytes | None, found: str) -> None:
    weights = tmp_path / "w.weights.h5"
    if content:
        weights.write_bytes(content)
    with pytest.raises(InputError, match=found) as caught:
        imagenet.new_detector(_full_width("fpnlite", tmp_path), str(weights), seed=0)
    assert "\n" not in str(caught.value)

"""Single-shot detectors against what the real TFOD computed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfrec_tools.detector import checkpoint, grow, losses, matching, model, predict, resize, ssd
from tfrec_tools.detector.pipeline import read_pipeline
from tfrec_tools.errors import InputError
from tfrec_tools.labels import from_names

TRAINED = "handtrack_ssd_mobilenet_v2_fpnlite"
SEEDED = ["ssd_mobilenet_v2_fpnlite", "ssd_mobilenet_v2", "ssd_resnet50_fpn"]
PICTURES = [
    *((name, f"image{i}.png", f"im{i}") for name in SEEDED for i in range(2)),
    (TRAINED, "astronaut.png", "astronaut"),
    (TRAINED, "chelsea.png", "chelsea"),
]
# Scores that lie closer than this may swap places.
TIE = 1e-5
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def _preprocessed(detector: model.Detector, file: Path) -> tuple[tf.Tensor, tf.Tensor]:
    picture = tf.io.decode_png(file.read_bytes(), channels=3)
    canvas, window = resize.preprocess(detector.config, picture)
    return canvas[None], window[None]


@pytest.mark.parametrize(("name", "picture", "key"), PICTURES)
def test_inference_is_tfods(shared: Path, name: str, picture: str, key: str) -> None:
    folder = shared / "tfod" / name
    expected = np.load(folder / "expected_inference.npz")
    detector = model.load_detector(folder)
    image, window = _preprocessed(detector, folder / picture)
    if f"{key}/preprocessed" in expected:
        assert np.array_equal(image, expected[f"{key}/preprocessed"])
    np.testing.assert_allclose(ssd.anchor_boxes(detector.config), expected[f"{key}/pred/anchors"], atol=1e-6)
    codes, logits = detector.network(image)
    np.testing.assert_allclose(codes, expected[f"{key}/pred/box_encodings"], atol=1e-3)
    np.testing.assert_allclose(logits, expected[f"{key}/pred/class_predictions_with_background"], atol=1e-3)
    found = predict.detect(detector, image, window)
    scores = expected[f"{key}/det/detection_scores"][0]
    np.testing.assert_allclose(found.scores[0], scores, atol=1e-4)
    apart = np.minimum(np.diff(scores, prepend=np.inf) * -1, np.diff(scores, append=-np.inf) * -1) > TIE
    assert apart.sum() > 50
    np.testing.assert_allclose(
        found.boxes[0].numpy()[apart], expected[f"{key}/det/detection_boxes"][0][apart], atol=1e-4
    )
    assert np.array_equal(
        found.ids[0].numpy()[apart] - 1, expected[f"{key}/det/detection_classes"][0][apart].astype(int)
    )


@pytest.mark.parametrize("name", SEEDED)
def test_training_is_tfods(shared: Path, name: str) -> None:
    folder = shared / "tfod" / name
    expected = np.load(folder / "expected_training.npz")
    detector = model.load_detector(folder)
    config, network = detector.config, detector.network
    boxes, classes = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 3), np.float32)
    for index in range(2):
        true = expected[f"gt/boxes{index}"]
        boxes[index, : len(true)] = true
        classes[index, np.arange(len(true)), expected[f"gt/classes{index}"]] = 1.0
    truth = matching.Truth(tf.ones((2, 2)), boxes, classes, tf.ones((2, 3)), tf.ones(3))
    anchors = tf.constant(ssd.anchor_boxes(config))
    targets = matching.assign(config.matcher, config.code_scales, anchors, truth, config.background)
    assert np.array_equal(targets.matches, expected["targets/match"])
    assert np.array_equal(targets.classes, expected["targets/cls"])
    assert np.array_equal(targets.class_weights, expected["targets/cls_w"])
    np.testing.assert_allclose(targets.codes, expected["targets/reg"], atol=1e-4)
    variables = {path: variable for path, variable in model.variables(network).items() if variable.trainable}
    with tf.GradientTape() as tape:
        codes, logits = network(expected["preprocessed"], training=True)
        found = losses.detection_losses(config.loss, codes, logits, targets)
        regularization = tf.add_n(network.losses)
        total = found.total + regularization
    gradients = tape.gradient(total, [variable.value for variable in variables.values()])
    for loss, key in (
        (found.localization, "loss/Loss/localization_loss"),
        (found.classification, "loss/Loss/classification_loss"),
        (regularization, "reg_loss"),
        (total, "total_loss"),
    ):
        np.testing.assert_allclose(loss, expected[key], rtol=2e-4)
    np.testing.assert_allclose(tf.linalg.global_norm(gradients), expected["grad_global_norm"], rtol=5e-3)
    norms = json.loads((folder / "expected_grad_norms.json").read_text())
    for path, gradient in zip(variables, gradients, strict=True):
        key = f"{path}{SUFFIX}"
        np.testing.assert_allclose(tf.norm(gradient), norms[key], rtol=1e-2, atol=1e-3, err_msg=key)


@pytest.mark.parametrize("name", SEEDED)
def test_batch_norm_moves_as_tfods(shared: Path, name: str) -> None:
    folder = shared / "tfod" / name
    detector = model.load_detector(folder)
    detector.network(np.load(folder / "expected_training.npz")["preprocessed"], training=True)
    moved = model.values(detector.network)
    expected = np.load(folder / "expected_bn_after_one_training_forward.npz")
    for key in expected:
        path = key.removesuffix(SUFFIX)
        np.testing.assert_allclose(moved[path], expected[key], rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", [*SEEDED, TRAINED])
def test_writing_a_model_back_is_the_identity(shared: Path, tmp_path: Path, name: str) -> None:
    source = shared / "tfod" / name
    model.save_detector(model.load_detector(source), tmp_path / "model")
    before, after = (
        tf.train.load_checkpoint(str(folder / "checkpoint")) for folder in (source, tmp_path / "model")
    )
    keys = sorted(before.get_variable_to_shape_map())
    assert keys == sorted(after.get_variable_to_shape_map())
    assert all(
        np.array_equal(before.get_tensor(key), after.get_tensor(key))
        for key in keys
        if not key.startswith("_")
    )
    assert model.load_detector(tmp_path / "model").labels.names == model.load_detector(source).labels.names
    assert _edges(source) == _edges(tmp_path / "model")


def _edges(folder: Path) -> set[tuple[str, str, str]]:
    """All edges of the object graph below the model, aliases and objects without variables included: TFOD
    asserts that it finds each of its objects."""
    graph = checkpoint.read_checkpoint(folder / "checkpoint")
    start = graph.find("model")
    assert start is not None
    names, queue = {start: "model"}, [start]
    for node in queue:
        for name, child in graph.nodes[node].children:
            if child not in names:
                names[child] = f"{names[node]}/{name}"
                queue.append(child)
    return {(names[node], name, names[child]) for node in queue for name, child in graph.nodes[node].children}


def test_a_grown_real_model_keeps_its_logits_to_the_bit(shared: Path) -> None:
    base = model.load_detector(shared / "tfod" / TRAINED)
    image, _ = _preprocessed(base, shared / "tfod" / TRAINED / "chelsea.png")
    grown = grow.grow(base, from_names([*base.labels.names, "cat", "dog"]), seed=0)
    assert np.array_equal(base.network(image)[1], grown.network(image)[1][..., :8])


def test_the_keys_of_users_own_checkpoints_are_ours(shared: Path) -> None:
    """Real .index files (names and shapes, no weights): nothing is missing, nothing is left over."""
    found = 0
    for index in sorted((shared / "tfod" / "index_only").glob("*.index")):
        try:
            config = read_pipeline(index.with_name(f"{index.stem}.pipeline.config"))
        except InputError:
            continue
        found += 1
        keys = tf.train.load_checkpoint(str(index.with_suffix(""))).get_variable_to_shape_map()
        ours = {f"{path}{SUFFIX}": list(v.shape) for path, v in model.variables(ssd.build(config)).items()}
        theirs = {
            k: shape for k, shape in keys.items() if k.startswith("model/") and "OPTIMIZER_SLOT" not in k
        }
        assert ours == theirs
    assert found == 9

"""Checks of single-shot detectors against what the real TFOD computed, and against real checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.helpers import tiny
from tfrec_tools.detector.architectures import registry, ssd
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.read import Config, read_pipeline
from tfrec_tools.detector.data import resize
from tfrec_tools.detector.losses import matching, ssd_losses
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import Detector, detect, load_detector, save_detector

# Scores that lie closer than this may swap places: each may be off by half of it.
TIE = 2e-5
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


def preprocessed(detector: Detector, file: Path) -> tuple[tf.Tensor, tf.Tensor]:
    """A picture as a batch of one, and its window."""
    picture = tf.io.decode_png(file.read_bytes(), channels=3)
    canvas, window = resize.preprocess(detector.config, picture)
    return canvas[None], window[None]


def check_inference(folder: Path, picture: str, key: str) -> None:
    expected = np.load(folder / "expected_inference.npz")
    detector = load_detector(folder)
    image, window = preprocessed(detector, folder / picture)
    if f"{key}/preprocessed" in expected:
        assert np.array_equal(image, expected[f"{key}/preprocessed"])
    np.testing.assert_allclose(ssd.anchor_boxes(detector.config), expected[f"{key}/pred/anchors"], atol=1e-6)
    codes, logits = detector.network(image)
    np.testing.assert_allclose(codes, expected[f"{key}/pred/box_encodings"], atol=1e-3)
    np.testing.assert_allclose(logits, expected[f"{key}/pred/class_predictions_with_background"], atol=1e-3)
    found = detect(detector, image, window)
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


def check_training(folder: Path, unused_l2: float = 0.0) -> None:
    """Targets, losses and gradients; `unused_l2` is the L2 of what TFOD has and we do not use."""
    expected = np.load(folder / "expected_training.npz")
    detector = load_detector(folder)
    config, network = tiny.ssd_config(detector.config), detector.network
    boxes, classes = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 3), np.float32)
    for index in range(2):
        true = expected[f"gt/boxes{index}"]
        boxes[index, : len(true)] = true
        classes[index, np.arange(len(true)), expected[f"gt/classes{index}"]] = 1.0
    truth = matching.GroundTruth(
        tf.ones((2, 2)), boxes, classes, tf.ones((2, 3)), tf.ones((2, 3)), tf.ones(3)
    )
    anchors = tf.constant(ssd.anchor_boxes(config))
    targets = matching.assign(config.matcher, config.code_scales, anchors, truth, config.background)
    assert np.array_equal(targets.matches, expected["targets/match"])
    assert np.array_equal(targets.classes.one_hot, expected["targets/cls"])
    assert np.array_equal(targets.classes.known, expected["targets/cls_w"])
    np.testing.assert_allclose(targets.codes, expected["targets/reg"], atol=1e-4)
    variables = {
        path: variable for path, variable in detectors.variables(network).items() if variable.trainable
    }
    with tf.GradientTape() as tape:
        codes, logits = network(expected["preprocessed"], training=True)
        found = ssd_losses.detection_losses(config.loss, codes, logits, targets)
        regularization = tf.add_n(network.losses)
        total = tf.add_n(found.alone) + regularization
    gradients = tape.gradient(total, [variable.value for variable in variables.values()])
    for loss, key in (
        (found.alone[0], "loss/Loss/localization_loss"),
        (found.alone[1], "loss/Loss/classification_loss"),
        (regularization + unused_l2, "reg_loss"),
        (total + unused_l2, "total_loss"),
    ):
        np.testing.assert_allclose(loss, expected[key], rtol=2e-4)
    np.testing.assert_allclose(tf.linalg.global_norm(gradients), expected["grad_global_norm"], rtol=5e-3)
    norms = json.loads((folder / "expected_grad_norms.json").read_text())
    for path, gradient in zip(variables, gradients, strict=True):
        key = f"{path}{SUFFIX}"
        np.testing.assert_allclose(tf.norm(gradient), norms[key], rtol=1e-2, atol=1e-3, err_msg=key)


def check_batch_norm(folder: Path) -> None:
    """After one forward pass in training; what we do not use stays as it was in TFOD too."""
    detector = load_detector(folder)
    detector.network(np.load(folder / "expected_training.npz")["preprocessed"], training=True)
    moved = tiny.floats(detector.network)
    expected = np.load(folder / "expected_bn_after_one_training_forward.npz")
    for key in expected:
        path = key.removesuffix(SUFFIX)
        if path in moved:
            np.testing.assert_allclose(moved[path], expected[key], rtol=1e-4, atol=1e-5, err_msg=key)
        else:
            assert _is_unused(detector.config, path)
            node = detector.graph.find(path)
            assert node is not None
            kept = detector.graph.nodes[node].value
            assert kept is not None
            assert np.array_equal(kept, expected[key])


def check_written_back(source: Path, copy: Path) -> None:
    """A model read and written is the same to the bit: keys, values, and all edges of the object graph."""
    save_detector(load_detector(source), copy)
    before, after = (tf.train.load_checkpoint(str(folder / "checkpoint")) for folder in (source, copy))
    keys = sorted(before.get_variable_to_shape_map())
    assert keys == sorted(after.get_variable_to_shape_map())
    assert all(
        np.array_equal(before.get_tensor(key), after.get_tensor(key))
        for key in keys
        if not key.startswith("_")
    )
    assert load_detector(copy).labels.names == load_detector(source).labels.names
    assert _edges(source) == _edges(copy)


def check_keys(index: Path, config: Config | None = None) -> None:
    """A real .index file (names and shapes, no weights): nothing is missing, nothing is left over but what
    we know not to use. The config is the one beside it, unless given."""
    config = config or read_pipeline(index.with_name(f"{index.stem}.pipeline.config"))
    keys = tf.train.load_checkpoint(str(index.with_suffix(""))).get_variable_to_shape_map()
    network = registry.of(config).build(config)
    ours = {path: list(variable.shape) for path, variable in detectors.variables(network).items()}
    theirs = {
        key.removesuffix(SUFFIX): shape
        for key, shape in keys.items()
        if key.startswith("model/") and "OPTIMIZER_SLOT" not in key
    }
    left = theirs.keys() - ours.keys()
    assert all(_is_unused(config, path) for path in left)
    assert ours == {path: shape for path, shape in theirs.items() if path not in left}


def _is_unused(config: Config, path: str) -> bool:
    unused = registry.unused(config)
    return unused is not None and path.startswith(f"{object_graph.MODEL}/{unused}/")


def _edges(folder: Path) -> set[tuple[str, str, str]]:
    """All edges of the object graph below the model, aliases and objects without variables included: TFOD
    asserts that it finds each of its objects."""
    graph = object_graph.read_checkpoint(folder / "checkpoint")
    start = graph.find("model")
    assert start is not None
    names, queue = {start: "model"}, [start]
    for node in queue:
        for name, child in graph.nodes[node].children:
            if child not in names:
                names[child] = f"{names[node]}/{name}"
                queue.append(child)
    return {(names[node], name, names[child]) for node in queue for name, child in graph.nodes[node].children}

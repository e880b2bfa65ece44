"""Faster R-CNN: what its config may say, what it teaches and leaves alone, how it grows and trains."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from tests.helpers import tiny, tiny_rcnn
from tfrec_tools.detector.architectures import faster_rcnn
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.config.faster_rcnn import CODE_SCALES, StageLoss
from tfrec_tools.detector.config.read import parse_pipeline, require_losses
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.losses import matching, rcnn_losses, sampling
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.detector import load_detector, save_detector
from tfrec_tools.detector.network import box_coding, crops, rcnn_network
from tfrec_tools.detector.retention import weight_blending
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names

STAGE = StageLoss(samples=8, positive_fraction=0.25, localization_weight=1.0, classification_weight=1.0)
BOX = [0.2, 0.2, 0.6, 0.6]
FAR = [0.7, 0.7, 0.9, 0.9]
TRAINING = TrainConfig(
    steps=3,
    batch_size=2,
    lr=0.01,
    backbone_lr_mult=0.1,
    freeze_backbone=False,
    train_batch_norm=False,
    replay_ratio=0.0,
    average=0.0,
    seed=1,
)


def _truth(
    labeled: list[float], *, taught: list[float] | None = None, weight: float = 1.0
) -> matching.GroundTruth:
    """A picture with one box, of the last class."""
    count = len(labeled)
    return matching.GroundTruth(
        windows=tf.ones((1, 2)),
        boxes=tf.constant([[BOX]]),
        classes=tf.one_hot([[count - 1]], count),
        weights=tf.constant([[weight]]),
        labeled=tf.constant([labeled]),
        taught=tf.constant(taught or [1.0] * count),
        exists=tf.ones(count),
        draw=matching.Draw(tf.constant([1, 2])),
    )


def _class_gradient(truth: matching.GroundTruth, logits: list[float], match: int) -> NDArray[np.float32]:
    """What a proposal teaches the class logits, [background, classes...]."""
    drawn = rcnn_losses.Drawn(tf.constant([[BOX]]), tf.ones((1, 1)), tf.constant([[match]]))
    values = tf.Variable([[logits]])
    with tf.GradientTape() as tape:
        _, loss = rcnn_losses.box_losses(STAGE, drawn, tf.zeros((1, 1, 1, 4)), values, truth)
    return tape.gradient(loss, values).numpy()[0, 0]


def test_in_a_complete_picture_the_loss_is_softmax_cross_entropy() -> None:
    logits = [0.5, 1.0, -1.0]
    softmax = tf.nn.softmax(logits).numpy()
    background = _class_gradient(_truth([1.0, 1.0]), logits, match=-1)
    np.testing.assert_allclose(background, softmax - [1, 0, 0], atol=1e-6)
    matched = _class_gradient(_truth([1.0, 1.0]), logits, match=0)
    np.testing.assert_allclose(matched, softmax - [0, 0, 1], atol=1e-6)


def test_where_nothing_is_annotated_an_unknown_class_is_not_taught() -> None:
    gradient = _class_gradient(_truth([0.0, 1.0]), [0.5, 1.0, -1.0], match=-1)
    assert gradient[1] == 0.0
    assert gradient[0] < 0.0 < gradient[2]


def test_an_unlabeled_object_is_not_taught_to_be_background() -> None:
    """The model sees the unknown class there: the background must not rise until it wins."""
    seen = _class_gradient(_truth([0.0, 1.0]), [-3.0, 6.0, -1.0], match=-1)
    assert seen[1] == 0.0
    assert abs(seen[0]) < 1e-6
    complete = _class_gradient(_truth([1.0, 1.0]), [-3.0, 6.0, -1.0], match=-1)
    assert complete[0] < -0.9


def test_an_annotated_box_is_known_to_be_no_other_class() -> None:
    gradient = _class_gradient(_truth([0.0, 1.0]), [0.5, 1.0, -1.0], match=0)
    assert gradient[0] > 0.0
    assert gradient[1] > 0.0
    assert gradient[2] < 0.0


def test_a_class_that_is_never_taught_is_left_alone_even_there() -> None:
    gradient = _class_gradient(_truth([0.0, 1.0], taught=[0.0, 1.0]), [0.5, 1.0, -1.0], match=0)
    assert gradient[1] == 0.0
    assert gradient[2] < 0.0


def test_where_a_class_is_in_doubt_it_is_not_taught() -> None:
    gradient = _class_gradient(_truth([1.0, 1.0], weight=0.0), [0.5, 1.0, -1.0], match=-1)
    assert gradient[2] == 0.0
    assert gradient[0] < 0.0 < gradient[1]


@pytest.mark.parametrize(
    ("labeled", "exists", "expected"),
    [
        ([1.0, 1.0], [1.0, 1.0], [True, True, True, True, True]),
        ([0.0, 1.0], [1.0, 1.0], [True, True, False, False, True]),
        ([0.0, 1.0], [0.0, 1.0], [True, True, True, True, True]),  # an id without a class is not unknown
    ],
)
def test_what_may_be_an_unlabeled_object_is_not_drawn_as_background(
    labeled: list[float], exists: list[float], expected: list[bool]
) -> None:
    anchors = tf.constant([BOX, [0.3, 0.4, 0.7, 0.8], [0.55, 0.55, 0.95, 0.95], FAR, FAR])
    logits = tf.constant([[[0.0, 1.0]] * 4 + [[1.0, 0.0]]])  # the last one seems to be background
    offered: list[tf.Tensor] = []

    def draw(_: StageLoss, candidates: tf.Tensor, positive: tf.Tensor) -> tf.Tensor:
        offered.extend((candidates[0], positive[0]))
        return candidates

    truth = _truth(labeled)._replace(exists=tf.constant(exists))
    rcnn_losses.proposal_losses(STAGE, anchors, tf.zeros((1, 5, 4)), logits, truth, draw)
    assert [bool(candidate) for candidate in offered[0]] == expected
    assert [bool(positive) for positive in offered[1]] == [True, False, False, False, False]


def test_each_class_may_have_a_box_of_its_own() -> None:
    codes = tf.random.stateless_uniform((1, 1, 2, 4), (1, 2))
    drawn = rcnn_losses.Drawn(tf.constant([[FAR]]), tf.ones((1, 1)), tf.constant([[0]]))
    truth = _truth([1.0, 1.0])
    own, _ = rcnn_losses.box_losses(STAGE, drawn, codes, tf.zeros((1, 1, 3)), truth)
    shared, _ = rcnn_losses.box_losses(STAGE, drawn, codes[:, :, 1:], tf.zeros((1, 1, 3)), truth)
    assert float(own) == float(shared) > 0.0


def test_a_draw_is_balanced_and_follows_from_its_seed() -> None:
    candidates = tf.constant([[True] * 30 + [False] * 10, [True] * 5 + [False] * 35])
    positive = tf.constant([[True] * 20 + [False] * 20, [False] * 40])

    def draw(seed: list[int], rows: slice = slice(0, 2)) -> NDArray[np.bool_]:
        how = matching.Draw(tf.constant(seed), tf.constant(rows.start), whole=2)
        return sampling.balanced(how, STAGE, candidates[rows], positive[rows]).numpy()

    drawn = draw([1, 2])
    assert not (drawn & ~candidates.numpy()).any()
    assert (drawn & positive.numpy()).sum(axis=1).tolist() == [2, 0]
    assert drawn.sum(axis=1).tolist() == [8, 5]
    assert np.array_equal(drawn, draw([1, 2]))
    assert not np.array_equal(drawn, draw([1, 3]))
    for row in range(2):  # wherever the batch is cut
        assert np.array_equal(drawn[row : row + 1], draw([1, 2], slice(row, row + 1)))


def test_drawn_boxes_keep_their_order_and_end_in_zeros() -> None:
    boxes = tf.constant([[FAR, BOX, [0.0, 0.0, 0.1, 0.1]]])
    valid = tf.constant([[True, True, False]])
    drawn = rcnn_losses.draw_boxes(STAGE, _truth([1.0]), boxes, valid, lambda _, candidates, __: candidates)
    np.testing.assert_array_equal(drawn.boxes[0], np.array([FAR, BOX, [0.0] * 4], np.float32))
    assert drawn.valid[0].numpy().tolist() == [1, 1, 0]
    assert drawn.matches[0].numpy().tolist() == [-1, 0, -1]


def test_anchors_lie_around_the_cells_corners_and_are_clipped() -> None:
    config = tiny_rcnn.config(2)
    anchors = rcnn_network.anchor_boxes(config) * 96
    assert anchors.shape == (6 * 6 * 6, 4)
    # Row 2, column 3, aspect ratio 1 of (0.5, 1, 2), scale 1/8 of 256 px.
    np.testing.assert_allclose(anchors[(2 * 6 + 3) * 6 + 2], [16, 32, 48, 64], rtol=1e-6)
    np.testing.assert_allclose(anchors[2], [0, 0, 16, 16], atol=1e-6)


def test_training_leaves_out_anchors_that_reach_over_the_canvas_unless_they_are_clipped() -> None:
    config = tiny_rcnn.config(2)
    kept = rcnn_network.trained_anchors(
        replace(config, proposals=replace(config.proposals, clip_anchors=False))
    )
    every = rcnn_network.trained_anchors(config)
    anchors = rcnn_network.anchor_boxes(config)
    assert len(every) == len(anchors)
    assert 0 < len(kept) < len(every)
    assert (anchors[kept] > 0).any(axis=1).all()


def test_proposals_lie_in_the_picture_and_not_in_the_padding() -> None:
    made = tiny_rcnn.detector("red", "green")
    images, windows = tiny_rcnn.picture_batch(tiny_rcnn.config_of(made))
    proposals, _ = faster_rcnn.predict(tiny_rcnn.config_of(made), made.network, images, windows)
    assert proposals.valid.numpy().any(axis=1).all()
    limits = np.tile(windows, [1, 2])[:, None, :]
    assert (proposals.boxes.numpy() <= limits).all()
    found = faster_rcnn.detect(tiny_rcnn.config_of(made), made.network, images, windows)
    assert (
        found.boxes.numpy()[0, :, 2] > windows.numpy()[0, 0]
    ).any()  # of the picture again, not of the canvas


@pytest.mark.parametrize("side", [1, 2, 14])
def test_the_gradient_of_crops_is_that_of_what_was_cropped(side: int) -> None:
    """Cropping is linear, so that <gradient, any features> = <taught, their crops>."""
    random = np.random.default_rng(7)
    corners = random.uniform(-0.1, 1.1, (2, 200, 2, 2))
    boxes = np.concatenate([corners.min(2), corners.max(2)], axis=-1, dtype=np.float32)
    boxes[:, 0] = 0.0
    boxes[:, 1:150, 2:] = 1.0  # where rounding decides whether the last points are inside
    taught = tf.constant(random.uniform(0.0, 1.0, (400, side, side, 3)), tf.float32)

    @tf.function
    def gradient(features: tf.Tensor) -> tf.Tensor:
        return tf.gradients(crops.crop(features, boxes, side), features, taught)[0]

    for _ in range(5):
        features = tf.constant(random.uniform(0.0, 1.0, (2, 9, 12, 3)), tf.float32)
        expected = tf.reduce_sum(taught * crops.crop(features, boxes, side))
        found = tf.reduce_sum(gradient(features) * features)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_new_classes_own_box_starts_at_the_proposal() -> None:
    base = tiny_rcnn.detector("red", "green", shares_box=False)
    grown = growth.grow(base, from_names(["green", "blue", "red"]), seed=1)
    images, windows = tiny_rcnn.picture_batch(tiny_rcnn.config_of(base))
    before, after = (
        faster_rcnn.predict(tiny_rcnn.config_of(detector), detector.network, images, windows)[1]
        for detector in (base, grown)
    )
    assert np.array_equal(tf.gather(after.logits, [0, 3, 1], axis=-1), before.logits)
    assert np.array_equal(tf.gather(after.codes, [2, 0], axis=2), before.codes)
    new = box_coding.decode(after.codes[:, :, 1], tf.constant([0.0, 0.0, 1.0, 1.0]), CODE_SCALES)
    np.testing.assert_allclose(new, np.broadcast_to([0, 0, 1, 1], new.shape), atol=0.05)


@pytest.mark.parametrize("shares_box", [True, False])
def test_a_teacher_asks_for_its_own_answers(shares_box: bool) -> None:
    base = tiny_rcnn.detector("red", "green", shares_box=shares_box)
    ours = detectors.variables(base.network)
    objectness, corners = (
        next(path for path in ours if f"_prediction_heads/{name}/" in path and path.endswith("bias"))
        for name in ("class_predictions_with_background", "box_encodings")
    )
    ours[objectness].assign(np.eye(12)[1] * 9)  # of the first anchor of each cell the teacher is sure
    grown = growth.grow(base, from_names(["blue", "red", "green"]), seed=1)
    teacher = Teacher(base.network, tf.constant([0, 1]), tf.constant([1, 2]))
    images, windows = tiny_rcnn.picture_batch(tiny_rcnn.config_of(base))
    truth = matching.GroundTruth(windows, tf.zeros((2, 1, 4)), *map(tf.zeros, ((2, 1, 3), (2, 1), (2, 3), 3)))
    losses = partial(
        faster_rcnn.training_losses,
        tiny_rcnn.config_of(grown),
        grown.network,
        images,
        truth,
        teacher,
        training=False,
    )

    def distillation() -> float:
        return float(losses().alone[2])

    np.testing.assert_allclose(distillation(), 0.0, atol=1e-9)
    variables = detectors.variables(grown.network)
    bias = variables[
        f"{object_graph.MODEL}/{faster_rcnn.class_heads(tiny_rcnn.config_of(base))[0].path}/bias"
    ]
    for column, is_taught in ((1, False), (2, True)):  # blue, red
        before = bias.numpy()
        bias.assign(before + np.eye(4)[column])
        assert (distillation() > 0.1) == is_taught
        bias.assign(before)
    variables[corners].assign(variables[corners] + 1.0)
    assert distillation() > 0.1


def test_a_blend_keeps_new_columns_as_they_were_trained() -> None:
    base = tiny_rcnn.detector("red", "green", shares_box=False)
    start = {path: np.zeros_like(value) for path, value in detectors.values(base.network).items()}
    trained = {path: np.ones_like(value) for path, value in start.items()}
    blended = weight_blending.blended(base, start, trained, 0.25, frozenset({2}))
    logits, codes = (
        f"{object_graph.MODEL}/{head.path}/bias"
        for head in faster_rcnn.class_heads(tiny_rcnn.config_of(base))
    )
    assert blended[logits].tolist() == [0.25, 0.25, 1.0]
    assert blended[codes].tolist() == [0.25] * 4 + [1.0] * 4


@pytest.mark.parametrize("shares_box", [True, False])
def test_a_folder_is_read_back_bit_for_bit_whatever_its_width(tmp_path: Path, shares_box: bool) -> None:
    written = tiny_rcnn.detector("red", "green", shares_box=shares_box)
    save_detector(written, tmp_path / "model")
    read = load_detector(tmp_path / "model")
    assert read.config == written.config
    before, after = detectors.values(written.network), detectors.values(read.network)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_a_checkpoint_of_another_depth_is_refused(tmp_path: Path) -> None:
    folder = tiny_rcnn.model_folder(tmp_path / "model", "red")
    config = folder / "pipeline.config"
    config.write_text(config.read_text().replace("resnet50", "resnet101"))
    with pytest.raises(InputError, match=r"another model than pipeline\.config says: it lacks 255 variables"):
        load_detector(folder)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("faster_rcnn_resnet50_keras", "faster_rcnn_resnet50_fpn_keras", r"type: found .*; supported:"),
        ("num_classes: 2", "num_classes: 2 number_of_stages: 3", "number_of_stages: found 3: a Mask R-CNN"),
        ("num_classes: 2", "num_classes: 2 first_stage_atrous_rate: 2", "atrous_rate: found 2, expected 1"),
        ("use_dropout: false", "use_dropout: true", "use_dropout: found true, expected false"),
        ("score_converter: SOFTMAX", "score_converter: SIGMOID", "found SIGMOID, expected SOFTMAX"),
        ("height_stride: 16", "height_stride: 8", "found .*8, 16.*, expected 16"),
        ("mode: FAN_AVG", "mode: FAN_OTHER", "found FAN_OTHER, expected FAN_IN or FAN_OUT or FAN_AVG"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(old: str, new: str, reason: str) -> None:
    text = tiny_rcnn.PIPELINE.read_text()
    assert old in text
    with pytest.raises(InputError, match=reason):
        parse_pipeline(Path("p"), text.replace(old, new))


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ("hard_example_miner {}", "hard_example_miner: not understood"),
        ("second_stage_classification_loss { weighted_sigmoid {} }", "found weighted_sigmoid, expected"),
    ],
)
def test_a_loss_that_is_not_built_stops_training_alone(loss: str, reason: str) -> None:
    text = tiny_rcnn.PIPELINE.read_text().replace("num_classes: 2", f"num_classes: 2 {loss}")
    parse_pipeline(Path("p"), text)
    with pytest.raises(InputError, match=reason):
        require_losses(Path("p"), text)


@pytest.mark.slow
def test_training_teaches_what_is_annotated_and_leaves_unknown_classes_alone(tmp_path: Path) -> None:
    labels = from_names(["red", "green"])
    base = tiny_rcnn.detector("red", "green")
    records = tiny.write_records(
        tmp_path / "green.tfrecord", ["green"], 4, labels=labels, labeled=frozenset({"green"})
    )
    examples = index_records([str(records)], labels)
    kernel = f"{object_graph.MODEL}/{faster_rcnn.class_heads(tiny_rcnn.config_of(base))[0].path}/kernel"
    before = detectors.values(base.network)
    losses: list[StepLosses] = []
    Trainer(base, TRAINING).run(examples, [], losses.append)
    after = detectors.values(base.network)
    assert [step.step for step in losses] == [1, 2, 3]
    assert (before[kernel] != after[kernel]).any(axis=0).tolist() == [True, False, True]
    stem = f"{object_graph.MODEL}/{faster_rcnn.BACKBONES[0]}/layer_with_weights-0/kernel"
    assert not np.array_equal(before[stem], after[stem])


@pytest.mark.slow
def test_a_run_that_goes_on_computes_what_it_would_have(tmp_path: Path) -> None:
    records = tiny.write_records(tmp_path / "both.tfrecord", ["red", "green"], 4)
    examples = index_records([str(records)], from_names(["red", "green"]))
    first, second = (Trainer(tiny_rcnn.detector("red", "green"), TRAINING) for _ in range(2))
    whole: list[StepLosses] = []

    def keep_the_first(done: StepLosses) -> None:
        whole.append(done)
        if done.step == 1:
            first.save(tmp_path / "state.npz", {})

    first.run(examples, [], keep_the_first)
    second.load(tmp_path / "state.npz")
    rest: list[StepLosses] = []
    second.run(examples, [], rest.append)
    assert rest == whole[1:]

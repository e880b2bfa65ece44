"""The base as a teacher behind a backbone that stays its own: found once for both, with the same losses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import goldens, tiny
from tests.helpers.goldens import STEPS
from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.losses import distillation
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.losses.matching import Draw, GroundTruth
from tfrec_tools.detector.model import growth
from tfrec_tools.detector.model.detector import Detector, variables
from tfrec_tools.detector.network.heads import ClassHead
from tfrec_tools.detector.training.optimizer import Update
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.labels.label_map import from_names

GROWN = from_names(["cat", "dog", "cup"])
FROZEN = replace(STEPS, freeze_backbone=True)


def base_and_grown(family: str) -> tuple[Detector, Detector]:
    """The grown one has learnt something already, behind its backbone."""
    base = goldens.detector(family)
    for path, variable in variables(base.network).items():
        if path in {f"{object_graph.MODEL}/{head.path}/bias" for head in _class_heads(base)}:
            variable.assign(np.asarray(variable) - 3.0)  # so that few scores stand out
    grown = growth.grow(base, GROWN, seed=0)
    for variable in Update(grown, FROZEN).trained:
        variable.assign(np.asarray(variable) * 1.01)
    return base, grown


def _class_heads(detector: Detector) -> list[ClassHead]:
    heads = registry.of(detector.config).class_heads(detector.config)
    return [head for head in heads if head.values == 1]


def backbone(detector: Detector) -> list[keras.Variable]:
    """What a frozen backbone leaves out of training."""
    behind = {id(variable) for variable in Update(detector, FROZEN).trained}
    return [variable for variable in detector.network.trainable_variables if id(variable) not in behind]


def taught(base: Detector) -> Teacher:
    return Teacher(base.network, tf.constant([0, 1]), tf.constant([0, 1]))


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_losses_and_gradients_are_those_of_two_networks(family: str) -> None:
    base, grown = base_and_grown(family)
    config, family_of = grown.config, registry.of(grown.config)
    images, truth = _batch(grown)
    trained = [variable.value for variable in Update(grown, FROZEN).trained]

    def found(teacher: Teacher) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            losses = family_of.training_losses(config, grown.network, images, truth, teacher, training=False)
            total = tf.add_n(losses.alone)
        return losses.alone, tape.gradient(total, trained)

    apart = found(taught(base))
    joined = family_of.side_by_side(grown.network, base.network)
    assert apart[0][2] > 0
    for one, other in zip(apart, found(taught(base)._replace(joined=joined)), strict=True):
        for value, same in zip(one, other, strict=True):
            np.testing.assert_allclose(value, same, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_beside_a_teacher_new_classes_weigh_more(family: str) -> None:
    """But for Faster R-CNN's, where no losses stand apart."""
    base, grown = base_and_grown(family)
    family_of = registry.of(grown.config)
    images, truth = _batch(grown)

    def found(teacher: Teacher | None, apart: list[float]) -> list[tf.Tensor]:
        known = truth._replace(apart=tf.constant(apart))
        return family_of.training_losses(
            grown.config, grown.network, images, known, teacher, training=False
        ).alone[:2]

    weight = distillation.EMPHASIS if family_of.HAS_SIGMOIDS else 1.0
    for apart, times in (([0.0] * 3, 1.0), ([1.0] * 3, weight)):
        alone, beside = found(None, apart), found(taught(base), apart)
        np.testing.assert_allclose(beside, np.multiply(times, alone), rtol=1e-5)


@pytest.mark.parametrize("family", goldens.FAMILIES)
def test_a_teacher_says_nothing_of_new_objects(family: str) -> None:
    """What the base found is annotated as of a class that it does not know, or of one that it does."""
    base, grown = base_and_grown(family)
    family_of = registry.of(grown.config)
    images, truth = _batch(grown)
    boxes = family_of.detect(base.config, base.network, images, truth.windows).boxes
    count = boxes.shape[1]
    found = truth._replace(
        boxes=boxes, classes=tf.one_hot(tf.fill((2, count), 2), 3), weights=tf.ones((2, count))
    )

    def held(apart: list[float]) -> float:
        """How many of the teacher's boxes."""
        known = found._replace(apart=tf.constant(apart))
        losses = family_of.training_losses(
            grown.config, grown.network, images, known, taught(base), training=False
        )
        return float(losses.distillation[-2].denominator)

    assert held([0.0, 0.0, 1.0]) < held([0.0] * 3)


def test_where_no_other_class_is_taught_there_is_one_group(tmp_path: Path) -> None:
    _, grown = base_and_grown("fpnlite")
    files = [tiny.write_records(tmp_path / f"{name}.tfrecord", [name], 1) for name in ("red", "blue")]
    red, blue = (index_records([str(file)], from_names(["red", "blue"])) for file in files)
    for examples, expected in ((blue, [1.0] * 3), ([*red, *blue], [0.0, 1.0, 0.0])):
        trainer = Trainer(grown, replace(STEPS, steps=1), apart=frozenset({2}))
        trainer.run(examples, [], lambda _: None)
        assert trainer.stepper.apart.numpy().tolist() == expected


def _batch(detector: Detector) -> tuple[tf.Tensor, GroundTruth]:
    """Two images, each with a box of another class."""
    size = detector.config.resizer.height_px, detector.config.resizer.width_px
    images = tf.random.stateless_uniform((2, *size, 3), (0, 1), -1, 1)
    boxes, classes = tf.constant([[[0.1, 0.1, 0.5, 0.6]]] * 2), tf.one_hot([[0], [2]], 3)
    ones = (tf.ones((2, 1)), tf.ones((2, 3)), tf.ones(3))
    draw = Draw(tf.constant([1, 1]), tf.constant(0), 2)
    return images, GroundTruth(tf.ones((2, 2)), boxes, classes, *ones, draw=draw)


@pytest.mark.parametrize("is_frozen", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_frozen_backbone_is_run_for_both(is_frozen: bool, tmp_path: Path) -> None:
    """So what the teacher's own would say makes no difference."""
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 2)
    examples = index_records([str(file)], from_names(["red"]))
    config = replace(STEPS, steps=1, freeze_backbone=is_frozen)

    def first_step(spoils: bool) -> float:
        base, grown = base_and_grown("fpnlite")
        for variable in backbone(base) if spoils else ():
            variable.assign(np.asarray(variable) * 0.5)
        losses = list[StepLosses]()
        Trainer(grown, config, taught(base)).run(examples, [], losses.append)
        return losses[0].distillation

    assert (first_step(spoils=True) == first_step(spoils=False)) == is_frozen

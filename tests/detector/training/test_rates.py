"""Learning rates and freezing, by groups of layers and by name, in each family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import goldens
from tests.helpers.goldens import STEPS
from tfrec_tools.detector.model.detector import Detector, variables
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.training import rates
from tfrec_tools.detector.training.schedule import Schedule
from tfrec_tools.detector.training.settings import TrainConfig, train_config
from tfrec_tools.errors import InputError

FIRST = {  # what must be in which group, by the beginning of its name in the checkpoint
    "fpnlite": {
        "_feature_extractor/classification_backbone/": "backbone",
        "_feature_extractor/_fpn_features_generator/": "neck",
        "_feature_extractor/_coarse_feature_layers/": "neck",
        "_box_predictor/": "head",
    },
    "efficientdet": {
        "_feature_extractor/_bifpn_stage/": "neck",
        "_box_predictor/": "head",
    },
    "faster_rcnn": {
        "_feature_extractor_for_proposal_features/": "backbone",
        "_feature_extractor_for_box_classifier_features/": "backbone",
        "_first_stage_box_predictor": "neck",
        "_mask_rcnn_box_predictor/": "head",
    },
    "center_net": {"_feature_extractor/_network/": "backbone", "_prediction_head_dict/": "head"},
    "center_net_mobilenet": {
        "_feature_extractor/_base_model/": "backbone",
        "_feature_extractor/_feature_extractor_model/": "neck",
        "_prediction_head_dict/": "head",
    },
}


@cache
def made(family: str) -> Detector:
    return goldens.detector(family)


def options(**changes: object) -> FinetuneOptions:
    words = {"base": "base", "labels": "map", "train": "new", "val": "val"} | changes
    return FinetuneOptions(**words)  # type: ignore[arg-type]


def config(**changes: object) -> TrainConfig:
    return train_config(options(**({"steps": 3, "precision": "float32"} | changes)))


def rate_by_name(detector: Detector, how: TrainConfig) -> dict[str, float]:
    """{name in the checkpoint: learning rate} of what is trained."""
    names = {id(variable): path.partition("/")[2] for path, variable in variables(detector.network).items()}
    groups = rates.trained(detector, how)
    return {names[id(variable)]: rate for rate, group in groups for variable in group}


@pytest.mark.parametrize("family", FIRST)
def test_each_variable_is_of_one_group(family: str) -> None:
    detector = made(family)
    rate = {"backbone": 1.0, "neck": 2.0, "head": 3.0}
    found = rate_by_name(detector, replace(STEPS, group_lrs=rate))
    trainable = [variable for variable in variables(detector.network).values() if variable.trainable]
    assert len(found) == len(trainable)
    for start, group in FIRST[family].items():
        mine = {value for name, value in found.items() if name.startswith(start)}
        assert mine == {rate[group]}, start
    lines = rates.table(detector, replace(STEPS, group_lrs=rate))
    assert sum(line.parameters for line in lines) == sum(np.prod(variable.shape) for variable in trainable)
    assert {line.name: line.lr for line in lines} == {
        name: value for name, value in rate.items() if value in found.values()
    }


@pytest.mark.parametrize(
    ("family", "batch", "peak"),
    [
        ("fpnlite", 8, 0.04),
        ("fpnlite", 2, 0.01),
        ("efficientdet", 16, 0.08),
        ("fpnlite", 64, 0.08),
        ("center_net", 8, 0.01),
        ("faster_rcnn", 8, 0.02),
        ("faster_rcnn", 0, 0.02),  # --batch auto, before it is settled
    ],
)
def test_the_rate_is_by_family_and_batch(family: str, batch: int, peak: float) -> None:
    silent = replace(STEPS, lr=None, batch_size=batch, backbone_lr_mult=0.1)
    detector = made(family)
    assert rates.learning_rate(detector, silent) == pytest.approx(peak)
    assert rates.rate_of(detector, silent, "backbone") == pytest.approx(peak / 10)
    said = replace(silent, lr=0.5)
    assert rates.learning_rate(detector, said) == 0.5


def test_groups_that_are_not_said_have_what_they_had() -> None:
    detector = made("fpnlite")
    how = config(lr="head=0.5", batch=8)
    found = {group: rates.rate_of(detector, how, group) for group in ("backbone", "neck", "head")}
    assert found == {"backbone": pytest.approx(0.012), "neck": 0.04, "head": 0.5}


def test_frozen_groups_and_layers_are_not_trained() -> None:
    detector = made("fpnlite")
    every = set(rate_by_name(detector, STEPS))
    of_neck = {name for name in every if "_fpn_" in name or "_coarse_" in name}
    left = set(rate_by_name(detector, replace(STEPS, frozen=("neck",))))
    assert left == every - of_neck
    assert left < every
    towers = {name for name in every if "Tower" in name}
    assert towers
    assert set(rate_by_name(detector, replace(STEPS, freeze_layers="^_box.*Tower"))) == every - towers
    (line,) = [
        line for line in rates.table(detector, replace(STEPS, frozen=("neck",))) if line.name == "neck"
    ]
    assert (line.trained, line.lr) == (0, None)
    assert line.parameters > 0


def test_a_backbone_that_is_frozen_by_name_is_run_once_for_both_networks() -> None:
    detector = made("fpnlite")
    assert rates.keeps_backbone(detector, replace(STEPS, freeze_layers="classification_backbone"))
    assert rates.keeps_backbone(detector, config(freeze="backbone,neck"))
    assert not rates.keeps_backbone(
        detector, replace(STEPS, freeze_layers="classification_backbone/.*kernel")
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lr": "spine=0.1"}, "--lr: 'spine' is none of the groups backbone, neck, head"),
        ({"lr": "head=fast"}, "--lr: 'fast' is no learning rate such as 0.01"),
        ({"lr": "head=-1"}, "--lr: '-1' is no learning rate"),
        ({"lr": "head=0.1,head=0.2"}, "--lr: 'head' is there twice"),
        ({"lr": "quick"}, "--lr: 'quick' is no learning rate"),
        ({"lr": -1.0}, "--lr: is -1, expected at least 0"),
        (
            {"lr": "backbone=0.1", "backbone_lr_mult": 0.5},
            "--backbone-lr-mult: the backbone's learning rate is in --lr already",
        ),
        ({"lr": "neck=0.1", "freeze": "backbone,neck"}, "--lr: 'neck' is not trained at all by --freeze"),
        ({"freeze": "bakbone"}, "--freeze: 'bakbone' is none of the groups backbone, neck, head"),
        ({"freeze": "auto,neck"}, "--freeze: 'auto' is none of the groups .*; auto and none stand alone"),
        ({"freeze": "head,neck,backbone"}, "--freeze: 'head,neck,backbone' leaves nothing to train"),
        ({"freeze_layers": "(a"}, r"--freeze-layers: '\(a' is no regular expression"),
    ],
)
def test_what_means_nothing_is_one_line(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        config(**changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"freeze_layers": "Stem"}, "'Stem' is found in no variable's name; there are _feature_extractor/"),
        ({"freeze_layers": "."}, "--freeze: leaves nothing to train"),
        ({"frozen": ("neck",)}, "--freeze: a detector of this kind has no neck; it has backbone, head"),
        ({"group_lrs": {"neck": 0.1}}, "--lr: a detector of this kind has no neck; it has backbone, head"),
    ],
)
def test_what_the_detector_lacks_is_one_line(changes: dict[str, object], reason: str) -> None:
    without_neck: Detector = made("center_net")
    has_neck = any(line.name == "neck" for line in rates.table(without_neck, STEPS))
    assert not has_neck
    with pytest.raises(InputError, match=reason):
        rates.require_groups(without_neck, replace(STEPS, **changes))  # type: ignore[arg-type]


def by_keras(steps: int, peak: float) -> Sequence[float]:
    warmup = max(1, round(steps * 0.1))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=peak, warmup_steps=warmup
    )
    return [float(schedule(step)) for step in range(steps + 2)]


@pytest.mark.parametrize(("steps", "peak"), [(1, 0.02), (7, 0.3), (60, 0.02)])
def test_the_schedule_is_keras_s_to_the_bit_and_may_become_another(steps: int, peak: float) -> None:
    schedule = Schedule(400)
    rate = schedule.rate(peak)
    schedule.be_of(steps)
    assert [float(rate(tf.constant(step))) for step in range(steps + 2)] == by_keras(steps, peak)
    schedule.be_of(400)
    assert float(rate(tf.constant(100))) == by_keras(400, peak)[100]

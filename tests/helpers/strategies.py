"""Trainings in processes of their own, as how many devices there are is settled before TensorFlow starts.

    python -m tests.helpers.strategies train FOLDER HOW ...
    python -m tests.helpers.strategies finetune FOLDER OUT [resume] [die-at-STEP] [label]

`train` writes FOLDER/HOW.npz for each: losses, and weights by path. HOW is FAMILY-STRATEGY-PARTS, and ends in
-resumed for a training that is stopped and gone on with, in -shortened for
one that becomes one of two steps. With TF_CONFIG all is done by its workers together.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.helpers import tiny, tiny_rcnn
from tests.helpers.finetuning import CONFIG
from tfrec_tools.detector import finetune
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model import detector, growth
from tfrec_tools.detector.options.finetune import RetentionOptions
from tfrec_tools.detector.plan import Finetuning
from tfrec_tools.detector.training import train_step
from tfrec_tools.detector.training.distribution import Cluster, Vote, open_cluster
from tfrec_tools.detector.training.length import Length
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.train_step import StepLosses
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map

LABELS = from_names(["red", "green", "blue"])
TRAINING = replace(CONFIG, steps=3, batch_size=4)
FROZEN = {"ssd": True, "rcnn": False}  # the backbone, which takes longest to trace
FAMILIES: dict[str, Callable[..., detector.Detector]] = {"ssd": tiny.detector, "rcnn": tiny_rcnn.detector}
NEW = frozenset({3})


def write_inputs(folder: Path) -> Path:
    """Old pictures with more boxes than new ones, which are not annotated for the old classes."""
    tiny.write_records(folder / "new.tfrecord", ["blue"], 5, labels=LABELS, labeled=frozenset({"blue"}))
    tiny.write_records(folder / "old.tfrecord", ["red", "green"], 3, labels=LABELS)
    (folder / "merged.pbtxt").write_text(format_label_map(LABELS))
    tiny_rcnn.model_folder(folder / "base", "red", "green")
    return folder


def trainer(family: str, config: TrainConfig, cluster: Cluster) -> Trainer:
    """Of a grown detector, which its base teaches."""
    with cluster.strategy.scope():
        base = FAMILIES[family]("red", "green")
        grown = growth.grow(base, LABELS, seed=1)
    # Else the base is as good a teacher as there can be, and teaches nothing in the first steps.
    for variable in base.network.trainable_variables:
        variable.assign(np.asarray(variable) * 1.01)
    teacher = Teacher(base.network, tf.constant([0, 1]), tf.constant([0, 1]))
    return Trainer(grown, config, teacher, NEW, cluster)


def train(folder: Path, how: str) -> None:
    family, strategy, parts, *special = how.split("-")
    cluster = open_cluster(strategy)
    config = replace(TRAINING, accumulate=int(parts), freeze_backbone=FROZEN[family])
    new, old = (index_records([str(folder / f"{name}.tfrecord")], LABELS) for name in ("new", "old"))
    made, losses = trainer(family, config, cluster), list[StepLosses]()

    def two(done: StepLosses) -> bool:
        losses.append(done)
        return done.step == 2

    def shortened(done: StepLosses) -> Vote:
        losses.append(done)
        if done.step > 1 or not cluster.is_chief:
            return Vote.GO_ON
        made.length = Length(config.steps, shortened=2, since=1)
        return Vote.SHORTEN

    if special == ["shortened"]:
        made.run(new, old, shortened)
    if special == ["resumed"]:
        made.run(new, old, two)
        made.save(folder / "state.npz", {})
        made = trainer(family, config, cluster)
        made.load(folder / "state.npz")
    if special != ["shortened"]:
        made.run(new, old, losses.append)
    if cluster.is_chief:
        weights: dict[str, Any] = {**detector.values(made.detector.network)}
        np.savez(folder / f"{how}.npz", losses=[astuple(step)[1:] for step in losses], **weights)


def plan(folder: Path, out: Path, config: TrainConfig, cluster: Cluster) -> Finetuning:
    return Finetuning(
        base=folder / "base",
        labels=read_label_map(folder / "merged.pbtxt"),
        train=(str(folder / "new.tfrecord"),),
        replay=(str(folder / "old.tfrecord"),),
        val=(str(folder / "old.tfrecord"),),
        test=(),
        out=out,
        drop_classes=False,
        memory=RetentionOptions(pseudo_labels="off", distill="on", interpolate="off"),
        masked=True,
        freeze_few=False,
        config=config,
        cluster=cluster,
    )


def story(folder: Path, out: Path, words: list[str]) -> None:
    """The whole command; a worker that is to die does so at a step of the training. With pseudo-labels it
    says on stderr what it has gone through."""
    stages = dict[str, None]()
    last = next((int(word.removeprefix("die-at-")) for word in words if word.startswith("die-at-")), None)

    def progress(step: str, done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001
        stages[step] = None
        if "train" in step and done == last:
            os.kill(os.getpid(), signal.SIGKILL)

    asked = plan(folder, out, replace(TRAINING, steps=4), open_cluster("auto"))
    if "label" in words:
        asked = replace(asked, memory=RetentionOptions(pseudo_labels="auto", interpolate="off"))
    finetune.finetune(replace(asked, progress=progress), resume="resume" in words)
    if "label" in words:
        sys.stderr.write("; ".join(stages))


if __name__ == "__main__":
    verb, inputs, *rest = sys.argv[1:]
    # Below the norms of these trainings, so that it matters where gradients are clipped.
    train_step._CLIP_NORM = 0.5
    if "TF_CONFIG" not in os.environ:
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    if verb == "train":
        for each in rest:
            train(Path(inputs), each)
    else:
        story(Path(inputs), Path(rest[0]), rest[1:])

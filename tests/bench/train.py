"""A training step of each family, with its targets, losses and optimisers, and records read beside it: images
a second, for RetinaNet beside keras-hub's on batches of the same pictures, for FPNLite with a teacher too."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import tensorflow as tf

from tests.bench import full_size, peer, records
from tests.bench.detect import PEER
from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.images import Encoded
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.trainer import Trainer

BATCH = 2
_UNTIMED = 2  # the first traces, the second still warms up


def main(families: Sequence[str], runs: int, folder: Path) -> None:
    examples = index_records([records.pattern(folder)], full_size.labels())
    rates = {}
    for family in families:
        made = full_size.detector(family)
        rates[family] = _report(
            family, full_size.side_px(made), _seconds(Trainer(made, _config(runs)), examples)
        )
    if "fpnlite" in families:
        _beside_teacher(examples, runs)
    if "retinanet" in families:
        _beside_peer(rates["retinanet"], examples, runs)


def _config(runs: int) -> TrainConfig:
    return TrainConfig(
        steps=_UNTIMED + runs,
        batch_size=BATCH,
        lr=1e-4,
        backbone_lr_mult=1.0,
        freeze_backbone=False,
        train_batch_norm=True,
        replay_ratio=0.0,
        average=0.0,
        seed=1,
    )


def _seconds(trainer: Trainer, examples: Sequence[IndexedExample]) -> float:
    """Of the fastest step."""
    ends: list[float] = []
    trainer.run(examples, [], lambda _: ends.append(time.perf_counter()))
    return _fastest(ends)


def _fastest(ends: Sequence[float]) -> float:
    """Seconds, of the steps that end at these times."""
    timed = ends[_UNTIMED - 1 :]
    return min(end - begin for begin, end in pairwise(timed))


def _report(name: str, side_px: int, seconds: float) -> float:
    """Images a second."""
    print(
        f"{name:18} {side_px} px {BATCH / seconds:7.2f} images/s, {seconds:6.3f} s a step of {BATCH}",
        flush=True,
    )
    return BATCH / seconds


def _beside_teacher(examples: Sequence[IndexedExample], runs: int) -> None:
    """What a teacher costs behind a frozen backbone, which is run once for both."""
    config = replace(_config(runs), freeze_backbone=True, train_batch_norm=False)
    base = full_size.detector("fpnlite")
    columns = tf.range(base.config.num_classes)
    teachers = {"backbone frozen": None, "and a teacher": Teacher(base.network, columns, columns)}
    for name, teacher in teachers.items():
        made = full_size.detector("fpnlite")
        _report(name, full_size.side_px(made), _seconds(Trainer(made, config, teacher), examples))


def _beside_peer(rate: float, examples: Sequence[IndexedExample], runs: int) -> None:
    if not peer.is_installed():
        print(f"{PEER:18} not installed")
        return
    made = full_size.detector("retinanet")
    side = full_size.side_px(made)
    step = peer.training_step(side)
    mix = batches.mix(len(examples), 0, BATCH, 0.0, seed=1)
    ends = []
    for images, _, boxes, classes, *_ in batches.training_batches(
        made.config, Encoded(examples), mix, range(_UNTIMED + runs)
    ):
        step(images, boxes * side, _ids(classes))
        ends.append(time.perf_counter())
    theirs = _report(PEER, side, _fastest(ends))
    print(f"{rate / theirs:7.2f} times as fast as {PEER}'s RetinaNet ResNet50")


def _ids(classes: tf.Tensor) -> tf.Tensor:
    """(B, N) from 0, -1 where there is no box."""
    return tf.where(tf.reduce_any(classes > 0.0, axis=-1), tf.argmax(classes, axis=-1), -1)

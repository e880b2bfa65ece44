"""A training step of each family, with its targets, losses and optimisers, and records read beside it: images
a second, and seconds of the first step, which traces; for RetinaNet beside keras-hub's on batches of the same
pictures, for FPNLite also as finetune trains by default, and with a teacher. Beside the wall time stands the
CPU time, which other programs disturb less. Images a second are of the fastest step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from tests.bench import full_size, peer, records
from tests.bench.detect import PEER
from tfrec_tools.detector.data import batches
from tfrec_tools.detector.data.images import Encoded
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.trainer import Trainer

_UNTIMED = 2  # the first traces, the second still warms up


class _Pace(NamedTuple):
    """Seconds: of the first step, and of the fastest of the others, by wall and by CPU."""

    first: float
    wall: float
    cpu: float


def main(families: Sequence[str], runs: int, batch: int, folder: Path) -> None:
    examples = index_records([records.pattern(folder)], full_size.labels())
    config = _config(runs, batch)
    print(
        f"float32, batches of {batch}, nothing frozen, batch norm by the statistics of each batch", flush=True
    )
    rates = {}
    for family in families:
        made = full_size.detector(family)
        rates[family] = _report(
            family, full_size.side_px(made), batch, _pace(Trainer(made, config), examples)
        )
    if "fpnlite" in families:
        _other_ways(examples, config)
    if "retinanet" in families:
        _beside_peer(rates["retinanet"], examples, config)


def _config(runs: int, batch: int) -> TrainConfig:
    return TrainConfig(
        steps=_UNTIMED + runs,
        batch_size=batch,
        lr=1e-4,
        backbone_lr_mult=1.0,
        freeze_backbone=False,
        train_batch_norm=True,
        replay_ratio=0.0,
        average=0.0,
        seed=1,
    )


def _pace(trainer: Trainer, examples: Sequence[IndexedExample]) -> _Pace:
    times = [_now()]
    trainer.run(examples, [], lambda _: times.append(_now()))
    return _fastest(times)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _fastest(times: Sequence[tuple[float, float]]) -> _Pace:
    """Of times before the first step and after each."""
    steps = [(wall - before, cpu - used) for (before, used), (wall, cpu) in pairwise(times)]
    walls, cpus = zip(*steps[_UNTIMED:], strict=True)
    return _Pace(steps[0][0], min(walls), min(cpus))


def _report(name: str, side_px: int, batch: int, pace: _Pace) -> float:
    """Images a second."""
    rate = batch / pace.wall
    print(
        f"{name:20} {side_px} px {rate:7.2f} images/s, {pace.wall:6.3f} s a step, {pace.cpu:6.3f} s of CPU; "
        f"the first {pace.first:5.1f} s",
        flush=True,
    )
    return rate


def _other_ways(examples: Sequence[IndexedExample], config: TrainConfig) -> None:
    """The statistics of batch norm kept, as finetune does by default; and what a teacher costs behind a
    frozen backbone, which is run once for both."""
    frozen = replace(config, train_batch_norm=False)
    few = replace(frozen, freeze_backbone=True)
    base = full_size.detector("fpnlite")
    columns = tf.range(base.config.num_classes)
    ways = (
        ("statistics kept", frozen, None),
        ("backbone frozen", few, None),
        ("and a teacher", few, Teacher(base.network, columns, columns)),
    )
    for name, how, teacher in ways:
        made = full_size.detector("fpnlite")
        pace = _pace(Trainer(made, how, teacher), examples)
        _report(name, full_size.side_px(made), config.batch_size, pace)


def _beside_peer(rate: float, examples: Sequence[IndexedExample], config: TrainConfig) -> None:
    if not peer.is_installed():
        print(f"{PEER:20} not installed")
        return
    made = full_size.detector("retinanet")
    side = full_size.side_px(made)
    step = peer.training_step(side)
    mix = batches.mix(len(examples), 0, config.batch_size, 0.0, seed=1)
    times = [_now()]
    for images, _, boxes, classes, *_ in batches.training_batches(
        made.config, Encoded(examples), mix, range(config.steps)
    ):
        step(images, boxes * side, _ids(classes))
        times.append(_now())
    theirs = _report(PEER, side, config.batch_size, _fastest(times))
    print(f"{rate / theirs:7.2f} times as fast as {PEER}'s RetinaNet ResNet50")


def _ids(classes: tf.Tensor) -> tf.Tensor:
    """(B, N) from 0, -1 where there is no box."""
    return tf.where(tf.reduce_any(classes > 0.0, axis=-1), tf.argmax(classes, axis=-1), -1)

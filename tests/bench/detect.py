"""Inference of each family, boxes chosen, on pictures that are prepared: images a second, and for RetinaNet
beside keras-hub's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tests.bench import full_size, peer
from tfrec_tools.detector.model import detector

BATCH = 2
PEER = "keras-hub"


def main(families: Sequence[str], runs: int) -> None:
    rates = {}
    for family in families:
        made = full_size.detector(family)
        rates[family] = _report(family, full_size.side_px(made), _seconds(_finder(made), _images(made), runs))
    if "retinanet" in families:
        _beside_peer(rates["retinanet"], runs)


def _finder(made: detector.Detector) -> Callable[[tf.Tensor], Any]:
    run = tf.function(lambda images: detector.detect(made, images, tf.ones((BATCH, 2))))
    return lambda images: run(images)


def _images(made: detector.Detector) -> tf.Tensor:
    side = full_size.side_px(made)
    return tf.constant(np.random.default_rng(1).uniform(-1, 1, (BATCH, side, side, 3)), tf.float32)


def _seconds(find: Callable[[tf.Tensor], Any], images: tf.Tensor, runs: int) -> float:
    """Of the fastest run after one that traces."""
    find(images)
    return min(_timed(find, images) for _ in range(runs))


def _timed(find: Callable[[tf.Tensor], Any], images: tf.Tensor) -> float:
    start = time.perf_counter()
    find(images)
    return time.perf_counter() - start


def _report(name: str, side_px: int, seconds: float) -> float:
    """Images a second."""
    print(
        f"{name:18} {side_px} px {BATCH / seconds:7.2f} images/s, {seconds:6.3f} s a batch of {BATCH}",
        flush=True,
    )
    return BATCH / seconds


def _beside_peer(rate: float, runs: int) -> None:
    if not peer.is_installed():
        print(f"{PEER:18} not installed")
        return
    made = full_size.detector("retinanet")
    side = full_size.side_px(made)
    theirs = _report(PEER, side, _seconds(peer.finder(side), _images(made), runs))
    print(f"{rate / theirs:7.2f} times as fast as {PEER}'s RetinaNet ResNet50")

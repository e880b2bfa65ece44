"""How many images a step takes, where the device is to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from tfrec_tools.detector.training.history import reading
from tfrec_tools.detector.training.settings import TrainConfig
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import TfrecError
from tfrec_tools.system.atomic import published

USUAL = 8
_MOST = 128


def fitted(config: TrainConfig, make: Callable[[TrainConfig], Trainer], noted: Path) -> TrainConfig:
    """Returns the config with a batch size where it has none: on a GPU the largest that fits its memory, on a
    CPU, which gains nothing by more, the usual one. It is noted, and taken from there when a run goes on."""
    if config.batch_size:
        return config

    def fits(size: int) -> bool:
        return make(replace(config, batch_size=size)).stepper.fits()

    if not noted.is_file():
        size = largest(fits) if tf.config.list_physical_devices("GPU") else USUAL
        with published(noted) as (part,):
            part.write_text(f"{size}\n", encoding="utf-8")
    with reading(noted):
        return replace(config, batch_size=int(noted.read_text(encoding="utf-8")))


def largest(fits: Callable[[int], bool], most: int = _MOST) -> int:
    """Returns the largest of USUAL and its doubles up to `most` that fits, found by trying one after the
    other, else the largest of its halves. Raises TfrecError where not even one image fits."""
    size = USUAL
    if fits(size):
        while 2 * size <= most and fits(2 * size):
            size *= 2
        return size
    while size > 1:
        size //= 2
        if fits(size):
            return size
    raise TfrecError("--batch auto: not even one image a step fits the device's memory")

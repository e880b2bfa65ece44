"""How the learning rate goes in a training: up for a tenth of its steps, then down to 0."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import tensorflow as tf

Rate = Callable[[tf.Tensor], tf.Tensor]  # of the steps done, the learning rate

_WARMUP_SHARE = 0.1


class Schedule:
    """A linear warm-up and a cosine to zero, as TFOD's configurations for these models have; of a number of
    steps that may change meanwhile. It is made within the scope of a strategy."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._warmup, self._decay = (
            keras.Variable(part, trainable=False, dtype="float32") for part in _parts(steps)
        )

    def be_of(self, steps: int) -> None:
        """Becomes that of a training of so many steps."""
        if steps != self._steps:
            self._steps = steps
            for variable, part in zip((self._warmup, self._decay), _parts(steps), strict=True):
                variable.assign(part)

    def rate(self, peak: float) -> Rate:
        """Returns what gives the learning rate of which `peak` is the highest. It is that of
        keras.optimizers.schedules.CosineDecay, to the bit."""

        def of(step: tf.Tensor) -> tf.Tensor:
            warmup, decay = self._warmup.value, self._decay.value
            done = tf.minimum(tf.cast(step, tf.float32), warmup + decay)
            falling = 0.5 * (1.0 + tf.cos(tf.constant(math.pi, tf.float32) * ((done - warmup) / decay)))
            return peak * tf.where(done < warmup, done / warmup, falling)

        return of


def _parts(steps: int) -> tuple[float, float]:
    """Returns how many steps the rate rises, and how many it falls."""
    warmup = max(1, round(steps * _WARMUP_SHARE))
    return float(warmup), float(max(1, steps - warmup))

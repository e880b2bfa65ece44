"""Mixed precision (Micikevicius et al. 2018): layers compute with fewer bits than variables have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf

from tfrec_tools.detector.model import detector

# Loss scaling as in Keras' LossScaleOptimizer.
_FIRST_SCALE = 2.0**15
_STEPS_TO_DOUBLE = 2000


def chosen(precision: str) -> str:
    """Returns the dtype to compute with: of "auto" float32 without a GPU, bfloat16 on GPUs of compute
    capability 8.0 or more, float16 from 7.0 on, and else float32; what the weakest GPU can do."""
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    weakest = min((detail.get("compute_capability", (0, 0)) for detail in details), default=(0, 0))
    if weakest >= (8, 0):
        return "bfloat16"
    return "float16" if weakest >= (7, 0) else "float32"


@contextmanager
def computing_in(dtype: str, networks: Sequence[keras.Model]) -> Iterator[None]:
    """What is traced within computes in `dtype`. The variables stay float32, and so does what the networks
    compute elsewhere."""
    layers = [layer for network in networks for layer in detector.layers_of(network)]
    policies = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers if dtype != "float32" else ():
            layer.dtype_policy = keras.DTypePolicy(f"mixed_{dtype}")
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


class LossScale:
    """What float16's gradients are scaled by, so that small ones do not vanish: halved where some overflow,
    doubled after many steps without."""

    def __init__(self) -> None:
        self.scale = keras.Variable(_FIRST_SCALE, trainable=False)
        self._good_steps = keras.Variable(0.0, trainable=False)

    @property
    def variables(self) -> dict[str, keras.Variable]:
        return {"loss_scale/scale": self.scale, "loss_scale/good_steps": self._good_steps}

    def follow(self, is_finite: tf.Tensor) -> None:
        """After a step whose gradients were finite or not."""
        good = tf.where(is_finite, self._good_steps + 1.0, 0.0)
        doubles = good >= _STEPS_TO_DOUBLE
        self._good_steps.assign(tf.where(doubles, 0.0, good))
        factor = tf.where(is_finite, tf.where(doubles, 2.0, 1.0), 0.5)
        self.scale.assign(tf.maximum(self.scale * factor, 1.0))

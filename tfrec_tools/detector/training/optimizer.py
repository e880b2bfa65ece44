"""How gradients change weights: momentum, a learning rate for each group, and an average that follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.training import rates
from tfrec_tools.detector.training.schedule import Schedule
from tfrec_tools.detector.training.settings import TrainConfig

_MOMENTUM = 0.9


class Update:
    """The update of what is trained of a detector. It is made within the scope of a strategy."""

    def __init__(self, detector: Detector, config: TrainConfig) -> None:
        self._slowness = config.average
        self.schedule = Schedule(config.steps)
        self._groups = [
            (self.schedule.rate(peak), variables) for peak, variables in rates.trained(detector, config)
        ]
        self.trained = [variable for _, variables in self._groups for variable in variables]
        self._momenta = [beside(tf.zeros(variable.shape)) for variable in self.trained]
        self._averages = [beside(variable) for variable in self.trained if config.average]

    @property
    def variables(self) -> dict[str, keras.Variable]:
        momenta = {f"momentum/{index}": variable for index, variable in enumerate(self._momenta)}
        averages = {f"average/{index}": variable for index, variable in enumerate(self._averages)}
        return momenta | averages

    def apply(self, step: tf.Tensor, gradients: list[tf.Tensor]) -> None:
        """Momentum, as keras.optimizers.SGD has it. Of its own, as that one would add the gradients up over
        the replicas after they are clipped."""
        of_each = [rate for schedule, group in self._groups for rate in [schedule(step)] * len(group)]
        for variable, momentum, gradient, rate in zip(
            self.trained, self._momenta, gradients, of_each, strict=True
        ):
            momentum.assign(momentum * _MOMENTUM - gradient * rate)
            variable.assign(variable + momentum)
        self._follow(step)

    def _follow(self, step: tf.Tensor) -> None:
        """The averages follow the weights, at first faster, so that they forget the beginning."""
        steps = tf.cast(step + 1, tf.float32)
        slowness = tf.minimum(self._slowness, (1.0 + steps) / (10.0 + steps))
        for variable, average in zip(self.trained, self._averages, strict=False):
            average.assign(average * slowness + variable * (1.0 - slowness))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Gives the detector the average of its weights for a while."""
        own = [np.asarray(variable) for variable in self.trained]
        self.use_average()
        try:
            yield
        finally:
            for variable, value in zip(self.trained, own, strict=True):
                variable.assign(value)

    def use_average(self) -> None:
        """Gives the detector the average of its weights over the last steps; training is over then."""
        for variable, average in zip(self.trained, self._averages, strict=False):
            variable.assign(np.asarray(average))


def beside(value: tf.Tensor | keras.Variable) -> keras.Variable:
    """Returns state of a training that is no part of the network."""
    return keras.Variable(np.asarray(value, np.float32), trainable=False)

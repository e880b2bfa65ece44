"""The variables of a network as a TensorFlow module has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import tensorflow as tf


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A network and copies of its variables, in the order of `network.variables`.

    A SavedModel takes over the names of variables, and refuses those that start with an underscore, as our
    layers' do by their paths in the checkpoint. A module that uses the copies must have them as an attribute.
    """

    network: keras.Model
    copies: list[tf.Variable]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network computes with the copies, under a name of its own."""
        pairs = list(zip(self.network.variables, self.copies, strict=True))
        with tf.name_scope("detector"), keras.StatelessScope(state_mapping=pairs):
            yield


def copied(network: keras.Model) -> Weights:
    copies = [
        tf.Variable(variable.value, trainable=False, name=f"weight_{index}")
        for index, variable in enumerate(network.variables)
    ]
    return Weights(network, copies)

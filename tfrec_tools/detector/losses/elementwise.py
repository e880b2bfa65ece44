"""Losses of many logits, each by itself. A loss is some twenty operations, and its gradient as many more; one
after the other, each goes through all of memory, which on a CPU takes four times as long as one pass that XLA
makes of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import tensorflow as tf

from tfrec_tools.detector.network.graphs import graph

# Of logits and what else it takes, tensors or nests of them: the loss of each logit.
Loss = Callable[..., tf.Tensor]


def column_sums(loss: Loss, logits: tf.Tensor, *known: Any) -> tf.Tensor:
    """Returns (K,): the losses of logits (B, ..., K), added up for each column. Only the logits have a
    gradient. Losses are kept by themselves, compiled: `loss` is to be a function of a module."""

    @tf.custom_gradient
    def sums(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        losses, slopes = _with_slopes(loss)(logits, known)
        of_images = tf.reduce_sum(losses, axis=list(range(1, losses.shape.rank - 1)))  # (B, K)
        return tf.reduce_sum(of_images, axis=0), lambda upstream: slopes * upstream

    return sums(logits)


@lru_cache(maxsize=8)
def _with_slopes(loss: Loss) -> Callable[[tf.Tensor, Any], tuple[tf.Tensor, tf.Tensor]]:
    """Returns what gives the loss of each logit and its derivative. GPUs, where XLA needs more than
    TensorFlow itself, do without: they are not short of memory's speed."""

    def both(logits: tf.Tensor, known: Any) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(logits)
            losses = loss(logits, *known)
        return losses, tape.gradient(losses, logits)

    return graph(both, jit_compile=not tf.config.list_physical_devices("GPU"))

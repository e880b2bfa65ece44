"""Graphs of Python functions. What depends on a tensor says so itself (tf.cond, tf.map_fn): AutoGraph, which
rewrites every function that is called, lest a plain `if` depends on one, would find nothing, and take seconds
of each command."""

from __future__ import annotations

from functools import partial

import tensorflow as tf

graph = partial(tf.function, autograph=False)  # noqa: TID251

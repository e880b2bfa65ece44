from __future__ import annotations

import pytest
import tensorflow as tf

from tfrec_tools.detector.network.graphs import graph


@graph
def doubled_above_two(value: tf.Tensor) -> tf.Tensor:
    return tf.cond(value > 2.0, lambda: 2.0 * value, lambda: value)


@graph
def rewritten(value: tf.Tensor) -> tf.Tensor:
    return 2.0 * value if value > 2.0 else value


def test_what_depends_on_a_tensor_has_to_say_so() -> None:
    assert [float(doubled_above_two(tf.constant(value))) for value in (1.0, 3.0)] == [1.0, 6.0]
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        rewritten(tf.constant(3.0))

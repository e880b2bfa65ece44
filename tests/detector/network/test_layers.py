"""Convolutions as products of matrices are the same convolutions; kernels start as in TFOD."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tfrec_tools.detector.config.blocks import ConvHyperparams, Initializer
from tfrec_tools.detector.network import layers

HYPERPARAMS = ConvHyperparams(
    l2_weight=0.0,
    initializer=Initializer("random_normal", 0.5),
    bn_momentum=0.9,
    bn_epsilon=1e-3,
    activation="relu6",
    use_bias=True,
)


@pytest.mark.parametrize(
    "made",
    [
        layers.conv(HYPERPARAMS, 5, 1, "plain"),
        layers.conv(HYPERPARAMS, 5, 1, "biased", bias_init=0.5),
        layers.conv(HYPERPARAMS, 5, 1, "strided", stride=2),
        layers.conv(HYPERPARAMS, 5, 3, "wide", bias_init=0.5),
        layers.separable(HYPERPARAMS, 5, "separable"),
        layers.separable(HYPERPARAMS, 5, "separable_biased", stride=2, bias_init=0.5),
    ],
    ids=lambda layer: layer.name,
)
def test_a_product_is_the_convolution_and_has_its_gradients(
    made: layers.Conv | layers.SeparableConv,
) -> None:
    features = tf.random.stateless_normal((2, 6, 4, 3), (1, 2))
    made.build(features.shape)
    answers = []
    for made.as_product in (False, True):
        watched = [features, *(variable.value for variable in made.trainable_variables)]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            outputs = made(features)
            total = tf.reduce_sum(outputs**2)
        answers.append([outputs, *tape.gradient(total, watched)])
    for plain, product in zip(*answers, strict=True):
        np.testing.assert_allclose(product, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("configured", [(), ("depthwise",), ("depthwise", "pointwise")])
def test_a_config_reaches_the_kernels_that_it_reaches_in_tfod(configured: tuple[layers.Kernel, ...]) -> None:
    """Any other starts as in Keras, within the square root of 6 by the sum of its fans, and costs nothing."""
    costly = replace(HYPERPARAMS, l2_weight=1.0)
    made = layers.separable(costly, 64, "separable", configured=configured)
    assert isinstance(made, layers.SeparableConv)
    made.build((None, 8, 8, 64))
    for kernel, fans in (("depthwise", 9 * 64 + 9), ("pointwise", 64 + 64)):
        values = np.asarray(getattr(made, f"{kernel}_kernel"))
        if kernel in configured:
            assert values.std() == pytest.approx(0.5, rel=0.1)
        else:
            assert np.abs(values).max() <= np.sqrt(6.0 / fans)
        assert (getattr(made, f"{kernel}_regularizer") is not None) == (kernel in configured)

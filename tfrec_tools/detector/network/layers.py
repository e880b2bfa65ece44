"""Keras layers that are named by their place in a TFOD checkpoint.

The name of a layer is the path of its object in the checkpoint's graph, with dots for slashes (Keras
forbids slashes): `_feature_extractor.classification_backbone.layer_with_weights-0`. So no table maps the
one to the other. A slash within the name of an object, which a path has as .S, is > in a layer's name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import keras
import tensorflow as tf
from keras import KerasTensor

from tfrec_tools.detector.config.blocks import ConvHyperparams, KernelHyperparams

Call = Callable[[KerasTensor], KerasTensor]
Kernel = Literal["depthwise", "pointwise"]  # of a separable convolution


def path_of(name: str) -> str:
    """Returns the path in the checkpoint's model of a layer."""
    return name.replace(".", "/").replace(">", ".S")


class Moments(NamedTuple):
    """Of the values of a batch that pass a norm, for each channel: their mean (C,), their unbiased variance
    (C,), and how many there are."""

    mean: tf.Tensor
    variance: tf.Tensor
    count: tf.Tensor


class BatchNorm(keras.layers.Layer):
    """TFOD's batch norm (core/freezable_batch_norm.py): gamma and beta train even when the statistics are
    frozen, and the moving variance follows the unbiased variance of the batch. Keras 3's follows the
    biased one, and freezes gamma and beta together with the statistics. All four stay float32 in mixed
    precision. Where TFOD takes SyncBatchNormalization, the variance `is_biased` there too. Without gamma
    nothing is scaled.

    use_batch_statistics  whether a pass in training is by the statistics of its batch
    observe  where set, is called with these instead of moving the averages
    """

    observe: Callable[[Moments], None] | None = None

    def __init__(
        self, momentum: float, epsilon: float, name: str, *, is_biased: bool = False, has_gamma: bool = True
    ) -> None:
        super().__init__(name=name)
        self.has_gamma = has_gamma
        self.momentum = momentum
        self.epsilon = epsilon
        self.is_biased = is_biased
        self.use_batch_statistics = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        add = partial(self.add_weight, shape=(input_shape[-1],), autocast=False)
        if self.has_gamma:
            self.gamma = add(initializer="ones", name="gamma")
        self.beta = add(initializer="zeros", name="beta")
        self.moving_mean = add(initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = add(initializer="ones", trainable=False, name="moving_variance")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not (training and self.use_batch_statistics):
            return self._normalize(inputs, self.moving_mean, self.moving_variance, is_training=False)[0]
        outputs, mean, variance = self._normalize(inputs, [], [], is_training=True)
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
        if self.observe is not None:
            self.observe(Moments(mean, variance, count))
            return outputs
        if self.is_biased:
            variance *= (count - 1.0) / count
        self.moving_mean.assign(self._step(self.moving_mean, mean))
        self.moving_variance.assign(self._step(self.moving_variance, variance))
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def _normalize(
        self, inputs: tf.Tensor, mean: object, variance: object, is_training: bool
    ) -> tuple[tf.Tensor, ...]:
        outputs = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value if self.has_gamma else tf.ones(inputs.shape[-1]),
            offset=self.beta.value,
            mean=getattr(mean, "value", mean),
            variance=getattr(variance, "value", variance),
            epsilon=self.epsilon,
            is_training=is_training,
        )
        return outputs.y, outputs.batch_mean, outputs.batch_variance

    def _step(self, moving: keras.Variable, batch: tf.Tensor) -> tf.Tensor:
        return moving * self.momentum + batch * (1.0 - self.momentum)


class Conv(keras.layers.Conv2D):
    """A convolution, which one of 1x1 computes `as_product` of matrices where that is said: a CPU is a tenth
    faster at it, and twice at the gradient of a kernel that has a bias beside it."""

    as_product = False

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.as_product and self.kernel_size == self.strides == (1, 1):
            return _product(inputs, self.kernel, self.bias)
        return super().call(inputs)


class SeparableConv(keras.layers.SeparableConv2D):
    """A separable convolution, whose second part may be computed `as_product`, as in `Conv`."""

    as_product = False

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if not self.as_product:
            return super().call(inputs)
        strides = (1, *self.strides, 1)
        return _product(
            tf.nn.depthwise_conv2d(inputs, self.depthwise_kernel, strides, "SAME"),
            self.pointwise_kernel,
            self.bias,
        )


def _product(features: tf.Tensor, kernel: keras.Variable, bias: keras.Variable | None) -> tf.Tensor:
    """Returns (B, H, W, D) of features (B, H, W, C) by a kernel (1, 1, C, D), and a bias (D,)."""
    _, height, width, channels = features.shape
    columns = tf.reshape(tf.convert_to_tensor(kernel), (channels, kernel.shape[-1]))
    rows = tf.matmul(tf.reshape(features, (-1, channels)), columns)
    if bias is not None:
        rows = tf.nn.bias_add(rows, bias)
    return tf.reshape(rows, (-1, height, width, kernel.shape[-1]))


def batch_norm(hyperparams: ConvHyperparams, name: str) -> BatchNorm:
    return BatchNorm(hyperparams.bn_momentum, hyperparams.bn_epsilon, name)


def activate(hyperparams: ConvHyperparams, features: KerasTensor) -> KerasTensor:
    return _ACTIVATIONS[hyperparams.activation](features)


_ACTIVATIONS: dict[str, Call] = {
    "relu": keras.ops.relu,
    "relu6": keras.ops.relu6,
    "swish": keras.ops.silu,
}


def conv(
    hyperparams: ConvHyperparams | KernelHyperparams,
    filters: int,
    kernel_px: int | tuple[int, int],
    name: str,
    *,
    stride: int = 1,
    bias_init: float | None = None,
) -> Call:
    """It has a bias where `bias_init` is given."""
    return Conv(
        filters,
        kernel_px,
        strides=stride,
        padding="same",
        **_kernel(hyperparams),
        **_bias(bias_init),
        name=name,
    )


def evenly_padded_conv(
    hyperparams: ConvHyperparams,
    filters: int,
    kernel_px: int,
    name: str,
    *,
    stride: int,
    bias_init: float | None = None,
) -> Call:
    """Padded alike on all sides, whereas 'same' pads less at the top and the left."""
    pad = keras.layers.ZeroPadding2D(kernel_px // 2)
    layer = keras.layers.Conv2D(
        filters,
        kernel_px,
        strides=stride,
        padding="valid",
        **_kernel(hyperparams),
        **_bias(bias_init),
        name=name,
    )
    return lambda features: layer(pad(features))


def enlarging_conv(
    hyperparams: ConvHyperparams, filters: int, kernel_px: int, name: str, *, bias_init: float | None = None
) -> Call:
    """Returns a transposed convolution to twice the size."""
    return keras.layers.Conv2DTranspose(
        filters,
        kernel_px,
        strides=2,
        padding="same",
        **_kernel(hyperparams),
        **_bias(bias_init),
        name=name,
    )


def evenly_padded_pool(features: KerasTensor) -> KerasTensor:
    """Returns the maximum of 3x3 at a stride of 2, padded with zeros alike on all sides."""
    return keras.layers.MaxPooling2D(3, strides=2)(keras.layers.ZeroPadding2D(1)(features))


def dense(hyperparams: KernelHyperparams, units: int, name: str) -> Call:
    return keras.layers.Dense(
        units,
        **_kernel(hyperparams),
        name=name,
    )


def depthwise(hyperparams: ConvHyperparams, name: str, *, stride: int = 1) -> Call:
    return keras.layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(hyperparams),
        depthwise_regularizer=l2(hyperparams.l2_weight),
        name=name,
    )


def separable(
    hyperparams: ConvHyperparams,
    filters: int,
    name: str,
    *,
    stride: int = 1,
    configured: tuple[Kernel, ...] = ("depthwise",),
    bias_init: float | None = None,
) -> Call:
    """Returns a 3x3 separable convolution. What a config says of kernels, how they start and what they cost,
    reaches those that are `configured`: in TFOD the depthwise one, in a BiFPN the pointwise one too, and none
    of a head's, as its Keras passes over a `kernel_initializer` and a `kernel_regularizer` here. The others
    start as in Keras (glorot_uniform) and cost nothing. It has a bias where `bias_init` is given."""
    arguments: dict[str, Any] = {}
    for kernel in configured:
        arguments[f"{kernel}_initializer"] = _initializer(hyperparams)
        arguments[f"{kernel}_regularizer"] = l2(hyperparams.l2_weight)
    return SeparableConv(
        filters,
        3,
        strides=stride,
        padding="same",
        **arguments,
        **_bias(bias_init),
        name=name,
    )


def divisible(channels: float) -> int:
    """Returns the nearest multiple of 8 that is no more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def l2(weight: float) -> keras.regularizers.Regularizer | None:
    """TFOD's l2_regularizer is tf.nn.l2_loss, half of Keras' sum of squares; None where it weighs nothing."""
    return keras.regularizers.L2(weight * 0.5) if weight else None


def _kernel(hyperparams: ConvHyperparams | KernelHyperparams) -> dict[str, Any]:
    """A Keras layer's arguments about its kernel."""
    return {
        "kernel_initializer": _initializer(hyperparams),
        "kernel_regularizer": l2(hyperparams.l2_weight),
    }


def _bias(init: float | None) -> dict[str, Any]:
    """A Keras layer's arguments about its bias; None is without one."""
    return {"use_bias": init is not None, "bias_initializer": keras.initializers.Constant(init or 0.0)}


def _initializer(hyperparams: ConvHyperparams | KernelHyperparams) -> keras.initializers.Initializer:
    initializer = hyperparams.initializer
    value = initializer.value
    match initializer.kind:
        case "random_normal":
            return keras.initializers.RandomNormal(stddev=value)
        case "truncated_normal":
            return keras.initializers.TruncatedNormal(stddev=value)
        case _:
            distribution = "uniform" if initializer.is_uniform else "truncated_normal"
            return keras.initializers.VarianceScaling(value, initializer.fan, distribution)

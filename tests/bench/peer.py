"""keras-hub's RetinaNet ResNet50, the peer of our RetinaNet: as many classes, levels 3 to 7, four
convolutions of 256 filters in each head, post-processing by its own defaults. It is no dependency of ours."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import keras
import tensorflow as tf

from tests.bench import full_size


def is_installed() -> bool:
    return find_spec("keras_hub") is not None


def finder(side_px: int) -> Callable[[tf.Tensor], Any]:
    """Of images (B, H, W, 3); its post-processing asks for a B that is known when it is traced."""
    network = _network(side_px)
    run = tf.function(lambda images: network.decode_predictions(network(images, training=False), images))
    return lambda images: run(images)


def training_step(side_px: int) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any]:
    """Of images (B, H, W, 3), boxes (B, N, 4) [ymin xmin ymax xmax] in pixels and ids from 0 (B, N), -1 where
    padded."""
    network = _network(side_px)
    network.compile(
        optimizer=keras.optimizers.SGD(1e-4, momentum=0.9, global_clipnorm=10.0),
        box_loss="auto",
        classification_loss="auto",
        jit_compile=False,
    )

    def step(images: tf.Tensor, boxes: tf.Tensor, ids: tf.Tensor) -> Any:
        batch = tf.data.Dataset.from_tensors((images, {"boxes": boxes, "labels": ids}))
        return network.fit(batch, verbose=0)  # `train_on_batch` takes no dict

    return step


def _network(side_px: int) -> Any:
    import keras_hub

    resnet = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(side_px, side_px, 3),
    )
    backbone = keras_hub.models.RetinaNetBackbone(
        resnet, min_level=3, max_level=7, use_p5=False, image_shape=(side_px, side_px, 3)
    )
    return keras_hub.models.RetinaNetObjectDetector(backbone, num_classes=full_size.CLASSES)

"""Images as the network wants them: TFOD's preprocessors and image resizers (core/preprocessor.py)."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from tfrec_tools.detector.config.blocks import Resizer
from tfrec_tools.detector.config.center_net import CenterNetConfig, ChannelScaling
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import Config


def preprocess(config: Config, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns an image (H, W, 3) of 0..255 on its canvas (height_px, width_px, 3) float32, and the window
    (2,) float32: the fraction [height width] of the canvas that the image takes, 1 unless it is padded.

    Normalised as the backbone's weights want it, resized, and padded with 0, in this order; a Faster R-CNN's
    and a CenterNet's is normalised last, so that its padding is black.
    """
    image = tf.cast(image, tf.float32)
    if isinstance(config, FasterRcnnConfig | CenterNetConfig):
        canvas, window = fitted(config.resizer, image)
        return normalized(config, canvas), window
    return fitted(config.resizer, normalized(config, image))


def fitted(resizer: Resizer, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns an image (H, W, 3) float32 on the canvas, padded with 0, and its window (2,)."""
    size = _size(resizer, tf.shape(image)[:2])
    # The ResizeBilinear of TF 1 (corners not aligned, pixel centres not halved), from which
    # tf.image.resize and keras.ops.image.resize differ.
    resized = tf.raw_ops.ResizeBilinear(
        images=image[None], size=size, align_corners=False, half_pixel_centers=False
    )[0]
    canvas = (resizer.height_px, resizer.width_px)
    padded = tf.image.pad_to_bounding_box(resized, 0, 0, *canvas) if resizer.keep_aspect else resized
    window = tf.cast(size, tf.float32) / tf.constant(canvas, tf.float32)
    return tf.ensure_shape(padded, (*canvas, 3)), tf.ensure_shape(window, (2,))


def normalized(config: Config, image: tf.Tensor) -> tf.Tensor:
    """Returns (..., 3) of 0..255 as the backbone wants it."""
    scaled = _scaled(config.channels, image) if isinstance(config, CenterNetConfig) else image
    return _NORMALIZERS[config.pixels](scaled)


def _scaled(channels: ChannelScaling, image: tf.Tensor) -> tf.Tensor:
    ordered = image[..., ::-1] if channels.bgr else image
    return (ordered - tf.constant(channels.means)) / tf.constant(channels.stds)


def _mobilenet(image: tf.Tensor) -> tf.Tensor:
    return image * (2.0 / 255.0) - 1.0


def _resnet(image: tf.Tensor) -> tf.Tensor:
    return image - tf.constant([123.68, 116.779, 103.939])  # the means of ImageNet's channels


def _efficientnet(image: tf.Tensor) -> tf.Tensor:
    mean, deviation = tf.constant([0.485, 0.456, 0.406]), tf.constant([0.229, 0.224, 0.225])
    return (image / 255.0 - mean) / deviation


def _keras_mobilenet(image: tf.Tensor) -> tf.Tensor:
    return image / 127.5 - 1.0  # not to the bit what `_mobilenet` gives


def _keras_resnet(image: tf.Tensor) -> tf.Tensor:
    return image[..., ::-1] - tf.constant([103.939, 116.779, 123.68])


_NORMALIZERS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "mobilenet": _mobilenet,
    "resnet": _resnet,
    "efficientnet": _efficientnet,
    "keras_mobilenet": _keras_mobilenet,
    "keras_resnet": _keras_resnet,
    "as they are": tf.identity,
}


def _size(resizer: Resizer, size: tf.Tensor) -> tf.Tensor:
    """Returns (2,) int32 [height width] of the resized image; TFOD rounds where it keeps the aspect, which
    would leave nothing of the shorter side of an image of 4000 x 2."""
    canvas = tf.constant([resizer.height_px, resizer.width_px])
    if not resizer.keep_aspect:
        return canvas
    sides = tf.cast(size, tf.float32)
    by_shorter = resizer.min_side_px / tf.reduce_min(sides)
    by_longer = resizer.height_px / tf.reduce_max(sides)
    return tf.maximum(tf.cast(tf.round(sides * tf.minimum(by_shorter, by_longer)), tf.int32), 1)

"""What an exported function takes: TFOD's four kinds of input (exporter_lib_v2.py), of one image or of any
number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.config.read import Config
from tfrec_tools.detector.data.images import decode
from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.options.models import ImageInput

NAME = "input_tensor"
_ENCODED = "image/encoded"
_TYPES = {"image": tf.uint8, "float": tf.float32, "encoded": tf.string, "tf_example": tf.string}


@dataclass(frozen=True, slots=True)
class Entry:
    """How images come in.

    kind     image: bytes of pixels; float: the same, 0..255; encoded: JPEG, PNG, GIF or BMP; tf_example: a
             serialised Example with `image/encoded`
    batches  any number of images instead of one; of pixels, they are of one size
    """

    kind: ImageInput = "image"
    batches: bool = False

    @property
    def spec(self) -> tf.TensorSpec:
        """(1 or None, None, None, 3) of pixels, else (1 or None,)."""
        number = None if self.batches else 1
        pixels = () if _TYPES[self.kind] == tf.string else (None, None, 3)
        return tf.TensorSpec((number, *pixels), _TYPES[self.kind], name=NAME)

    def canvases(self, config: Config, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (B, height_px, width_px, 3) and their windows (B, 2), as `preprocess` makes each."""
        if not self.batches:
            canvas, window = preprocess(config, self._pixels(inputs[0]))
            return canvas[None], window[None]
        canvas_spec = tf.TensorSpec((config.resizer.height_px, config.resizer.width_px, 3), tf.float32)
        return tf.map_fn(
            lambda image: preprocess(config, self._pixels(image)),
            inputs,
            fn_output_signature=(canvas_spec, tf.TensorSpec((2,), tf.float32)),
        )

    def fed(self, images: NDArray[np.uint8]) -> tf.Tensor:
        """Returns what a client would send for images (B, H, W, 3)."""
        if self.kind in ("image", "float"):
            return tf.cast(tf.constant(images), _TYPES[self.kind])
        encoded = [tf.io.encode_png(image).numpy() for image in images]
        return tf.constant(encoded if self.kind == "encoded" else [_example(png) for png in encoded])

    def _pixels(self, image: tf.Tensor) -> tf.Tensor:
        """Returns (H, W, 3) of 0..255."""
        if self.kind in ("image", "float"):
            return image
        if self.kind == "encoded":
            return decode(image)
        parsed = tf.io.parse_single_example(image, {_ENCODED: tf.io.FixedLenFeature((), tf.string)})
        return decode(parsed[_ENCODED])


def _example(encoded: bytes) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    example = tf.train.Example(features=tf.train.Features(feature={_ENCODED: feature}))
    return bytes(example.SerializeToString())

"""Image and boxes together, varied as TFOD's core/preprocessor.py does: random_horizontal_flip,
random_vertical_flip, random_rotation90, random_crop_image and random_adjust_*.

Boxes are float32 (N, 4) [ymin xmin ymax xmax], normalised. Every function is determined by its seed, an
int32 pair, so that a training run can be repeated and resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import tensorflow as tf

_MIN_AREA = 0.5
_ASPECT_RATIOS = (0.75, 1.333)
# A box of which less is left after a crop can hardly be recognised, and is left out.
_MIN_BOX_LEFT = 0.3
# TFOD's own, of random_adjust_*.
_BRIGHTNESS, _HUE = 0.2, 0.02
_CONTRAST = _SATURATION = (0.8, 1.25)


def vary(
    kinds: Collection[str], image: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns an image (H, W, 3) uint8 varied by each of the kinds (`pipeline.augmentation.KINDS`): one of
    0..255, uint8 or float32, its boxes, and which of them are kept (N,)."""
    kept = tf.ones(tf.shape(boxes)[:1], tf.bool)
    if "flip" in kinds:
        image, boxes = flip(image, boxes, seed * 3)
    if "vertical-flip" in kinds:
        image, boxes = flip_vertically(image, boxes, tf.random.fold_in(seed, 1))
    if "rotate90" in kinds:
        image, boxes = rotate(image, boxes, tf.random.fold_in(seed, 2))
    if "crop" in kinds:
        image, boxes, kept = crop(image, boxes, seed * 3 + 1)
    if "color" in kinds:
        image = recolor(image, tf.random.fold_in(seed, 3))
    return image, boxes, kept


def flip(image: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirrors image and boxes left to right, every second time."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    mirrored = tf.stack([ymin, 1.0 - xmax, ymax, 1.0 - xmin], axis=-1)
    # A slice with a negative stride takes ten times as long.
    return _every_second_time(seed, lambda: (tf.reverse(image, [1]), mirrored), image, boxes)


def flip_vertically(image: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirrors image and boxes upside down, every second time."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    mirrored = tf.stack([1.0 - ymax, xmin, 1.0 - ymin, xmax], axis=-1)
    return _every_second_time(seed, lambda: (tf.reverse(image, [0]), mirrored), image, boxes)


def rotate(image: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rotates image and boxes by 90 degrees counter-clockwise, every second time; the image is then (W, H,
    3)."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    turned = tf.stack([1.0 - xmax, ymin, 1.0 - xmin, ymax], axis=-1)
    return _every_second_time(seed, lambda: (tf.image.rot90(image), turned), image, boxes)


def recolor(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the image (H, W, 3) float32 of 0..255 in another brightness, contrast, hue and saturation."""
    seeds = [tf.random.fold_in(seed, number) for number in range(4)]
    image = tf.cast(image, tf.float32) / 255.0
    image = _clipped(tf.image.stateless_random_brightness(image, _BRIGHTNESS, seeds[0]))
    image = _clipped(tf.image.stateless_random_contrast(image, *_CONTRAST, seeds[1]))
    image = _clipped(tf.image.stateless_random_hue(image, _HUE, seeds[2]))
    image = _clipped(tf.image.stateless_random_saturation(image, *_SATURATION, seeds[3]))
    return image * 255.0


def crop(image: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns a window of at least half the image, every second time: the image, the boxes clipped and
    relative to the window, and which of them are kept (N,)."""
    window = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        tf.zeros([1, 0, 4]),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=_ASPECT_RATIOS,
        area_range=(_MIN_AREA, 1.0),
        use_image_if_no_bounding_boxes=True,
    )
    is_cropped = tf.random.stateless_uniform([], seed + 1) < 0.5
    begin = tf.where(is_cropped, window.begin, 0)
    size = tf.where(is_cropped, [window.size[0], window.size[1], 3], tf.shape(image))
    frame = tf.where(is_cropped, window.bboxes[0, 0], tf.constant([0.0, 0.0, 1.0, 1.0]))
    clipped, left = clip_to_window(boxes, frame)
    return _slice(image, begin, size), clipped, left >= _MIN_BOX_LEFT


def _every_second_time(
    seed: tf.Tensor,
    changed: Callable[[], tuple[tf.Tensor, tf.Tensor]],
    image: tf.Tensor,
    boxes: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cond(tf.random.stateless_uniform([], seed) < 0.5, changed, lambda: (image, boxes))


def _clipped(image: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(image, 0.0, 1.0)


def _slice(image: tf.Tensor, begin: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """tf.slice of an image (H, W, 3), by rows of bytes: along three axes it takes four times as long."""
    height, width, channels = tf.unstack(size)
    rows = tf.reshape(image, [tf.shape(image)[0], -1])
    taken = tf.slice(rows, [begin[0], begin[1] * channels], [height, width * channels])
    return tf.reshape(taken, size)


def clip_to_window(boxes: tf.Tensor, window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns boxes clipped to a window (4,) and relative to it, and the share of each box's area left
    (N,)."""
    top_left, bottom_right = window[:2], window[2:]
    clipped = tf.concat(
        [tf.clip_by_value(part, top_left, bottom_right) for part in (boxes[:, :2], boxes[:, 2:])], axis=-1
    )
    left = tf.math.divide_no_nan(_areas(clipped), _areas(boxes))
    size = bottom_right - top_left
    return (clipped - tf.tile(top_left, [2])) / tf.tile(size, [2]), left


def _areas(boxes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], axis=-1)

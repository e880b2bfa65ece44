"""Indexed records -> tf.data batches, for training (augmented, endless) and for evaluation (unchanged)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.config.augmentation import DEFAULT
from tfrec_tools.detector.config.read import Config
from tfrec_tools.detector.data import augment, resize
from tfrec_tools.detector.data.images import Encoded, ImageReader
from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.system.workers import cores

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Mix:
    """Which example stands where in the endless run of training examples.

    Each batch holds `replayed` examples of the old records or the unlabelled ones, in turn where there are
    both, and the rest of the new ones; each of the three is gone through in a new order every epoch. A pure
    function of the place, so that a run can go on anywhere.
    """

    new: int
    old: int
    batch_size: int
    replayed: int
    seed: int
    unlabelled: int = 0

    def index(self, place: int) -> int:
        """Returns the example at a place: 0 to new-1 are the new ones, then come the old, then the
        unlabelled."""
        step, slot = divmod(place, self.batch_size)
        fresh = self.batch_size - self.replayed
        if slot < fresh:
            return _shuffled(self.new, step * fresh + slot, self.seed)
        place_of_old, turn = step * self.replayed + slot - fresh, int(not self.old)
        if self.old and self.unlabelled:
            place_of_old, turn = divmod(place_of_old, 2)
        if turn:
            return self.new + self.old + _shuffled(self.unlabelled, place_of_old, self.seed + 2)
        return self.new + _shuffled(self.old, place_of_old, self.seed + 1)


def mix(new: int, old: int, batch_size: int, replay_ratio: float, seed: int, unlabelled: int = 0) -> Mix:
    replayed = round(batch_size * replay_ratio) if old or unlabelled else 0
    return Mix(new, old, batch_size, min(replayed, batch_size - 1), seed, unlabelled)


def signature(config: Config, batch_size: int) -> list[tf.TensorSpec]:
    """Returns what `training_batches` gives, with any number of boxes, so that a step is traced once."""
    return [
        tf.TensorSpec((batch_size, config.resizer.height_px, config.resizer.width_px, 3), tf.float32),
        tf.TensorSpec((batch_size, 2), tf.float32),
        tf.TensorSpec((batch_size, None, 4), tf.float32),
        tf.TensorSpec((batch_size, None, config.num_classes), tf.float32),
        tf.TensorSpec((batch_size, None), tf.float32),
        tf.TensorSpec((batch_size, config.num_classes), tf.float32),
    ]


def training_batches(
    config: Config,
    reader: ImageReader,
    mix: Mix,
    steps: range,
    share: tuple[int, int] = (0, 1),
    augmentations: Collection[str] = DEFAULT,
) -> tf.data.Dataset:
    """Returns batches for these steps, or of each batch the share that is number i of n as large ones, (i,
    n). Each is (canvases (B, H, W, 3), windows (B, 2), boxes (B, N, 4) as fractions of the canvas, classes
    (B, N, K) one-hot, weights (B, N), labeled (B, K)), padded with zeros; N is at least 1. Images are varied
    by these kinds of augmentations."""

    def prepare(place: tf.Tensor) -> tuple[tf.Tensor, ...]:
        encoded, boxes, ids, weights, labeled = tf.numpy_function(
            fetch, [place], (reader.dtype, tf.float32, tf.int32, tf.float32, tf.float32), stateful=False
        )
        boxes = tf.ensure_shape(boxes, (None, 4))
        ids, weights = tf.ensure_shape(ids, (None,)), tf.ensure_shape(weights, (None,))
        seed = tf.stack([tf.cast(place, tf.int32), mix.seed])
        image, boxes, kept = augment.vary(augmentations, reader.pixels(encoded), boxes, seed)
        kept |= tf.range(tf.size(ids)) == tf.size(ids) - 1  # the row of zeros
        rows = tf.where(kept)[:, 0]
        boxes, ids, weights = (tf.gather(part, rows) for part in (boxes, ids, weights))
        boxes = tf.where((ids > 0)[:, None], boxes, 0.0)
        classes = tf.one_hot(ids - 1, config.num_classes)  # id 0 gives zeros
        canvas, window = resize.preprocess(config, image)
        boxes *= tf.tile(window, [2])
        return canvas, window, boxes, classes, weights, tf.ensure_shape(labeled, (config.num_classes,))

    def fetch(
        place: NDArray[np.int64],
    ) -> tuple[bytes | NDArray[np.uint8], *_Known]:
        index = mix.index(int(place))
        return reader.read(index), *_known(reader.examples[index], config.num_classes)

    number, shares = share
    size = mix.batch_size // shares
    places = tf.data.Dataset.range(steps.start * mix.batch_size, steps.stop * mix.batch_size)
    places = places.filter(lambda place: place % mix.batch_size // size == number)
    prepared = places.map(prepare, num_parallel_calls=cores())
    return _ahead(prepared.padded_batch(size, drop_remainder=True))


def evaluation_batches(
    config: Config, examples: Sequence[IndexedExample], batch_size: int
) -> tf.data.Dataset:
    """Returns batches of canvases (B, H, W, 3) and windows (B, 2), in order; the last may be smaller."""

    reader = Encoded(examples)

    def prepare(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        encoded = tf.numpy_function(reader.read, [index], reader.dtype, stateful=False)
        return resize.preprocess(config, reader.pixels(encoded))

    prepared = tf.data.Dataset.range(len(examples)).map(prepare, num_parallel_calls=cores())
    return _ahead(prepared.batch(batch_size))


def _ahead(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetches the next batches. How many is not left to tf.data: at the end of a training all waited for
    its tuning, for up to as long as the training had taken."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_BATCHES_AHEAD).with_options(options)


# Boxes (N, 4), ids (N,), weights (N,) and labeled classes (K,).
_Known = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


def _known(example: IndexedExample, num_classes: int) -> _Known:
    """Returns boxes, ids, weights and labeled classes; the last box is a row of zeros with id 0, so that
    there is always one. Crowds are left out, as TFOD leaves them out of training."""
    rows = np.flatnonzero(~example.crowd)
    count = len(rows)
    boxes = np.zeros((count + 1, 4), np.float32)  # (N, 4)
    ids = np.zeros(count + 1, np.int32)  # (N,)
    weights = np.zeros(count + 1, np.float32)  # (N,)
    boxes[:count], ids[:count], weights[:count] = (
        example.boxes[rows],
        example.ids[rows],
        example.weights[rows],
    )
    return boxes, ids, weights, _one_for_each(example.labeled, num_classes)


@lru_cache(maxsize=64)
def _one_for_each(ids: frozenset[int], num_classes: int) -> NDArray[np.float32]:
    """Returns (K,) 1 for each of the ids. Most images of a set are annotated for the same classes."""
    row = np.zeros(num_classes, np.float32)
    row[[label_id - 1 for label_id in ids]] = 1.0
    return row


def _shuffled(count: int, place: int, seed: int) -> int:
    epoch, index = divmod(place, count)
    return int(_permutation(count, epoch, seed)[index])


@lru_cache(maxsize=8)
def _permutation(count: int, epoch: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)

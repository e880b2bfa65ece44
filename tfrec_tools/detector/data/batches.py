"""Indexed records -> tf.data batches, for training (augmented, endless) and for evaluation (unchanged)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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

    number, shares = share
    size = mix.batch_size // shares
    rows = 1 + max(int(np.count_nonzero(~example.crowd)) for example in reader.examples)

    def fetch(step: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        first = int(step) * mix.batch_size + number * size
        indices = [mix.index(place) for place in range(first, first + size)]
        known = [_known(reader.examples[index], rows, config.num_classes) for index in indices]
        places = np.arange(first, first + size).astype(np.int32)
        return places, reader.take(indices), *map(np.stack, zip(*known, strict=True))

    @tf.autograph.experimental.do_not_convert
    def prepare(
        place: tf.Tensor, taken: tf.Tensor, boxes: tf.Tensor, ids: tf.Tensor, *known: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        seed = tf.stack([place, mix.seed])
        image, boxes, kept = augment.vary(augmentations, reader.pixels(taken), boxes, seed)
        canvas, window = resize.preprocess(config, image)
        return canvas, window, boxes, tf.where(kept, ids, 0), *known

    @tf.autograph.experimental.do_not_convert
    def finish(
        canvases: tf.Tensor,
        windows: tf.Tensor,
        boxes: tf.Tensor,
        ids: tf.Tensor,
        weights: tf.Tensor,
        labeled: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        boxes, ids, weights = _without_gaps(boxes, ids, weights)
        boxes *= tf.tile(windows, [1, 2])[:, None]
        classes = tf.one_hot(ids - 1, config.num_classes)  # id 0 gives zeros
        return canvases, windows, boxes, classes, weights, labeled

    specs = (
        tf.TensorSpec((size,), tf.int32),
        tf.TensorSpec((size,), reader.dtype),
        tf.TensorSpec((size, rows, 4), tf.float32),
        tf.TensorSpec((size, rows), tf.int32),
        tf.TensorSpec((size, rows), tf.float32),
        tf.TensorSpec((size, config.num_classes), tf.float32),
    )
    places = _fetched(tf.data.Dataset.range(steps.start, steps.stop), fetch, specs)
    prepared = places.map(prepare, num_parallel_calls=cores())
    # All have as many rows: padded_batch would write each canvas twice.
    return _ahead(prepared.batch(size, drop_remainder=True).map(finish))


def evaluation_batches(
    config: Config, examples: Sequence[IndexedExample], batch_size: int
) -> tf.data.Dataset:
    """Returns batches of canvases (B, H, W, 3) and windows (B, 2), in order; the last may be smaller."""
    reader = Encoded(examples)

    def fetch(indices: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        return (reader.take(indices.tolist()),)

    @tf.autograph.experimental.do_not_convert
    def prepare(taken: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return resize.preprocess(config, reader.pixels(taken))

    indices = tf.data.Dataset.range(len(examples)).batch(batch_size)
    places = _fetched(indices, fetch, (tf.TensorSpec((None,), reader.dtype),))
    prepared = places.map(prepare, num_parallel_calls=cores())
    return _ahead(prepared.batch(batch_size))


def _fetched(
    asked: tf.data.Dataset, fetch: Callable[..., tuple[NDArray[Any], ...]], specs: Sequence[tf.TensorSpec]
) -> tf.data.Dataset:
    """Returns rows of what `fetch` gives for each element, arrays of these specs. Python is asked for whole
    batches: a call for each image costs a tenth of decoding it."""

    @tf.autograph.experimental.do_not_convert
    def ask(element: tf.Tensor) -> tuple[tf.Tensor, ...]:
        parts = tf.numpy_function(fetch, [element], [spec.dtype for spec in specs], stateful=False)
        return tuple(tf.ensure_shape(part, spec.shape) for part, spec in zip(parts, specs, strict=True))

    return asked.map(ask, num_parallel_calls=_BATCHES_AHEAD).unbatch()


def _ahead(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetches the next batches. How many is not left to tf.data: at the end of a training all waited for
    its tuning, for up to as long as the training had taken."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(_BATCHES_AHEAD).with_options(options)


# Boxes (N, 4), ids (N,), weights (N,) and labeled classes (K,).
_Known = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


def _known(example: IndexedExample, rows: int, num_classes: int) -> _Known:
    """Returns boxes, ids, weights and labeled classes; behind the boxes there are rows of zeros. Crowds are
    left out, as TFOD leaves them out of training."""
    kept = ~example.crowd
    count = int(np.count_nonzero(kept))
    boxes = np.zeros((rows, 4), np.float32)  # (N, 4)
    ids = np.zeros(rows, np.int32)  # (N,)
    weights = np.zeros(rows, np.float32)  # (N,)
    boxes[:count], ids[:count], weights[:count] = (
        example.boxes[kept],
        example.ids[kept],
        example.weights[kept],
    )
    return boxes, ids, weights, _one_for_each(example.labeled, num_classes)


def _without_gaps(
    boxes: tf.Tensor, ids: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns boxes (B, N, 4), ids (B, N) and weights (B, N) without those whose id is 0: each image's others
    in their order, then zeros, at least one row."""
    is_kept = ids > 0
    most = 1 + tf.reduce_max(tf.reduce_sum(tf.cast(is_kept, tf.int32), axis=1))
    rows = tf.argsort(tf.cast(~is_kept, tf.int32), axis=1, stable=True)[:, :most]
    boxes, ids, weights = (
        tf.where(mask, part, tf.zeros((), part.dtype))
        for part, mask in ((boxes, is_kept[..., None]), (ids, is_kept), (weights, is_kept))
    )
    return tuple(tf.gather(part, rows, batch_dims=1) for part in (boxes, ids, weights))


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

"""The trainer's input pipeline (read, decode, augment, resize) beside a bare one of the same records:
TFRecordDataset, the picture parsed out, tf.io.decode_jpeg, the same resize."""

from __future__ import annotations

import time
from pathlib import Path

import tensorflow as tf

from tests.bench import full_size, records
from tfrec_tools.dataset import shards
from tfrec_tools.detector.config.read import Config, parse_pipeline
from tfrec_tools.detector.config.rewrite import Changes, rewrite_pipeline
from tfrec_tools.detector.data import batches, resize
from tfrec_tools.detector.data.images import Encoded, InMemory
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.tfrecords.features import IMAGE_ENCODED

LEAST_SPEED = 0.8  # of the bare pipeline's
BATCH = 8


def main(folder: Path, runs: int) -> float:
    """How many times as fast as the bare one ours is, the fastest runs of both compared."""
    config = _config()
    examples = index_records([records.pattern(folder)], full_size.labels())
    files = [str(file) for file in shards.record_files([records.pattern(folder)])]
    mix = batches.mix(len(examples), 0, BATCH, 0.0, seed=1)
    steps = len(examples) // BATCH
    datasets = {
        "bare": _bare(config, files),
        "training": batches.training_batches(config, Encoded(examples), mix, range(steps)),
        "in memory": batches.training_batches(config, InMemory(examples), mix, range(steps)),
        "evaluation": batches.evaluation_batches(config, examples, BATCH),
    }
    seconds = {name: (float("inf"), float("inf")) for name in datasets}
    for _ in range(runs):  # in turn, so that what else the machine does meets all of them
        for name, dataset in datasets.items():
            (wall, cpu), (fastest, least) = _through(dataset), seconds[name]
            seconds[name] = (min(fastest, wall), min(least, cpu))
    for name, (wall, cpu) in seconds.items():
        print(
            f"{name:12} {1 / wall:7.1f} images/s, {1e3 * wall:5.2f} ms wall, {1e3 * cpu:5.2f} ms CPU an image"
        )
    print(f"{seconds['bare'][1] / seconds['training'][1]:7.2f} of the bare pipeline's speed by CPU time")
    return seconds["bare"][0] / seconds["training"][0]


def _config() -> Config:
    changes = Changes(full_size.CLASSES, "label_map.pbtxt")
    return parse_pipeline(Path("pipeline.config"), rewrite_pipeline(full_size.pipeline("fpnlite"), changes))


def _bare(config: Config, files: list[str]) -> tf.data.Dataset:
    def prepare(example: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        spec = {IMAGE_ENCODED: tf.io.FixedLenFeature((), tf.string)}
        encoded = tf.io.parse_single_example(example, spec)[IMAGE_ENCODED]
        image = tf.io.decode_jpeg(encoded, channels=3)
        return resize.preprocess(config, tf.ensure_shape(image, (None, None, 3)))

    dataset = tf.data.TFRecordDataset(files).map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def _through(dataset: tf.data.Dataset) -> tuple[float, float]:
    """(wall, CPU) seconds an image, after the first batch."""
    batches_left = iter(dataset)
    next(batches_left)
    wall, cpu = time.perf_counter(), time.process_time()
    images = sum(len(batch[0]) for batch in batches_left)
    return (time.perf_counter() - wall) / images, (time.process_time() - cpu) / images

"""Where a training runs: on one device, on several of this host, or on several hosts (tf.distribute).

A device with a copy of all variables is a replica, a process a worker. What is added up over all replicas is
the same on each of them, so that copies that start equal stay equal.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfrec_tools.detector.network.graphs import graph
from tfrec_tools.errors import TfrecError

_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
# What a collective operation fails with where a worker is gone.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)


class LostWorker(TfrecError):  # noqa: N818
    """Another worker is gone, or cannot be reached any more."""


class Vote(IntEnum):
    """The vote of a worker after a step; the highest vote of any of them is followed by all. SHORTEN, of the
    chief, is the highest, as the others are given again after the next step."""

    GO_ON = 0
    END = 1
    STOP = 2
    SHORTEN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """`strategy` is how replicas work together; `worker` says which of `workers` processes this one is.
    Number 0 is the chief, which alone writes what stays."""

    strategy: tf.distribute.Strategy
    worker: int = 0
    workers: int = 1

    @property
    def is_chief(self) -> bool:
        return self.worker == 0

    @property
    def replicas(self) -> int:
        return int(self.strategy.num_replicas_in_sync)

    @property
    def local_replicas(self) -> int:
        return self.replicas // self.workers

    @contextmanager
    def folder(self, out: Path) -> Iterator[Path]:
        """Yields where this worker writes: `out`, or a folder that does not stay."""
        if self.is_chief:
            yield out
            return
        with tempfile.TemporaryDirectory(prefix="tfrec-worker-") as folder:
            yield Path(folder) / "run"

    @contextmanager
    def together(self) -> Iterator[None]:
        """Raises LostWorker where an operation that needs all workers finds one gone."""
        try:
            yield
        except _LOST as fault:
            if self.workers == 1:
                raise
            raise LostWorker(
                f"worker {self.worker} of {self.workers}: another worker stopped or cannot be reached "
                f"({_reason(fault)}); its own message says why; start all workers again, with --resume to go "
                "on from the last state.npz"
            ) from fault

    def agree(self, wish: int) -> Vote:
        """Returns the strongest vote of all workers, each of which gives its own at the same time."""
        if self.workers == 1:
            return Vote(wish)
        votes = self.local(_votes(self.strategy, tf.constant(wish)))
        return Vote(int(tf.reduce_max(tf.where(votes > 0.0))))

    def from_chief(self, values: Sequence[tf.Tensor | tf.Variable]) -> list[tf.Tensor]:
        """Returns the chief's values, for all workers; the shapes are the same everywhere."""
        # A variable is no argument of a graph: it would stay the one that the graph was traced with.
        tensors = [tf.convert_to_tensor(value) for value in values]
        if self.workers == 1:
            return tensors
        return [self.local(value) for value in _from_first(self.strategy, tensors)]

    def local(self, value: Any) -> tf.Tensor:
        """Returns what `strategy.run` gives, of a replica of this worker."""
        return self.strategy.experimental_local_results(value)[0]


ALONE = Cluster(tf.distribute.get_strategy())


def open_cluster(strategy: str) -> Cluster:
    """Opens a cluster by the name of a strategy: one, mirrored (all GPUs of this host, or else all its
    logical CPUs), multiworker (the hosts of TF_CONFIG), or auto, what there is. To be called before
    TensorFlow does anything. Raises TfrecError where there is no such thing."""
    if strategy == "auto":
        strategy = _found()
    if strategy == "mirrored":
        return _mirrored()
    return _multi_worker() if strategy == "multiworker" else ALONE


def summed(values: Any) -> Any:
    """Returns float32 tensors, any nest of them, added up over all replicas; to be called on each of them."""
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return values
    # One message between hosts instead of hundreds.
    parts = tf.nest.flatten(values)
    flat = tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)
    flat = replica.all_reduce(tf.distribute.ReduceOp.SUM, flat)
    sums = tf.split(flat, [tf.size(part) for part in parts])
    shaped = [tf.reshape(total, part.shape) for total, part in zip(sums, parts, strict=True)]
    return tf.nest.pack_sequence_as(values, shaped)


def _found() -> str:
    if "TF_CONFIG" in os.environ:
        return "multiworker"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"


# TensorFlow knows collective operations by numbers, which each strategy counts from the beginning: of two in
# one process, the second would meet the operations of the first.
@cache
def _mirrored() -> Cluster:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise TfrecError(f"--strategy mirrored: found {devices[0].name} alone, expected two GPUs or more")
    return Cluster(tf.distribute.MirroredStrategy([device.name for device in devices]))


@cache
def _multi_worker() -> Cluster:
    worker, workers = _place(os.environ.get("TF_CONFIG", ""))
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as fault:
        raise TfrecError(f"TF_CONFIG: the workers do not find together ({_reason(fault)})") from fault
    return Cluster(strategy, worker, workers)


def _place(config: str) -> tuple[int, int]:
    """Returns which worker this is, and of how many; a chief comes first."""
    try:
        parsed = json.loads(config)
        cluster, task = parsed["cluster"], parsed["task"]
        workers = [
            (kind, index) for kind in ("chief", "worker") for index in range(len(cluster.get(kind, ())))
        ]
        return workers.index((task["type"], int(task["index"]))), len(workers)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise TfrecError(f"TF_CONFIG: found {config or 'nothing'}, expected {_EXAMPLE}") from fault


def _reason(fault: Exception) -> str:
    """TensorFlow's reason, without where in the graph it came up."""
    lines = [line.strip() for line in str(getattr(fault, "message", fault)).splitlines()]
    reasons = [line for line in lines if line and not line.startswith(("Graph exec", "Detected at", "File "))]
    return reasons[0].rstrip(".:") if reasons else type(fault).__name__


@graph
def _votes(strategy: tf.distribute.Strategy, wish: tf.Tensor) -> Any:
    return strategy.run(lambda: summed(tf.one_hot(wish, len(Vote))))


@graph
def _from_first(strategy: tf.distribute.Strategy, values: list[tf.Tensor]) -> Any:
    def of_replica() -> Any:
        is_first = tf.distribute.get_replica_context().replica_id_in_sync_group == 0
        return summed([tf.where(is_first, value, tf.zeros_like(value)) for value in values])

    return strategy.run(of_replica)

"""A file that the chief of a cluster makes for all of its workers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from tfrec_tools.detector.training.distribution import Cluster

_DIGEST_BYTES = 8


def made_once(cluster: Cluster, chiefs: Path, own: Path, make: Callable[[Path], None]) -> Path:
    """Returns the file of `chiefs`, which the chief makes unless it is there, when all workers have come
    here. One that does not see it, or sees another there, makes its `own`. To be called by all of them."""
    if cluster.is_chief and not chiefs.is_file():
        make(chiefs)
    # A folder that is not shared may hold the file of another run.
    (digest,) = cluster.from_chief([_digest(chiefs) if cluster.is_chief else tf.zeros(_DIGEST_BYTES)])
    if cluster.is_chief or (chiefs.is_file() and bool(tf.reduce_all(_digest(chiefs) == digest))):
        return chiefs
    make(own)
    return own


def _digest(path: Path) -> tf.Tensor:
    """Returns (_DIGEST_BYTES,) float32, each the value of a byte, as float32 is what workers exchange."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return tf.constant(list(digest[:_DIGEST_BYTES]), tf.float32)

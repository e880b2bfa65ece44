"""Where training takes pixels from: a picture is decoded each time that it is its turn, or once and kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import Annotated, read_picture
from tfrec_tools.errors import TfrecError

_MOST_MEMORY = 0.8  # of what is free; the training needs some too


Cache = Literal["off", "ram", "disk"]  # where decoded pictures are kept, if at all


class Pictures(Protocol):
    """The pictures of some examples; `dtype` is of what `read` gives, of
    which `pixels` makes (H, W, 3) uint8."""

    @property
    def examples(self) -> Sequence[Annotated]: ...

    @property
    def dtype(self) -> tf.DType: ...

    def read(self, index: int) -> bytes | NDArray[np.uint8]:
        """Of one example, called from several threads."""
        ...

    def pixels(self, read: tf.Tensor) -> tf.Tensor:
        """Within a graph."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """As they are in the records."""

    examples: Sequence[Annotated]
    dtype = tf.string

    def read(self, index: int) -> bytes:
        return read_picture(self.examples[index])

    def pixels(self, read: tf.Tensor) -> tf.Tensor:
        return decode(read)


@dataclass(frozen=True, slots=True)
class InMemory:
    """Decoded at the first reading."""

    examples: Sequence[Annotated]
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    dtype = tf.uint8

    def read(self, index: int) -> NDArray[np.uint8]:
        if index not in self.kept:
            self.kept[index] = _decoded(self.examples[index])
        return self.kept[index]

    def pixels(self, read: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(read, (None, None, 3))


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Decoded at the first reading, a file each."""

    examples: Sequence[Annotated]
    folder: Path
    dtype = tf.uint8

    def read(self, index: int) -> NDArray[np.uint8]:
        file = self.folder / f"{index}.npy"
        if not file.exists():
            # Threads may write the same one at the same time.
            part = file.with_suffix(f".{threading.get_ident()}.npy")
            np.save(part, _decoded(self.examples[index]))
            part.replace(file)
        pixels: NDArray[np.uint8] = np.load(file)
        return pixels

    def pixels(self, read: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(read, (None, None, 3))


@contextmanager
def pictures_of(examples: Sequence[Annotated], cache: Cache) -> Iterator[Pictures]:
    """What is kept on disk is in a folder of its own below $TMPDIR, and goes at the end. TfrecError where the
    decoded pictures would not fit."""
    match cache:
        case "off":
            yield Encoded(examples)
        case "ram":
            _require_room(examples, cache, int(_MOST_MEMORY * _free_memory()), "of memory", "disk or off")
            yield InMemory(examples)
        case "disk":
            with tempfile.TemporaryDirectory(prefix="tfrec-pictures-") as folder:
                free = shutil.disk_usage(folder).free
                _require_room(examples, cache, free, f"in {folder}", "off, or another TMPDIR")
                yield OnDisk(examples, Path(folder))


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """(H, W, 3) uint8."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def _decoded(example: Annotated) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = decode(tf.constant(read_picture(example))).numpy()
    return pixels


def _require_room(examples: Sequence[Annotated], cache: Cache, free: int, where: str, instead: str) -> None:
    needed = sum(3 * example.width * example.height for example in examples)
    if needed > free:
        raise TfrecError(
            f"--cache {cache}: {len(examples)} decoded pictures take {needed / 1e9:.1f} GB, but "
            f"{free / 1e9:.1f} GB {where} are free; take --cache {instead}"
        )


def _free_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

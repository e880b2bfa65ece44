"""Where training takes pixels from: an image is decoded each time that it is its turn, or once and kept."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.detector.data.index import IndexedExample, read_image
from tfrec_tools.detector.data.inputs import InputImage
from tfrec_tools.errors import InputError, TfrecError

_MOST_MEMORY = 0.8  # of what is free; the training needs some too


Cache = Literal["off", "ram", "disk"]  # where decoded images are kept, if at all


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Returns an encoded image as (H, W, 3), as training decodes it. Raises InputError with its name where
    TensorFlow cannot."""
    try:
        pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError as fault:
        reason = fault.message.partition("\n")[0].rpartition("}} ")[2]  # without TensorFlow's own names
        raise InputError(name, f"TensorFlow cannot decode it ({reason})") from fault
    return np.asarray(pixels)


def decoded(
    candidates: Iterable[InputImage], issues: list[Issue]
) -> Iterator[tuple[InputImage, NDArray[np.uint8]]]:
    """Yields the images that can be decoded, with their pixels (H, W, 3); what is odd about any is added to
    `issues`, and so is that a record's image cannot be, which only decoding tells."""
    for image in candidates:
        issues += image.issues
        if not image.data:
            continue
        try:
            pixels = decode_image(image.data, image.name)
        except InputError as fault:
            issues.append(Issue("image-damaged", image.path, None, str(fault), fixed=False))
        else:
            yield image, pixels


class ImageReader(Protocol):
    """The images of some examples; `dtype` is of what `take` gives, of which `pixels` makes (H, W, 3)
    uint8."""

    @property
    def examples(self) -> Sequence[IndexedExample]: ...

    @property
    def dtype(self) -> tf.DType: ...

    def take(self, indices: Sequence[int]) -> NDArray[Any]:
        """Returns (N,) what `pixels` needs of each of these examples; it is called from several threads."""
        ...

    def pixels(self, taken: tf.Tensor) -> tf.Tensor:
        """Returns the image of one of them, within a graph."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """The images encoded, as the records hold them."""

    examples: Sequence[IndexedExample]
    dtype = tf.string

    def take(self, indices: Sequence[int]) -> NDArray[np.object_]:
        return np.array([read_image(self.examples[index]) for index in indices], object)

    def pixels(self, taken: tf.Tensor) -> tf.Tensor:
        return decode(taken)


@dataclass(frozen=True, slots=True)
class InMemory:
    """The images in memory, each decoded when it is first read."""

    examples: Sequence[IndexedExample]
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    dtype = tf.int64

    def take(self, indices: Sequence[int]) -> NDArray[np.int64]:
        return np.array(indices, np.int64)

    def read(self, index: int) -> NDArray[np.uint8]:
        if index not in self.kept:
            self.kept[index] = _decoded(self.examples[index])
        return self.kept[index]

    def pixels(self, taken: tf.Tensor) -> tf.Tensor:
        return _pixels_of(self.read, taken)


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The images on disk, each decoded when it is first read and kept in a file of its own."""

    examples: Sequence[IndexedExample]
    folder: Path
    dtype = tf.int64

    def take(self, indices: Sequence[int]) -> NDArray[np.int64]:
        return np.array(indices, np.int64)

    def read(self, index: int) -> NDArray[np.uint8]:
        file = self.folder / f"{index}.npy"
        if not file.exists():
            # Threads may write the same one at the same time.
            part = file.with_suffix(f".{threading.get_ident()}.npy")
            np.save(part, _decoded(self.examples[index]))
            part.replace(file)
        pixels: NDArray[np.uint8] = np.load(file)
        return pixels

    def pixels(self, taken: tf.Tensor) -> tf.Tensor:
        return _pixels_of(self.read, taken)


@contextmanager
def image_reader(examples: Sequence[IndexedExample], cache: Cache) -> Iterator[ImageReader]:
    """Opens the images of the examples. What is kept on disk is in a folder of its own below $TMPDIR, and
    goes at the end. Raises TfrecError where the decoded images would not fit."""
    match cache:
        case "off":
            yield Encoded(examples)
        case "ram":
            _require_room(examples, cache, int(_MOST_MEMORY * _free_memory()), "of memory", "disk or off")
            yield InMemory(examples)
        case "disk":
            with tempfile.TemporaryDirectory(prefix="tfrec-images-") as folder:
                free = shutil.disk_usage(folder).free
                _require_room(examples, cache, free, f"in {folder}", "off, or another TMPDIR")
                yield OnDisk(examples, Path(folder))


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns (H, W, 3) uint8."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def _pixels_of(read: Callable[[int], NDArray[np.uint8]], index: tf.Tensor) -> tf.Tensor:
    pixels = tf.numpy_function(lambda number: read(int(number)), [index], tf.uint8, stateful=False)
    return tf.ensure_shape(pixels, (None, None, 3))


def _decoded(example: IndexedExample) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = decode(tf.constant(read_image(example))).numpy()
    return pixels


def _require_room(
    examples: Sequence[IndexedExample], cache: Cache, free: int, where: str, instead: str
) -> None:
    needed = sum(3 * example.width * example.height for example in examples)
    if needed > free:
        raise TfrecError(
            f"--cache {cache}: {len(examples)} decoded images take {needed / 1e9:.1f} GB, but "
            f"{free / 1e9:.1f} GB {where} are free; take --cache {instead}"
        )


def _free_memory() -> int:
    """Returns the free memory in bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

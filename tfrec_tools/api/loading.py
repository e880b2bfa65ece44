"""Records by number, no TensorFlow: a map-style source as torch's DataLoader and Google's grain take it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.api.keywords import in_one_line
from tfrec_tools.dataset import label_maps, shards, stats
from tfrec_tools.images.loading import decoded
from tfrec_tools.system.options import Paths, as_texts
from tfrec_tools.system.regular_files import open_unbuffered
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, parse_example

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An image of a record, with its boxes.

    image       (H, W, 3) uint8 RGB; or the encoded bytes where `load` was to decode nothing
    boxes_xyxy  (N, 4) float64 [xmin ymin xmax ymax] in pixels
    labels      (N,) int64 class ids of the records' label map, from 1
    names       (N,) class names
    crowd, difficult   (N,) bool
    area        (N,) float64, square pixels; NaN where the record does not say
    weights     (N,) float64, how much each box counts in training; 0 where it is in doubt
    masks       (N,) PNG bytes each, or () where the record has none
    keypoints   (N, K, 3) float64 [x y visibility] in pixels, at each of the K ids of the records' label map
                (see schemas/tfrecord_features.md); None where the record has none
    labeled     the classes that the image was exhaustively annotated for; None means all. An object of
                another class is unknown in it, not background
    """

    image: NDArray[np.uint8] | bytes
    boxes_xyxy: NDArray[np.float64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    area: NDArray[np.float64]
    weights: NDArray[np.float64]
    masks: tuple[bytes, ...]
    keypoints: NDArray[np.float64] | None
    labeled: frozenset[str] | None
    image_id: str
    filename: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a record is: the number of its file, and its place in it."""

    file: int
    number: int
    offset: int
    length: int
    crc: int


@dataclass(frozen=True, slots=True, eq=False)
class Records(Sequence[Sample]):
    """Records of one or several files in order: len(records), records[i]. Nothing is held open, so that
    workers may have it too.

    classes   {id: name} of the sets' label maps; empty where the files have none beside them
    """

    files: tuple[Path, ...]
    classes: Mapping[int, str]
    decode: bool
    _plain: tuple[Path, ...]
    _entries: tuple[_Entry, ...]

    def __len__(self) -> int:
        return len(self._entries)

    @in_one_line
    def __getitem__(self, index: SupportsIndex) -> Sample:  # type: ignore[override]
        """Reads one record, its CRC included. Raises IndexError, and InputError where it is damaged."""
        entry = self._entries[index.__index__()]
        file, where = self.files[entry.file], f"record {entry.number}"
        with open_unbuffered(self._plain[entry.file]) as opened:
            pieces = framing.read_at(opened, entry.offset, [entry.length], entry.crc, file, where)
        return _sample(parse_example(b"".join(pieces), f"{file}: {where}"), self.classes, self.decode)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def to_tf_data(
        self, size: tuple[int, int], batch: int, *, shuffle: bool = False, seed: int = 0
    ) -> tf.data.Dataset:
        """Returns batches for TensorFlow, endless where they are shuffled: a dict of

        image       (B, height, width, 3) float32 in [0, 255], stretched to `size` (height, width)
        boxes_xyxy  (B, N, 4) float32, pixels of the stretched image
        labels      (B, N) int32; 0 where an image has fewer boxes than N
        weights     (B, N) float32
        """
        from tfrec_tools.detector.data.samples import batches

        return batches(replace(self, decode=True), size, batch, seed if shuffle else None)


@in_one_line
def load(records: Paths, *, decode: bool = True) -> Records:
    """Finds the records of files, folders, sets DIR/NAME or patterns such as "DIR/NAME-*", without reading
    them. With decode=False the images stay encoded. Raises InputError where there are none, or where a file
    is cut off."""
    files = tuple(shards.record_files(as_texts(records)))
    plain = tuple(map(framing.unpacked, files))
    entries = tuple(entry for number, file in enumerate(plain) for entry in _found(number, file))
    return Records(files, _classes(files), decode, plain, entries)


def _found(file_number: int, file: Path) -> Iterator[_Entry]:
    with open_unbuffered(file) as opened:
        for number, frame in enumerate(framing.frames(opened, file)):
            yield _Entry(file_number, number, frame.offset, frame.length, frame.crc)


def _classes(files: Sequence[Path]) -> dict[int, str]:
    maps = (label_maps.names_of(file, shards.manifest_of(file))[0] for file in files)
    return {label_id: name for names in maps for label_id, name in names.items()}


def _sample(parsed: Parsed, classes: Mapping[int, str], decode: bool) -> Sample:
    record, image = parsed.record, parsed.image
    count = len(parsed.label_ids) or len(record.names)
    return Sample(
        image=np.asarray(decoded(image)) if decode else image.data,
        boxes_xyxy=record.boxes_xyxy,
        labels=np.array(parsed.label_ids or (0,) * count, np.int64),
        names=stats.class_names(parsed, dict(classes)),
        crowd=record.crowd,
        difficult=record.difficult,
        area=record.area,
        weights=np.array(parsed.weights or (1.0,) * count, np.float64),
        masks=record.masks,
        keypoints=record.keypoints,
        labeled=record.labeled,
        image_id=record.image_id,
        filename=record.filename,
        width=image.width,
        height=image.height,
    )

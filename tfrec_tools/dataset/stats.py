"""What is in record files: counted, measured and compared with the set's manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfrec_tools.annotations.boxes import sides
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import Manifest
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, parse_example

Progress = Callable[[int, int], None]  # (files done, files in all)

SMALL_PX, LARGE_PX = 32, 96  # sides of the squares that divide COCO's small, medium and large objects


@dataclass(slots=True)
class Stats:
    """Counts over record files.

    classes, having   boxes of each class name, and images that have one; "id 3" where only ids are given
    per_image         {number of boxes: images}
    sizes_wh          {(width, height) in pixels: images}
    areas             {"small", "medium" or "large" as COCO divides: boxes}
    splits            {split ("" where there is none): images}
    first             the first record
    """

    files: int = 0
    bytes: int = 0
    images: int = 0
    boxes: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    having: Counter[str] = field(default_factory=Counter)
    per_image: Counter[int] = field(default_factory=Counter)
    sizes_wh: Counter[tuple[int, int]] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    areas: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    first: Parsed | None = None


def inspect(files: Sequence[Path], progress: Progress) -> Stats:
    """Reads every record, CRCs included. InputError where one is damaged."""
    stats = Stats()
    for number, file in enumerate(files, start=1):
        manifest = shards.manifest_of(file)
        names = {} if manifest is None else {item.id: item.name for item in manifest.classes}
        split = _split_of(file, manifest)
        stats.files += 1
        stats.bytes += file.stat().st_size
        for index, data in enumerate(framing.read(file)):
            parsed = parse_example(data, f"{file}: record {index}")
            stats.splits[split] += 1
            _count(stats, parsed, names)
        progress(number, len(files))
    return stats


def class_names(parsed: Parsed, names: dict[int, str]) -> tuple[str, ...]:
    """The names of an Example's boxes: its own, else those of its ids, else "id N"."""
    pairs = zip(parsed.record.names, parsed.label_ids, strict=False)
    given = tuple(name or names.get(label_id, f"id {label_id}") for name, label_id in pairs)
    return given or parsed.record.names


def _split_of(file: Path, manifest: Manifest | None) -> str:
    infos = manifest.shards if manifest else ()
    return next((info.split for info in infos if info.file == file.name), "")


def _count(stats: Stats, parsed: Parsed, names: dict[int, str]) -> None:
    record, found = parsed.record, class_names(parsed, names)
    stats.first = stats.first or parsed
    stats.images += 1
    stats.boxes += len(found)
    stats.classes.update(found)
    stats.having.update(set(found))
    stats.per_image[len(found)] += 1
    stats.sizes_wh[record.width, record.height] += 1
    stats.formats[parsed.picture.format] += 1
    for width, height in sides(record.boxes_xyxy).tolist():
        stats.areas[_size_class(width * height)] += 1


def _size_class(area: float) -> str:
    if area < SMALL_PX**2:
        return "small"
    return "medium" if area < LARGE_PX**2 else "large"

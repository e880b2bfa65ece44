"""What is in record files: counted, measured and compared with the set's manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfrec_tools import shards, tfrecord
from tfrec_tools.boxes import sides
from tfrec_tools.errors import InputError
from tfrec_tools.example import Parsed, parse_example, without_picture
from tfrec_tools.shards import Manifest, ShardInfo

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
        for index, data in enumerate(tfrecord.read(file)):
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


def faults(prefix: Path, progress: Progress) -> Iterator[str]:
    """What is not as the manifest of the set DIR/NAME says: a line a fault. InputError where there is no
    manifest."""
    path = shards.manifest_path(prefix)
    if not path.exists():
        raise InputError(path, "", "no such file; a set without its manifest is unfinished")
    manifest = shards.read_manifest(path)
    listed = {info.file for info in manifest.shards}
    for number, info in enumerate(manifest.shards, start=1):
        yield from _shard_faults(prefix.with_name(info.file), info)
        progress(number, len(manifest.shards))
    for file in shards.set_files(prefix, (split.name for split in manifest.splits)):
        if file.suffix in (".tfrecord", ".gz") and file.name not in listed:
            yield f"{file}: is not listed in {path.name}"
    if not shards.label_map_path(prefix).exists():
        yield f"{shards.label_map_path(prefix)}: is missing"


def _shard_faults(file: Path, info: ShardInfo) -> Iterator[str]:
    if not file.exists():
        yield f"{file}: is missing"
        return
    found = tfrecord.tally(file)
    if found.bytes != info.bytes:
        yield f"{file}: has {found.bytes} bytes, the manifest says {info.bytes}"
    elif found.crc32c != info.crc32c:
        yield f"{file}: its CRC-32C is not that of the manifest: it was changed or damaged"
    yield from _record_faults(file, info)


def _record_faults(file: Path, info: ShardInfo) -> Iterator[str]:
    digest = hashlib.sha256()
    records = 0
    try:
        for data in tfrecord.read(file):
            picture = parse_example(data, f"{file}: record {records}").picture.data
            rest = without_picture(data, picture)
            if len(rest) < len(data) and hashlib.sha256(picture).hexdigest().encode() not in rest:
                yield f"{file}: record {records}: its picture is not the one of its image/key/sha256"
            digest.update(rest)
            records += 1
    except InputError as fault:
        yield str(fault)
        return
    if records != info.records:
        yield f"{file}: has {records} records, the manifest says {info.records}"
    elif digest.hexdigest() != info.records_sha256:
        yield f"{file}: the SHA-256 of its records is not that of the manifest: it was written anew"


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

"""What is in record files: counted, measured and compared with the set's manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tfrec_tools.annotations.boxes import SIZES, size_classes
from tfrec_tools.dataset import label_maps, shards
from tfrec_tools.dataset.manifest import Manifest, SourceInfo
from tfrec_tools.dataset.options import InspectOptions
from tfrec_tools.system.options import as_texts
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import Parsed, parse_example


@dataclass(slots=True)
class Stats:
    """Counts over record files.

    classes            boxes of each class name; "id 3" where only ids are given
    images_per_class   images that have a box of the class
    keypoints          labeled keypoints of each class's boxes
    per_image          {number of boxes: images}
    sizes_wh           {(width, height) in pixels: images}
    areas              {"small", "medium" or "large" as COCO divides: boxes}
    splits             {split ("" where there is none): images}
    first              the first record
    sources            {DIR/NAME of a set: what its records were made of}, as the manifests say
    """

    files: int = 0
    bytes: int = 0
    images: int = 0
    boxes: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    images_per_class: Counter[str] = field(default_factory=Counter)
    keypoints: Counter[str] = field(default_factory=Counter)
    per_image: Counter[int] = field(default_factory=Counter)
    sizes_wh: Counter[tuple[int, int]] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    areas: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    first: Parsed | None = None
    sources: dict[Path, tuple[SourceInfo, ...]] = field(default_factory=dict)


def inspect(options: InspectOptions) -> Stats:
    """Reads every record, CRCs included. InputError where one is damaged."""
    files = shards.record_files(as_texts(options.records))
    stats = Stats()
    for number, file in enumerate(files, start=1):
        manifest = shards.manifest_of(file)
        names, _ = label_maps.names_of(file, manifest)
        split = split_of(file, manifest)
        stats.sources |= {file.with_name(manifest.name): manifest.sources} if manifest else {}
        stats.files += 1
        stats.bytes += file.stat().st_size
        for index, data in enumerate(framing.read(file)):
            parsed = parse_example(data, f"{file}: record {index}")
            stats.splits[split] += 1
            _count(stats, parsed, names)
        options.progress("reading records", number, len(files))
    return stats


def class_names(parsed: Parsed, names: dict[int, str]) -> tuple[str, ...]:
    """Returns the names of an Example's boxes: its own, else those of its ids, else "id N"."""
    pairs = zip(parsed.record.names, parsed.label_ids, strict=False)
    named = tuple(name or names.get(label_id, f"id {label_id}") for name, label_id in pairs)
    return named or parsed.record.names


def split_of(file: Path, manifest: Manifest | None) -> str:
    """Returns the split that a record file is of; "" where its set has none, or no manifest."""
    infos = manifest.shards if manifest else ()
    return next((info.split for info in infos if info.file == file.name), "")


def _count(stats: Stats, parsed: Parsed, names: dict[int, str]) -> None:
    record, classes = parsed.record, class_names(parsed, names)
    stats.first = stats.first or parsed
    stats.images += 1
    stats.boxes += len(classes)
    stats.classes.update(classes)
    stats.images_per_class.update(set(classes))
    if record.keypoints is not None:
        labeled = (record.keypoints[..., 2] > 0).sum(axis=1).tolist()  # (N,)
        for name, count in zip(classes, labeled, strict=False):
            stats.keypoints[name] += count
    stats.per_image[len(classes)] += 1
    stats.sizes_wh[record.width, record.height] += 1
    stats.formats[parsed.image.format] += 1
    stats.areas.update(SIZES[size] for size in size_classes(record.boxes_xyxy))

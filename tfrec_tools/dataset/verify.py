"""A finished set against its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import Manifest, ShardInfo, content_sha256, read_manifest
from tfrec_tools.dataset.options import VerifyOptions
from tfrec_tools.errors import InputError, LabelConflict, counted
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.system import stores
from tfrec_tools.system.options import as_path
from tfrec_tools.system.regular_files import at_hand, read_bytes
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import parse_example, without_image


@dataclass(frozen=True, slots=True)
class Difference:
    """Between a set and its source.

    kind   "added", "removed", "image", "annotations", "split": of an image, whose name follows; "class" of
           the label map; "version" of what has made the set
    """

    kind: str
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A finished set DIR/NAME, a line for each of its faults, and in what it differs from its source, where
    that was asked."""

    prefix: Path
    faults: tuple[str, ...]
    differences: tuple[Difference, ...] = ()


def verify(options: VerifyOptions) -> tuple[Verified, ...]:
    """Each set of a folder, or the one set, against its manifest. InputError where there is no manifest."""
    where = stores.located(as_path(options.where))
    sets = shards.prefixes(where) if where.is_dir() else [where]
    if not sets:
        raise InputError(where, "no .manifest.json in it; expected finished sets of tfrec convert")
    return tuple(
        Verified(prefix, tuple(_faults(prefix, partial(options.progress, f"checking {prefix}"))))
        for prefix in sets
    )


def _faults(prefix: Path, progress: Callable[[int, int], None]) -> Iterator[str]:
    """What is not as the manifest of the set says."""
    path = shards.manifest_path(prefix)
    if not path.exists():
        raise InputError(path, "no such file; a set without its manifest is unfinished")
    manifest = read_manifest(path)
    listed = {info.file for info in manifest.shards}
    boxes: list[int | None] = []
    for number, info in enumerate(manifest.shards, start=1):
        boxes.append((yield from _shard_faults(prefix.with_name(info.file), info)))
        progress(number, len(manifest.shards))
    yield from _unaccounted(path, manifest)
    yield from _miscounted(path, manifest, boxes)
    for file in shards.set_files(prefix, (split.name for split in manifest.splits)):
        if file.suffix in (".tfrecord", ".gz") and file.name not in listed:
            yield f"{file}: is not listed in {path.name}"
    yield from _label_map_faults(shards.label_map_path(prefix), manifest)
    if manifest.manifest_sha256 not in ("", content_sha256(read_bytes(path))):
        yield f"{path}: what it says is not what was written: its SHA-256 is another"


def _label_map_faults(path: Path, manifest: Manifest) -> Iterator[str]:
    if not path.exists():
        yield f"{path}: is missing"
        return
    try:
        found = read_label_map(path).name_by_id
    except (InputError, LabelConflict) as fault:
        yield str(fault)
        return
    for label_id, name in sorted({item.id: item.name for item in manifest.classes}.items() - found.items()):
        yield f"{path}: id {label_id} is {found.get(label_id)!r}, the manifest says {name!r}"
    if more := found.keys() - {item.id for item in manifest.classes}:
        yield f"{path}: id {min(more)} is {found[min(more)]!r}, the manifest has no such class"
    if manifest.label_map_sha256 not in ("", hashlib.sha256(read_bytes(path)).hexdigest()):
        yield f"{path}: its SHA-256 is not that of the manifest: it was changed"


def _unaccounted(path: Path, manifest: Manifest) -> Iterator[str]:
    for source in manifest.sources:
        account = source.accounting
        if account is not None and not account.adds_up:
            yield f"{path}: the account of {source.path} does not add up"
    accounts = [source.accounting for source in manifest.sources if source.accounting is not None]
    if len(accounts) == len(manifest.sources):
        boxes = sum(account.written for account in accounts)
        if boxes != manifest.boxes:
            yield f"{path}: {counted(manifest.boxes, 'box')}, but {boxes} in the accounts of its sources"
        images = sum(account.images_written for account in accounts)
        if images != manifest.images:
            yield f"{path}: {counted(manifest.images, 'image')}, but {images} in the accounts of its sources"


def _miscounted(path: Path, manifest: Manifest, boxes: Sequence[int | None]) -> Iterator[str]:
    """What the manifest counts and its shards do not hold.

    boxes   of each shard; None of one that is not whole, of which another line tells
    """
    images = sum(info.records for info in manifest.shards)
    if images != manifest.images:
        yield f"{path}: {counted(manifest.images, 'image')}, but its shards have {counted(images, 'record')}"
    known = [count for count in boxes if count is not None]
    if len(known) == len(boxes) and sum(known) != manifest.boxes:
        yield f"{path}: {counted(manifest.boxes, 'box')}, but the records of its shards have {sum(known)}"


def _shard_faults(file: Path, info: ShardInfo) -> Generator[str, None, int | None]:
    """Returns how many boxes a shard has; None where its records are not those of the manifest."""
    if not file.exists():
        yield f"{file}: is missing"
        return None
    with at_hand(file) as here:
        return (yield from _content_faults(file, here, info))


def _content_faults(file: Path, here: Path, info: ShardInfo) -> Generator[str, None, int | None]:
    """As `_shard_faults`; the file's bytes lie `here`."""
    tally = framing.tally(here)
    if tally.bytes != info.bytes:
        yield f"{file}: has {counted(tally.bytes, 'byte')}, the manifest says {info.bytes}"
    elif tally.crc32c != info.crc32c:
        yield f"{file}: its CRC-32C is not that of the manifest: it was changed or damaged"
    return (yield from _record_faults(file, here, info))


def _record_faults(file: Path, here: Path, info: ShardInfo) -> Generator[str, None, int | None]:
    digest = hashlib.sha256()
    records = boxes = 0
    try:
        for data in framing.read(here, file):
            parsed = parse_example(data, f"{file}: record {records}")
            image = parsed.image.data
            rest = without_image(data, image)
            if len(rest) < len(data) and hashlib.sha256(image).hexdigest().encode() not in rest:
                yield f"{file}: record {records}: its image is not the one of its image/key/sha256"
            digest.update(rest)
            records += 1
            boxes += len(parsed.record.names)
    except InputError as fault:
        yield str(fault)
        return None
    if records != info.records:
        yield f"{file}: has {counted(records, 'record')}, the manifest says {info.records}"
        return None
    if digest.hexdigest() != info.records_sha256:
        yield f"{file}: the SHA-256 of its records is not that of the manifest: it was written anew"
        return None
    return boxes

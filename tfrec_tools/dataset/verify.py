"""A finished set against its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.dataset.manifest import ShardInfo, read_manifest
from tfrec_tools.dataset.stats import Progress
from tfrec_tools.errors import InputError
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import parse_example, without_picture


def faults(prefix: Path, progress: Progress) -> Iterator[str]:
    """What is not as the manifest of the set DIR/NAME says: a line a fault. InputError where there is no
    manifest."""
    path = shards.manifest_path(prefix)
    if not path.exists():
        raise InputError(path, "no such file; a set without its manifest is unfinished")
    manifest = read_manifest(path)
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
    found = framing.tally(file)
    if found.bytes != info.bytes:
        yield f"{file}: has {found.bytes} bytes, the manifest says {info.bytes}"
    elif found.crc32c != info.crc32c:
        yield f"{file}: its CRC-32C is not that of the manifest: it was changed or damaged"
    yield from _record_faults(file, info)


def _record_faults(file: Path, info: ShardInfo) -> Iterator[str]:
    digest = hashlib.sha256()
    records = 0
    try:
        for data in framing.read(file):
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

"""The hidden folder beside a set in the making, DIR/.NAME.part: finished shards by their fingerprints, so
that a conversion that was killed goes on where it stopped, and the moves to their final names.

    FINGERPRINT.tfrecord   a finished shard
    FINGERPRINT.json       what it holds (ShardResult), written after it
    names.json             {final name: fingerprint}: every shard is finished, the old set is gone, and
                           files are being moved to their final names
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tfrec_tools.annotations.accounts import Tally
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.system.atomic import published
from tfrec_tools.tfrecords.framing import Written

_NAMES = "names.json"


@dataclass(frozen=True, slots=True)
class ShardResult:
    """A finished shard: its file, SHA-256 of its records (as ShardInfo says), its images (`negatives`
    without boxes), boxes of each class, images that have a box of it, issues by the index of their image in
    the job, and what became of the images and boxes of each source, by its number."""

    written: Written
    records_sha256: str
    images: int
    negatives: int
    boxes: dict[str, int]
    images_per_class: dict[str, int]
    issues: tuple[tuple[int, Issue], ...]
    tallies: dict[int, Tally] = field(default_factory=dict)


def folder_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.part")


def shard_path(folder: Path, fingerprint: str) -> Path:
    return folder / f"{fingerprint}.tfrecord"


def note(folder: Path, fingerprint: str, done: ShardResult) -> None:
    """Says that a shard is finished; not before it lies under its name in the folder."""
    with published(_note_path(folder, fingerprint), alone=False) as (part,):
        part.write_bytes(msgspec.json.encode(done))


def noted(folder: Path) -> set[str]:
    """Returns the fingerprints of the shards that are said to be finished."""
    return {path.stem for path in folder.glob("[!.]*.json")} - {Path(_NAMES).stem}


def finished(folder: Path, fingerprint: str, name: str) -> ShardResult | None:
    """Returns what a shard holds, if it is finished: it lies in the folder or was moved to its final name."""
    try:
        done = msgspec.json.decode(_note_path(folder, fingerprint).read_bytes(), type=ShardResult)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    moved = folder.parent / name if names(folder).get(name) == fingerprint else None
    places = [path for path in (shard_path(folder, fingerprint), moved) if path is not None]
    return done if any(_has_size(path, done.written.bytes) for path in places) else None


def names(folder: Path) -> dict[str, str]:
    """Returns {final name: fingerprint} of the shards that are being moved; none before that."""
    try:
        return msgspec.json.decode((folder / _NAMES).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def publish(
    folder: Path, shards: Mapping[str, str], sidecars: Mapping[Path, bytes], old: Iterable[Path]
) -> None:
    """Removes the files `old`, moves the shards {final name: fingerprint} and writes the sidecars, in
    order; then the folder goes. When it was stopped anywhere, the same call does the rest."""
    if names(folder) != shards:
        for path in old:
            path.unlink(missing_ok=True)
        with published(folder / _NAMES) as (part,):
            part.write_bytes(msgspec.json.encode(shards))
    for name, fingerprint in shards.items():
        if (path := shard_path(folder, fingerprint)).exists():
            path.replace(folder.parent / name)
    for path, data in sidecars.items():
        with published(path) as (part,):
            part.write_bytes(data)
    discard(folder)


def discard(folder: Path) -> None:
    """Removes the folder, in which there are only files."""
    with suppress(OSError):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def _note_path(folder: Path, fingerprint: str) -> Path:
    return folder / f"{fingerprint}.json"


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size

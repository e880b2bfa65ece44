"""The hidden folder beside a set in the making, DIR/.NAME.part: finished shards by their fingerprints, so
that a conversion that was killed goes on where it stopped, and the moves to their final names.

    FINGERPRINT.tfrecord   a finished shard
    FINGERPRINT.json       what it holds (ShardResult), written after it
    old.json               of the set that is to be replaced (Replaced), written before names.json
    names.json             {final name: fingerprint}: every shard is finished, the old set goes, its manifest
                           first, and files are being moved to their final names
    lock                   held by the run that works in it, which it names

The folder is its user's own: links are not followed, and what another user made is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tfrec_tools.annotations.accounts import Tally
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset.changes import Change, Outcome
from tfrec_tools.errors import InputError
from tfrec_tools.system import locks
from tfrec_tools.system.atomic import named_as, published, sync
from tfrec_tools.system.remote_path import RemotePath
from tfrec_tools.tfrecords.framing import Written

_NAMES = "names.json"
_OLD = "old.json"
_LOCK = "lock"
_OURS = frozenset({".tfrecord", ".json", ".job", ".fault", ".part"})  # what stands in the folder


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


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a set takes the place of: the names of files, `rebuilt` where they were a finished set, and in
    what that one differed."""

    files: tuple[str, ...]
    outcome: Outcome
    changed: tuple[Change, ...]


def folder_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.part")


def is_there(out: Path) -> bool:
    """Returns whether something has the folder's name; a store is not asked."""
    folder = folder_of(out)
    return isinstance(folder, RemotePath) or os.path.lexists(folder)


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """The folder is there, and no other run works in it until the block ends. One that was made for nothing
    goes with the InputError that says why. Raises InputError where it is another's, or held."""
    folder = folder_of(out)
    if isinstance(folder, RemotePath):
        with named_as(out, folder), locks.held(out, "set"):
            yield
        return
    is_new = not is_there(out)
    with named_as(out, folder):
        lock = locks.take(folder / _LOCK, out, "set", lambda: make_folder(folder))
    try:
        with named_as(out, folder):
            yield
    except InputError:
        if is_new:
            discard(folder)
        raise
    finally:
        locks.release(folder / _LOCK, lock)


def make_folder(folder: Path) -> None:
    """Raises InputError where a link, a file or another user's folder has its name."""
    if isinstance(folder, RemotePath):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "a file"
        raise InputError(folder, f"is {kind}, expected the work folder of a run; remove it")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        reason = f"belongs to user {found.st_uid}, expected {os.geteuid()}, who runs this"
        raise InputError(folder, f"{reason}; remove it or choose another --out")
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def shard_path(folder: Path, fingerprint: str) -> Path:
    return folder / f"{fingerprint}.tfrecord"


def note(folder: Path, fingerprint: str, done: ShardResult) -> None:
    """Says that a shard is finished; not before it lies under its name in the folder. A note that is lost or
    cut off costs the shard only."""
    with published(_note_path(folder, fingerprint), alone=False, durable=False) as (part,):
        part.write_bytes(msgspec.json.encode(done))


def noted(folder: Path) -> set[str]:
    """Returns the fingerprints of the shards that are said to be finished."""
    return {path.stem for path in folder.glob("[!.]*.json")} - {Path(_NAMES).stem, Path(_OLD).stem}


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
    if _is_link(folder):
        return {}
    try:
        return msgspec.json.decode((folder / _NAMES).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def is_moving(folder: Path) -> bool:
    """Returns whether shards are yet to be moved: a manifest beside them is still that of the old set."""
    return any(shard_path(folder, fingerprint).exists() for fingerprint in names(folder).values())


def replaced(folder: Path) -> Replaced | None:
    """Returns what the set that is being moved takes the place of; None before that."""
    try:
        return msgspec.json.decode((folder / _OLD).read_bytes(), type=Replaced) if names(folder) else None
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def publish(
    folder: Path,
    shards: Mapping[str, str],
    sidecars: Mapping[Path, bytes],
    old: Replaced,
    durable: bool,
) -> None:
    """Takes `old` away, moves the shards {final name: fingerprint} and writes the sidecars, in order;
    then the folder goes. When it was stopped anywhere, the same call does the rest: until the folder says
    that all is ready, the old set is whole, and from then on nothing is left to fail but the moves. Power may
    fail: the old manifest, first of the old files, is gone from the disk before a shard is replaced, and all
    is there before the new one. Not `durable`, the disk is not waited for."""
    settle = sync if durable else _unwaited
    if names(folder) != shards:
        for fingerprint in shards.values():
            settle(shard_path(folder, fingerprint))
        _say_ready(folder, shards, old, durable)
        settle(folder)
    for name in old.files if is_moving(folder) else ():
        if name not in shards:  # the others are replaced, at once
            (folder.parent / name).unlink(missing_ok=True)
    settle(folder.parent)
    for name, fingerprint in shards.items():
        if (path := shard_path(folder, fingerprint)).exists():
            path.replace(folder.parent / name)
        elif not (folder.parent / name).exists():  # a store that each process has for itself
            raise InputError(folder.parent / name, "is gone; do all workers see this folder?")
    last = [*sidecars][-1:]
    for path, data in sidecars.items():
        if path in last:
            settle(folder.parent)
        with published(path, durable=durable) as (part,):
            part.write_bytes(data)
    settle(folder.parent)
    discard(folder)


def _say_ready(folder: Path, shards: Mapping[str, str], old: Replaced, durable: bool) -> None:
    for name, content in ((_OLD, old), (_NAMES, shards)):
        with published(folder / name, durable=durable) as (part,):
            part.write_bytes(msgspec.json.encode(content))


def _unwaited(path: Path) -> None:
    """Leaves it to the system when a file or folder comes to the disk."""


def discard(folder: Path) -> None:
    """Removes what runs have put into the folder, and the folder unless something else is in it. A link to
    a folder is none."""
    with suppress(OSError):
        if _is_link(folder):
            return
        for path in folder.iterdir():
            if path.suffix in _OURS or path.name == _LOCK:
                path.unlink(missing_ok=True)
        folder.rmdir()


def _is_link(folder: Path) -> bool:
    return not isinstance(folder, RemotePath) and folder.is_symlink()


def _note_path(folder: Path, fingerprint: str) -> Path:
    return folder / f"{fingerprint}.json"


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size

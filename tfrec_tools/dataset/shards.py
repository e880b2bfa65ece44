"""A set of shards on disk: NAME-00000-of-00010.tfrecord (or NAME-SPLIT-...) ... and beside them
NAME.label_map.pbtxt, NAME.issues.jsonl, NAME.issues.html and, last of all, NAME.manifest.json. A set is
finished when its manifest exists."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tfrec_tools.dataset.manifest import Manifest, read_manifest
from tfrec_tools.errors import InputError
from tfrec_tools.system import stores
from tfrec_tools.system.regular_files import require_regular
from tfrec_tools.system.remote_path import RemotePath

# Ours, and those that TFOD (x.record-00000-of-00010) and TFDS (x.tfrecord-00000-of-00010) write.
_OURS = re.compile(r"(?P<name>.+)-(?P<index>\d{5,})-of-(?P<count>\d{5,})\.tfrecord(?:\.gz)?")
_THEIRS = re.compile(r"(?P<name>.+\.(?:tfrecords?|record))-(?P<index>\d{5,})-of-(?P<count>\d{5,})")
_SPLITS = ("train", "val", "test", "trainval")  # as sets without a manifest may have them
_WHOLE = re.compile(r".+\.(?:tfrecords?|record)(?:\.gz)?")


def shard_paths(prefix: Path, count: int, split: str = "", compression: str = "") -> list[Path]:
    """Returns the files of a set DIR/NAME, or of a split of it, of `count` shards."""
    name = f"{prefix.name}-{split}" if split else prefix.name
    suffix = ".tfrecord.gz" if compression else ".tfrecord"
    return [prefix.with_name(f"{name}-{index:05d}-of-{count:05d}{suffix}") for index in range(count)]


def manifest_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.manifest.json")


def label_map_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.label_map.pbtxt")


def issues_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.issues.jsonl")


def page_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.issues.html")


def prefixes(folder: Path) -> list[Path]:
    """Returns DIR/NAME of each finished set in a folder."""
    ending = ".manifest.json"
    return sorted(path.with_name(path.name.removesuffix(ending)) for path in folder.glob(f"[!.]*{ending}"))


def set_files(prefix: Path, splits: Iterable[str] = ()) -> list[Path]:
    """Returns the files of a set DIR/NAME that exist, the manifest first, so that a set that is being removed
    is an unfinished one from the start. Its splits are those that its manifest names, and `splits`."""
    sidecars = [path(prefix) for path in (manifest_path, label_map_path, issues_path, page_path)]
    names = {prefix.name, *(f"{prefix.name}-{split}" for split in splits)}
    listed = _listed(prefix)
    shards = (
        path
        for path in _entries(prefix.parent)
        if (path.name in listed and is_name_of(path.name, prefix))
        or any(_is_shard_of(path, name) for name in names)
    )
    return [path for path in sidecars if path.exists()] + sorted(shards)


def is_name_of(name: str, prefix: Path) -> bool:
    """Returns whether a file can be a shard of a set DIR/NAME or of one of its splits, by its name."""
    match = _OURS.fullmatch(name)
    return match is not None and (match["name"] == prefix.name or match["name"].startswith(f"{prefix.name}-"))


def files_in(folder: Path, without: Path | None = None) -> list[Path]:
    """Returns the record files in a folder, by name, without those of the set DIR/NAME `without`."""
    files = sorted(entry for entry in _entries(folder) if is_record_file(entry))
    if without is None or not files:
        return files
    own = {file.absolute() for file in set_files(without, _SPLITS)}
    return [file for file in files if file.absolute() not in own]


def _listed(prefix: Path) -> set[str]:
    """Returns the shards that a set's manifest names; none where there is no manifest that can be read."""
    try:
        return {info.file for info in read_manifest(manifest_path(prefix)).shards}
    except (InputError, OSError):
        return set()


def manifest_of(shard: Path) -> Manifest | None:
    """Returns the manifest of the set that a shard belongs to; None where there is none, as for records of
    other tools. Raises InputError where the set's manifest does not list the shard."""
    match = _OURS.fullmatch(shard.name)
    if match is None:
        return None
    whole, _, split = match["name"].rpartition("-")
    names = [match["name"], whole] if whole and split else [match["name"]]
    there = [path for name in names if (path := manifest_path(shard.with_name(name))).exists()]
    for path in there:
        manifest = read_manifest(path)
        if shard.name in (info.file for info in manifest.shards):
            return manifest
        if path == manifest_path(shard.with_name(match["name"])):
            reason = f"is not listed in {path.name} beside it; is it left from an older set?"
            raise InputError(shard, reason)
    return None


def name_of(file: Path) -> str:
    """Returns what the shards of its set are called, without their numbers; the file's own name where it is
    whole."""
    match = _shard_match(file)
    return match["name"] if match else file.name


def record_files(patterns: Sequence[str | Path]) -> list[Path]:
    """Returns the record files that patterns name, each once, in the order of the patterns and then by name.

    A pattern is a file, a folder (all its record files), a set's DIR/NAME (all its splits), DIR/NAME-SPLIT or
    a shell pattern such as 'DIR/NAME-*' (of a store, in the file's name only); sidecars that it matches are
    passed over. Raises InputError where a pattern names no record file, or where shards of a set are missing.
    """
    unique: dict[Path, None] = {}
    for pattern in patterns:
        files = _matching(pattern)
        if not files:
            raise InputError(pattern, "no record files found (.tfrecord, .tfrecords or .record)")
        unique.update(dict.fromkeys(files))
    _require_complete(unique)
    return list(unique)


def _matching(pattern: str | Path) -> list[Path]:
    path = stores.of_url(pattern if isinstance(pattern, Path) else Path(pattern))
    if path.is_file():
        return [path]
    if path.is_dir():
        return files_in(path)
    require_regular(path)
    files = [match for match in sorted(_globbed(path)) if is_record_file(match)]
    files = files or sorted(entry for entry in _entries(path.parent) if _is_shard_of(entry, path.name))
    return files or sorted(path.with_name(file) for file in _listed(path))


def _globbed(path: Path) -> list[Path]:
    if isinstance(path, RemotePath):
        return list(path.parent.glob(path.name))
    return [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207


def _require_complete(files: Iterable[Path]) -> None:
    """All shards of each set exist beside each other, and only one set has its name."""
    counts: dict[Path, set[int]] = {}
    for file in files:
        if match := _shard_match(file):
            counts.setdefault(file.with_name(match["name"]), set()).add(int(match["count"]))
    for prefix, totals in counts.items():
        if len(totals) > 1:
            listed = " and ".join(f"of {total}" for total in sorted(totals))
            raise InputError(prefix, f"shards {listed} lie side by side; name those of one set")
        (total,) = totals
        there = {int(match["index"]) for match in _siblings(prefix, total)}
        missing = [index for index in range(total) if index not in there]
        if missing:
            some = ", ".join(f"{index:05d}" for index in missing[:5])
            reason = f"{len(missing)} of {total} shards are missing: {some}{', ...' if missing[5:] else ''}"
            raise InputError(prefix, reason)


def _siblings(prefix: Path, total: int) -> list[re.Match[str]]:
    matches = (_shard_match(entry) for entry in _entries(prefix.parent))
    return [
        match for match in matches if match and (match["name"], int(match["count"])) == (prefix.name, total)
    ]


def is_record_file(path: Path) -> bool:
    """Returns whether a file is one of records, by its name."""
    named = _WHOLE.fullmatch(path.name) or _THEIRS.fullmatch(path.name)
    return named is not None and not path.name.startswith(".") and path.is_file()


def _is_shard_of(path: Path, name: str) -> bool:
    match = _shard_match(path)
    return match is not None and match["name"] in (name, f"{name}.tfrecord", f"{name}.record")


def _shard_match(path: Path) -> re.Match[str] | None:
    return _OURS.fullmatch(path.name) or _THEIRS.fullmatch(path.name)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []

"""What has the name of a set that is to be written: whether it is that set already, in what it differs, and
whether it may give way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from tfrec_tools import __version__
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.dataset import shards, staging
from tfrec_tools.dataset.changes import Change, differing, told
from tfrec_tools.dataset.manifest import Manifest, read_manifest
from tfrec_tools.dataset.staging import Replaced
from tfrec_tools.errors import InputError, counted

HOW = "replace the set with --if-changed or --overwrite, or choose another --out"


class Wanted(Protocol):
    """A set that is to be written, as `publish.SetPlan` says it."""

    @property
    def out(self) -> Path: ...
    @property
    def overwrite(self) -> bool: ...
    @property
    def if_changed(self) -> bool: ...
    @property
    def splits(self) -> tuple[str, ...]: ...
    @property
    def inputs(self) -> tuple[Path, ...]: ...
    @property
    def replaceable(self) -> tuple[Path, ...]: ...
    @property
    def options(self) -> Mapping[str, str]: ...
    @property
    def versions(self) -> Mapping[str, str]: ...
    @property
    def digest(self) -> str: ...


def finished_before(wanted: Wanted) -> tuple[Manifest, tuple[Issue, ...]] | None:
    """Returns the set as it stands, if the same command on the same input has finished it and it is whole;
    not where it is to be made again all the same."""
    manifest = _manifest_there(wanted)
    folder = staging.folder_of(wanted.out)
    redo = wanted.overwrite and (not staging.names(folder) or staging.is_moving(folder))
    if manifest is None or redo or manifest.digest != wanted.digest or _lacking(wanted.out, manifest):
        return None
    lines = shards.issues_path(wanted.out).read_bytes().splitlines()
    return manifest, tuple(msgspec.json.decode(line, type=Issue) for line in lines)


def old_set(wanted: Wanted, known: tuple[Change, ...] = ()) -> Replaced:
    """Returns what is to give way to a new set, its manifest first, with what differs (`known`, where that is
    known already); but without the label map, if that is the one given. Raises InputError where it may not be
    replaced: by those who did not ask for it, or as it is a source."""
    folder = staging.folder_of(wanted.out)
    inputs = {path.resolve() for path in wanted.inputs}
    staying = {*inputs, *(path.resolve() for path in wanted.replaceable)}
    files = shards.set_files(wanted.out, wanted.splits)
    if any(path.resolve() in inputs for path in files):
        raise InputError(wanted.out, "is also a source; choose another --out")
    there = [path for path in files if path.resolve() not in staying]
    manifest = _manifest_there(wanted)
    changed = known or (() if manifest is None else tuple(_changes(wanted, manifest)))
    moving, before = staging.names(folder), staging.replaced(folder)
    may = wanted.overwrite or (wanted.if_changed and manifest is not None) or (moving and manifest is None)
    if there and not may:
        raise InputError(there[0], f"exists already, {told(changed) or 'unfinished'}; {_advice(manifest)}")
    names = [path.name for path in there]
    names += [name for name in (*moving, *(before.files if before else ())) if _is_ours(name, wanted.out)]
    if manifest is None and before is not None:  # a run that was stopped has taken it away
        return Replaced(tuple(dict.fromkeys(names)), before.outcome, before.changed)
    return Replaced(tuple(dict.fromkeys(names)), "made" if manifest is None else "rebuilt", changed)


def _advice(manifest: Manifest | None) -> str:
    return HOW if manifest else "replace the set with --overwrite or choose another --out"


def _is_ours(name: str, out: Path) -> bool:
    sidecars = (shards.manifest_path, shards.label_map_path, shards.issues_path, shards.page_path)
    return shards.is_name_of(name, out) or name in [path(out).name for path in sidecars]


def _manifest_there(wanted: Wanted) -> Manifest | None:
    """Returns that of the set that has the name, whatever it was made of; None where there is no such set."""
    path = shards.manifest_path(wanted.out)
    try:
        return read_manifest(path)
    except (InputError, FileNotFoundError):
        return None
    except OSError as fault:
        if wanted.overwrite:
            return None
        raise InputError(path, f"cannot be read ({fault.strerror})") from fault


def _changes(wanted: Wanted, manifest: Manifest) -> Iterator[Change]:
    """Yields what differs from what a finished set was made of. Its digest is over all of it: so that of the
    input is known where nothing else differs, or where nothing does."""
    options = differing(manifest.options, wanted.options, "--{}", "default")
    before = {"tfrec": manifest.tool_version, **manifest.versions}
    versions = differing(before, {"tfrec": __version__, **wanted.versions}, "{}", "none")
    lacking = _lacking(wanted.out, manifest)
    if options:
        yield Change("options", options)
    if versions:
        yield Change("version", versions)
    if manifest.digest != wanted.digest and not options and not versions:
        yield Change("input", "annotations, images or a file that an option names are not what they were")
    if lacking:
        yield Change("output", lacking)


def _lacking(out: Path, manifest: Manifest) -> str:
    """Returns which shards of a set are missing or cut off; "" where it is whole."""
    files = [(out.with_name(info.file), info.bytes) for info in manifest.shards]
    bad = [path.name for path, size in files if not (path.is_file() and path.stat().st_size == size)]
    more = f" and {counted(len(bad) - 1, 'more shard')}" if bad[1:] else ""
    return f"{bad[0]}{more} missing or of another size" if bad else ""

"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfrec_tools.errors import InputError
from tfrec_tools.system.remote_path import RemotePath

_CANNOT = (errno.EINVAL, errno.ENOTSUP)  # a file system that keeps nothing back


@contextmanager
def published(*paths: Path, alone: bool = True, durable: bool = True) -> Iterator[tuple[Path, ...]]:
    """Yields temporary names beside `paths` to write to. They get their final names, in the order given, when
    the block ends well and their bytes are on the disk, and are removed when it does not. Not `alone`:
    another may write the same at the same time, so that the temporary names are nobody else's. Not
    `durable`: the disk is not waited for, as whoever reads the file can do without it."""
    mark = "" if alone else f".{uuid.uuid4().hex}"
    parts = tuple(path.with_name(f".{path.name}{mark}.part") for path in paths)
    for part in parts:
        if not isinstance(part, RemotePath) and part.is_symlink():  # which would be written through
            part.unlink()
    try:
        yield parts
        for part in parts if durable else ():
            sync(part)
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    except OSError as fault:
        fault.filename = _final_name(fault.filename, parts, paths)
        raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _final_name(named: object, parts: tuple[Path, ...], paths: tuple[Path, ...]) -> str:
    """Returns the name that users know of the file that an error names; a full disk does not say which."""
    if named is None:
        return str(parts[0].parent)
    finals = {str(part): str(path) for part, path in zip(parts, paths, strict=True)}
    return finals.get(str(named), str(named))


def sync(path: Path) -> None:
    """A file's bytes, or the names in a folder, are on the disk when it returns, whatever the power does."""
    if isinstance(path, RemotePath) or (os.name == "nt" and path.is_dir()):
        return
    file = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as fault:
        if fault.errno not in _CANNOT:
            raise
    finally:
        os.close(file)


@contextmanager
def named_as(final: Path, hidden: Path) -> Iterator[None]:
    """Errors of the disk in a hidden folder name what it will become, as users never asked for it."""
    try:
        yield
    except OSError as fault:
        if isinstance(fault.filename, str | bytes | os.PathLike):
            named = os.fsdecode(fault.filename)
            if named == str(hidden) or named.startswith((f"{hidden}/", f"{hidden}{os.sep}")):
                fault.filename = str(final)
        raise


def require_free(folder: Path) -> None:
    """Raises InputError where a folder to be written holds something already: nothing is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "is there already; give another --out, or remove it")


def _aside(folder: Path) -> Path:
    """Returns what a folder is called while another takes its place."""
    return folder.with_name(f".{folder.name}.replaced")


def restored(folder: Path) -> None:
    """What a run was killed over while another folder took its place is there again, or gone."""
    aside = _aside(folder)
    if aside.is_dir() and not aside.is_symlink():
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.replace(folder)


@contextmanager
def published_folder(folder: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Yields a temporary folder beside `folder` to fill. It gets its final name when the block ends well, and
    is removed when it does not. What it `replaces` stays until then, and goes; else raises InputError as from
    `require_free`."""
    if not replaces:
        require_free(folder)
    part = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    with named_as(folder, part):
        part.mkdir(parents=True)
    try:
        with named_as(folder, part):
            yield part
        if replaces:
            folder.replace(_aside(folder))
        elif folder.exists():
            folder.rmdir()
        part.replace(folder)
        restored(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)

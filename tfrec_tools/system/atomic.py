"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfrec_tools.errors import InputError


@contextmanager
def published(*paths: Path, alone: bool = True) -> Iterator[tuple[Path, ...]]:
    """Yields temporary names beside `paths` to write to. They get their final names, in the order given, when
    the block ends well, and are removed when it does not. Not `alone`: another may write the same at the same
    time, so that the temporary names are nobody else's."""
    mark = "" if alone else f".{uuid.uuid4().hex}"
    parts = tuple(path.with_name(f".{path.name}{mark}.part") for path in paths)
    try:
        yield parts
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    except OSError as fault:
        if fault.filename is None:  # a full disk does not say which
            fault.filename = str(parts[0].parent)
        raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def require_free(folder: Path) -> None:
    """Raises InputError where a folder to be written holds something already: nothing is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(folder, "is there already; give another --out, or remove it")


@contextmanager
def published_folder(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `folder` to fill. It gets its final name when the block ends well, and
    is removed when it does not. Raises InputError as from `require_free`."""
    require_free(folder)
    part = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            folder.rmdir()
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)

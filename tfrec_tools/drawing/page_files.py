"""A page and the folder of thumbnails beside it: page.html, page_files/."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tfrec_tools.errors import InputError, readable
from tfrec_tools.system.atomic import named_as, published

_OURS = re.compile(r"[0-9a-f]{20}\.(jpg|png)")  # as `cards` calls images


@dataclass(frozen=True, slots=True)
class Parts:
    """Temporary names of a page and of its folder, which is at `address` for the page."""

    page: Path
    folder: Path
    address: str


@contextmanager
def published_page(out: Path) -> Iterator[Parts]:
    """Yields names to write a page and its thumbnails to, which get their final ones when the block ends
    well: the page after its thumbnails, while those of the page before are still there. Of the folder only
    thumbnails are replaced and removed. Raises InputError where its name is taken by something else."""
    folder = out.with_name(f"{out.stem}_files")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(folder, "is no folder, and the thumbnails of the page go into one of that name")
    part = out.with_name(f".{folder.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with named_as(folder, part):
            part.mkdir()
            with published(out) as (page,):
                yield Parts(page, part, quote(readable(folder.name)))
                new = {path.name for path in part.iterdir()}
                _move(part, folder, new)
        _remove(folder, new)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _move(part: Path, folder: Path, names: set[str]) -> None:
    if not names:
        return
    if not folder.exists():
        part.replace(folder)
        return
    for name in sorted(names):
        (part / name).replace(folder / name)


def _remove(folder: Path, but: set[str]) -> None:
    """Removes the thumbnails that the page no longer has, and the folder where nothing is left in it."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in but:
            path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()

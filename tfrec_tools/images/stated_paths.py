"""Paths of images as annotations of any system state them."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from unicodedata import normalize


def key(name: str) -> str:
    """Returns a name as others may spell it: without its case, and a letter with its accent as one, which
    macOS writes apart."""
    return (name if name.isascii() else normalize("NFC", name)).lower()


def folders(filename: str) -> tuple[str, ...]:
    """Returns the folders that a file name of any system states, from the innermost on, as `key` has them."""
    parts = key(filename.replace("\\", "/")).split("/")[-2::-1]
    return tuple(part for part in parts if part not in ("", "."))


def fit(stated: tuple[str, ...], path: Path) -> int:
    """Returns how many folders agree with those of a file, from the innermost on."""
    pairs = zip(stated, folders(path.as_posix()), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def leads_out(path: str) -> bool:
    """Returns whether a path, of any system, leads out of the folder that it starts from."""
    if ".." not in path:
        return False
    depth = 0
    for part in path.replace("\\", "/").split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def inside(path: str) -> str:
    """Returns a path without the steps that lead out."""
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "?"

"""Names of files as sources give them, and files that no person has made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tfrec_tools.errors import readable

_LITTER_FOLDERS = ("__macosx", ".ipynb_checkpoints", "@eadir", ".git")
_LITTER = (".ds_store", "thumbs.db", "desktop.ini")


def is_litter(relative: PurePosixPath) -> bool:
    """Returns whether a file, by its path below the source, is one that an operating system or an editor left
    there."""
    name = relative.name.lower()
    folders = (part.lower() for part in relative.parts[:-1])
    return name.startswith("._") or name in _LITTER or any(part in _LITTER_FOLDERS for part in folders)


def sifted(folder: Path, files: Iterable[Path]) -> tuple[list[Path], int]:
    """Returns the files, by path, without litter; and how many were litter."""
    listed = sorted(files)
    kept = [file for file in listed if not is_litter(PurePosixPath(file.relative_to(folder).as_posix()))]
    return kept, len(listed) - len(kept)


def names_a_file(filename: str) -> bool:
    """Returns whether a name can be that of a file: "", ".", "a/.." and "a/" are not, nor is what no file
    system takes."""
    last = filename.replace("\\", "/") if "\\" in filename else filename
    last = last[last.rfind("/") + 1 :]
    return last not in ("", ".", "..") and "\0" not in filename and filename == readable(filename)


def plain(filename: str) -> str:
    """Returns one spelling of the many that a path has: ./a.jpg, b\\..\\a.jpg and .//a.jpg are a.jpg."""
    if not ("\\" in filename or "./" in filename or "//" in filename):
        return filename
    slashed = filename.replace("\\", "/")
    parts: list[str] = []
    for part in slashed.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return ("/" if slashed.startswith("/") else "") + "/".join(parts)

"""Names of files as sources give them, and the annotation files of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tfrec_tools.errors import InputError, readable
from tfrec_tools.system.litter import sifted
from tfrec_tools.system.regular_files import is_special

_WEB = ("http", "https", "ftp", "file")


def annotation_files(path: Path, suffixes: Sequence[str], title: str) -> tuple[list[Path], int]:
    """Returns the files of those suffixes anywhere below a folder, by path, or the file itself; and how many
    files of systems there are beside them. Raises InputError, which names the format by its title, where
    there is none."""
    if path.is_file():
        return [path], 0
    named = (file for file in path.rglob("*") if file.suffix.lower() in suffixes)
    files, litter = sifted(sorted(file for file in named if file.is_file() or is_special(file)), path)
    if not files:
        expected = f"expected a folder of {title} annotations"
        raise InputError(path, f"no {' or '.join(suffixes)} files found, {expected}")
    return files, litter


def below(folder: Path, file: Path) -> str:
    """Returns the path of a file below a folder, with slashes."""
    above, path = f"{folder.as_posix()}/", file.as_posix()
    return path[len(above) :] if path.startswith(above) else path


def names_a_file(filename: str) -> bool:
    """Returns whether a name can be that of a file: "", ".", "a/.." and "a/" are not, nor is what no file
    system takes."""
    last = filename.replace("\\", "/") if "\\" in filename else filename
    last = last[last.rfind("/") + 1 :]
    return last not in ("", ".", "..") and "\0" not in filename and filename == readable(filename)


def of_address(address: str) -> str:
    """Returns the path in an address of the web, or the key in one of a store, where nothing is escaped; a
    file name as it is."""
    scheme, separator, rest = address.partition("://")
    if not separator or not scheme.isalnum():
        return address
    if scheme.lower() not in _WEB:
        return rest.partition("/")[2].lstrip("/")
    try:
        return unquote(urlsplit(address).path).lstrip("/")
    except ValueError:
        return address


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

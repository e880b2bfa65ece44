"""Names of image files, made of what records call them: below one folder, told apart on every system, and
with the suffix of their bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from unicodedata import category

from tfrec_tools.images.loading import has_image_suffix, suffixes_of
from tfrec_tools.images.stated_paths import key
from tfrec_tools.system.litter import is_litter

_FORBIDDEN = re.compile(r'[:*?"<>|]')  # by Windows
_BREAKING = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of pairs, what ends lines
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # of Windows
_LONGEST_BYTES = 200  # of a folder's or file's name; file systems take 255
_LONGEST_PATH_BYTES = 1000


class Namer:
    """Gives each image a name of its own: also where case does not count, nor the suffix, which the
    annotations of an image do not share with it; and no file is where a folder is to be."""

    def __init__(self) -> None:
        self._files: set[str] = set()  # without suffixes
        self._folders: set[str] = set()  # likewise, of those that have one
        self._numbers: dict[str, int] = {}

    def name(self, wanted: str, place: Callable[[str], str]) -> str:
        """Returns the name, or one like it, under which the image's path, which `place` gives for a name, is
        nobody else's."""
        if not self._files.isdisjoint(_folders(place(wanted))):
            wanted = wanted.replace("/", "_")
        name = wanted
        while not self._is_free(path := place(name)):
            self._numbers[wanted] = self._numbers.get(wanted, 1) + 1
            name = _numbered(wanted, self._numbers[wanted])
        self._files.add(_bare(path))
        self._folders |= _folders(path)
        return name

    def _is_free(self, path: str) -> bool:
        bare = _bare(path)
        return bare not in self._files and bare not in self._folders


def safe(filename: str, number: int, head: bytes) -> str:
    """Returns the name, with slashes, for an image that a record, the `number`th from 0, calls `filename`, by
    the first bytes of the image."""
    parts = [_part(part) for part in filename.replace("\\", "/").split("/")]
    parts = [part for part in parts if part]
    if len("/".join(parts).encode()) > _LONGEST_PATH_BYTES:
        parts = parts[-1:]
    name = "/".join(parts) or f"{number:08d}"
    if is_litter(Path(name), Path()):
        name = name.replace("/", "_")
    return _with_suffix(name, suffixes_of(head))


def _part(part: str) -> str:
    """Returns the name of a folder or file as every system takes it and no tool hides it; empty where nothing
    of it is left."""
    kept = "".join("_" if category(letter) in _BREAKING else letter for letter in part)
    kept = _FORBIDDEN.sub("_", kept).strip()
    kept = kept.encode()[:_LONGEST_BYTES].decode(errors="ignore").rstrip(". ")
    return f"_{kept}" if _DEVICE.fullmatch(kept) or kept.startswith(".") else kept


def _with_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    """Returns the name with the first of the suffixes, in place of one of another image; as it is where it
    has one of them, or where nobody knows what the image is."""
    path = PurePosixPath(name)
    if not suffixes:
        return name if path.suffix else f"{name}.bin"
    if path.suffix.lower() in suffixes:
        return name
    return str(path.with_suffix(suffixes[0])) if has_image_suffix(path.name) else f"{name}{suffixes[0]}"


def _numbered(name: str, number: int) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


def _bare(path: str) -> str:
    return str(PurePosixPath(key(path)).with_suffix(""))


def _folders(path: str) -> set[str]:
    """Returns those of a path's folders that files with their suffix cut off may be called as."""
    parents: Iterable[PurePosixPath] = PurePosixPath(key(path)).parents
    return {str(parent.with_suffix("")) for parent in parents if parent.suffix}

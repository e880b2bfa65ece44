"""Files in a ZIP archive as paths: the archive is a folder (download.zip/train/a.jpg), read where it lies.

Nothing is unpacked to a name that the archive chose, so no member can be written anywhere. What an archive
says of its members is judged once, before the first is opened (APPNOTE.TXT of PKWARE has the format).
"""

from __future__ import annotations

import errno
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, Self

from tfrec_tools.errors import InputError, readable
from tfrec_tools.system.litter import is_litter
from tfrec_tools.system.remote_path import ARCHIVE_SUFFIX, RemotePath, Stat

_MAX_RATIO = 200  # annotations pack to a 50th at most; what packs better and is large is there to fill memory
_MAX_PACKED_WELL = 100_000_000  # bytes unpacked


class ArchivePath(RemotePath):
    """A ZIP archive as a folder, or what is in it. A member's time of change is its CRC: the same archive,
    downloaded again, has the same members."""

    def reader(self) -> BinaryIO:
        archive, name = _parted(str(self))
        index = _index(*_version(archive))
        if (member := index.members.get(name)) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return _Member(_opened(os.getpid(), *_version(archive)).open(member), str(self))

    def stat_if_file(self) -> Stat | None:
        archive, name = _parted(str(self))
        member = _index(*_version(archive)).members.get(name) if archive else None
        return None if member is None else Stat(member.file_size, member.CRC)

    def below(self, deep: bool) -> Iterator[tuple[str, Stat]]:
        archive, name = _parted(str(self))
        index = _index(*_version(archive)) if archive else _Index({}, {})
        folders = [name]
        while folders:
            folder = folders.pop()
            for entry in index.entries.get(folder, ()):
                path = f"{folder}/{entry}" if folder else entry
                if (member := index.members.get(path)) is not None:
                    yield f"{archive}/{path}", Stat(member.file_size, member.CRC)
                elif deep:
                    folders.append(path)

    def is_dir(self, **_: object) -> bool:
        archive, name = _parted(str(self))
        return bool(archive) and name in _index(*_version(archive)).entries

    def iterdir(self) -> Generator[Self, None, None]:
        """Yields folders too, as an archive has them."""
        archive, name = _parted(str(self))
        entries = _index(*_version(archive)).entries.get(name, ()) if archive else ()
        return (type(self)(f"{self}/{entry}") for entry in sorted(entries))

    @property
    def is_outermost(self) -> bool:
        return _parted(str(self))[1] == ""


class _Member(io.BufferedReader):
    """A member's bytes; what is wrong with them is an OSError, as it is with a file's."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        super().__init__(file)  # type: ignore[arg-type]
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as fault:
            raise OSError(errno.EIO, f"damaged in the archive: {fault}", self._path) from fault


def located(path: Path) -> ArchivePath | None:
    """Returns an archive as a folder, or what is in one; None where a path is neither. Of an archive whose
    only entry is a folder it is that folder. Raises InputError where it is no ZIP archive, or is one that
    nobody makes for others to read."""
    archive, name = _parted(str(path))
    if not archive:
        return None
    try:
        inside = ArchivePath(path)
        return inside if name else _descended(inside)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as fault:
        reason = " ".join(str(getattr(fault, "strerror", None) or fault).split())
        raise InputError(archive, f"cannot be read as a ZIP archive ({reason})") from fault


def _descended(folder: ArchivePath) -> ArchivePath:
    while True:
        entries = [entry for entry in folder.iterdir() if not is_litter(entry / "a", folder)]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        folder = entries[0]


@dataclass(frozen=True, slots=True)
class _Index:
    """Members by name; names of files and folders by folder ("" for the archive itself)."""

    members: dict[str, zipfile.ZipInfo]
    entries: dict[str, dict[str, None]]


def _version(archive: str) -> tuple[str, int]:
    """Returns an archive and its time of change, so that one that was replaced is read anew."""
    return archive, os.stat(archive).st_mtime_ns  # noqa: PTH116


@lru_cache(maxsize=4)
def _opened(pid: int, archive: str, mtime_ns: int) -> zipfile.ZipFile:  # noqa: ARG001
    """Returns the archive for this process alone: forks share the place in a file that is open."""
    return zipfile.ZipFile(archive)


@lru_cache(maxsize=4)
def _index(archive: str, mtime_ns: int) -> _Index:
    """Raises InputError where a member is none that can be read in safety."""
    members: dict[str, zipfile.ZipInfo] = {}
    entries: dict[str, dict[str, None]] = {"": {}}
    for member in _opened(os.getpid(), archive, mtime_ns).infolist():
        name = member.filename.replace("\\", "/")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        _require_sound(archive, member, name, parts)
        for depth in range(len(parts)):
            entries.setdefault("/".join(parts[:depth]), {})[parts[depth]] = None
        if name.endswith("/"):
            entries.setdefault("/".join(parts), {})
        elif members.setdefault("/".join(parts), member) is not member:
            raise InputError(archive, "stands twice in the archive, expected once", where=readable(name))
    if both := next((name for name in members if name in entries), None):
        raise InputError(archive, "is a file and a folder in the archive", where=readable(both))
    return _Index(members, entries)


def _require_sound(archive: str, member: zipfile.ZipInfo, name: str, parts: list[str]) -> None:
    if ".." in parts or name.startswith("/") or (parts and parts[0].endswith(":")):
        reason = "leads out of the archive"
    elif stat.S_ISLNK(member.external_attr >> 16):
        reason = "is a link, expected files and folders"
    elif member.flag_bits & 1:
        reason = "is encrypted; unpack the archive"
    elif member.file_size > max(_MAX_PACKED_WELL, _MAX_RATIO * member.compress_size):
        sizes = f"{member.file_size} bytes from {member.compress_size} in the archive"
        reason = f"would be {sizes}, which no data set is; unpack it if you trust it"
    else:
        return
    raise InputError(archive, reason, where=readable(name))


@lru_cache(maxsize=64)
def _archive_parts(text: str) -> tuple[str, ...]:
    """Returns the paths that lead to a path and are called as archives are."""
    path = Path(text)
    above = (*reversed(path.parents), path)
    return tuple(str(part) for part in above if part.suffix.lower() == ARCHIVE_SUFFIX)


def _parted(text: str) -> tuple[str, str]:
    """Returns the archive of a path, and what it is in it; nothing where it is in none."""
    for archive in _archive_parts(text):
        if os.path.isfile(archive):  # noqa: PTH113
            return archive, text[len(archive) :].strip("/")
    return "", ""

"""The one place that opens what users name for reading: regular files alone. A FIFO would be waited for, a
device never ends, and a link may lead to either."""

from __future__ import annotations

import codecs
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from tfrec_tools.errors import InputError
from tfrec_tools.system.remote_path import RemotePath

_BLOCK_BYTES = 1 << 20
_KINDS = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


Stamp = tuple[int, int]  # a file's size in bytes, and its time of change in nanoseconds


class NotRegularError(OSError):
    """A file that is no regular one; `strerror` says what it is."""


class ChangedError(InputError):
    """A file that is not what it was when it was looked at before."""


def open_binary(path: Path) -> BinaryIO:
    """Opens a file to be read. Raises NotRegularError where it is a FIFO, socket or device, or a link to one;
    other OSErrors as Path.open does."""
    if isinstance(path, RemotePath):
        return path.open("rb")  # type: ignore[no-any-return]
    return open(path, "rb", opener=_regular)


def open_unbuffered(path: Path) -> FileIO:
    """Opens a file as `open_binary` does; what is read is not read ahead."""
    if isinstance(path, RemotePath):
        return path.open("rb", 0)  # type: ignore[no-any-return]
    return open(path, "rb", 0, opener=_regular)


def open_stream(path: Path) -> BinaryIO:
    """Opens a file that is read once, from its begin to its end, as `open_binary` does; one of a store comes
    as it is read, and is not copied to the disk before."""
    return path.open("rb", 0) if isinstance(path, RemotePath) else open_binary(path)


def open_text(path: Path, encoding: str = "utf-8", newline: str | None = None) -> TextIO:
    """Opens a text as `open_binary` does. Raises InputError as from `require_utf8`."""
    file: Any = open_binary(path)
    try:
        file = file if hasattr(file, "peek") else BufferedReader(file)
        require_utf8(path, file.peek(4))
        return TextIOWrapper(file, encoding=encoding, newline=newline)
    except BaseException:
        file.close()
        raise


def require_utf8(path: Path, start: bytes) -> None:
    """Raises InputError where a text begins with the byte order mark of another encoding, as Windows writes
    it."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        kind = "UTF-32" if start[:4] == codecs.BOM_UTF32_LE else "UTF-16"
        raise InputError(path, f"is {kind} by its byte order mark, expected UTF-8; save it as UTF-8")


def read_bytes(path: Path) -> bytes:
    with open_binary(path) as file:
        return bytes(file.read())


@contextmanager
def at_hand(path: Path) -> Iterator[Path]:
    """Yields a file of a disk with a file's bytes, for who reads them more than once: a local file itself; of
    a store a copy of the same name, which goes with the block."""
    if not isinstance(path, RemotePath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tfrec-") as folder:
        copy = Path(folder, path.name)
        with path.open("rb", 0) as stream, copy.open("wb") as file:
            shutil.copyfileobj(stream, file, _BLOCK_BYTES)
        yield copy


def read_text(path: Path, encoding: str = "utf-8") -> str:
    with open_text(path, encoding) as file:
        return file.read()


def read_part(path: Path, offset: int = 0, length: int | None = None, stamp: Stamp | None = None) -> bytes:
    """Returns `length` bytes of a file from `offset` on, or all that follow; as many as there are. Raises
    ChangedError where the file is not what `stamp` says, before or after; else as `open_binary` does."""
    if isinstance(path, RemotePath):
        return path.read_part(offset, length)
    try:
        opened, found = _opened(path, os.O_RDONLY | os.O_CLOEXEC)
    except NotRegularError as fault:
        if stamp is None:
            raise
        raise _changed(path, stamp, str(fault.strerror)) from fault
    try:
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        require_stamp(path, stamp, found)
        if offset:
            os.lseek(opened, offset, os.SEEK_SET)
        data = _read(opened, max(0, found.st_size - offset) if length is None else length, length is None)
        if stamp is not None:
            require_stamp(path, stamp, os.fstat(opened))
        return data
    finally:
        os.close(opened)


def _read(opened: int, size: int, to_the_end: bool) -> bytes:
    """Returns so many bytes, and whatever follows them `to_the_end`; in one read where nothing does."""
    data = os.read(opened, size + to_the_end)
    if len(data) == size or not data:
        return data
    parts = [data]
    while part := os.read(opened, _BLOCK_BYTES if to_the_end else size - sum(map(len, parts))):
        parts.append(part)
    return b"".join(parts)


def stamp_of(found: os.stat_result) -> Stamp | None:
    """Returns None for what is no regular file."""
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def require_stamp(path: Path, stamp: Stamp | None, now: os.stat_result) -> None:
    """Raises ChangedError where a file is now another than `stamp` says."""
    if stamp is not None and stamp != (now.st_size, now.st_mtime_ns):
        raise _changed(path, stamp, f"now {now.st_size} of another time")


def _changed(path: Path, stamp: Stamp, now: str) -> ChangedError:
    planned = f"was changed while the set was made: planned with {stamp[0]} bytes, {now}"
    return ChangedError(path, f"{planned}; run the same command when nothing writes to it any more")


def _regular(path: Any, flags: int) -> int:
    return _opened(path, flags)[0]


def _opened(path: Any, flags: int) -> tuple[int, os.stat_result]:
    """Opens without waiting for whoever would write into a FIFO; what was opened is asked, so that nothing
    can be put into its place meanwhile. A folder is opened, too, which open() itself refuses."""
    try:
        opened = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as fault:
        if fault.errno in (errno.ENXIO, errno.ENODEV):  # a socket, or a device without its driver
            raise _not_regular(path, os.stat(path).st_mode) from fault  # noqa: PTH116
        raise
    found = os.fstat(opened)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        os.close(opened)
        raise _not_regular(path, found.st_mode)
    return opened, found


def _not_regular(path: Any, mode: int) -> NotRegularError:
    return NotRegularError(errno.EINVAL, _expected(_kind(mode)), os.fspath(path))


def require_regular(path: Path) -> None:
    """Raises InputError where there is something that is neither a regular file nor a folder."""
    if not isinstance(path, RemotePath) and (kind := _special_kind(path)):
        raise InputError(path, _expected(kind))


def is_special(path: Path) -> bool:
    """Returns whether it is a FIFO, socket or device, or a link to one."""
    return not isinstance(path, RemotePath) and bool(_special_kind(path))


def _special_kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else _kind(mode)


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "special file")


def _expected(kind: str) -> str:
    return f"is a {kind}, expected a regular file"

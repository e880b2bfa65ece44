"""The one place that opens what users name for reading: regular files alone. A FIFO would be waited for, a
device never ends, and a link may lead to either."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from tfrec_tools.errors import InputError
from tfrec_tools.system.remote_path import RemotePath

_KINDS = {
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


class NotRegularError(OSError):
    """A file that is no regular one; `strerror` says what it is."""


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


def open_text(path: Path, encoding: str = "utf-8", newline: str | None = None) -> TextIO:
    """Opens a text as `open_binary` does."""
    if isinstance(path, RemotePath):
        return path.open("r", -1, encoding=encoding, newline=newline)  # type: ignore[no-any-return]
    return open(path, encoding=encoding, newline=newline, opener=_regular)


def read_bytes(path: Path) -> bytes:
    with open_binary(path) as file:
        return bytes(file.read())


def read_text(path: Path, encoding: str = "utf-8") -> str:
    with open_text(path, encoding) as file:
        return file.read()


def _regular(path: Any, flags: int) -> int:
    """Opens without waiting for whoever would write into a FIFO; what was opened is asked, so that nothing
    can be put into its place meanwhile."""
    try:
        opened = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as fault:
        if fault.errno in (errno.ENXIO, errno.ENODEV):  # a socket, or a device without its driver
            raise _not_regular(path, os.stat(path).st_mode) from fault  # noqa: PTH116
        raise
    mode = os.fstat(opened).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # open() itself refuses folders
        os.close(opened)
        raise _not_regular(path, mode)
    return opened


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

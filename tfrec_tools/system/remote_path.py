"""Files of stores that are no disk (gs://bucket/a.jpg, s3://..., hdfs://...), as paths: what the light wing
asks of a Path, they answer through a store's library. A class a library; this is what they have in common.

A file that is opened for reading is copied to the temporary disk first, so that it may be mapped and sought;
with buffering=0, as images are read, it is a stream, and nobody asks first whether it is there.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PosixPath
from typing import Any, BinaryIO, Self

from tfrec_tools.errors import InputError
from tfrec_tools.system.litter import is_litter

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=[^/])(.*)")
ARCHIVE_SUFFIX = ".zip"


@dataclass(frozen=True, slots=True)
class Stat:
    """A file's size in bytes and its time of change, as os.stat_result names them."""

    st_size: int
    st_mtime_ns: int


def is_url(path: Path | str) -> bool:
    """Returns whether it names a file of a store, whatever a Path has made of its slashes."""
    return _URL.fullmatch(str(path)) is not None


def spelled(path: os.PathLike[str] | str) -> str:
    """Returns a path as its user wrote it: with the two slashes of a URL, of which a Path makes one."""
    text = str(path)
    match = _URL.fullmatch(text)
    return f"{match[1]}://{match[2]}" if match else text


def require_local(path: Path | str, option: str) -> None:
    """Raises InputError where what an option names is a URL, which would be made a folder of that name."""
    if is_url(path) and not isinstance(path, RemotePath):
        reason = "is a URL, expected a path of this machine; copy what lies in the store, or goes there"
        raise InputError(option, reason, where=spelled(path))


def is_file(path: Path) -> bool:
    """Returns whether there is such a file; takes names of any length, as Path.is_file does not."""
    return path.is_file() if isinstance(path, RemotePath) else os.path.isfile(path)  # noqa: PTH113


def files_below(folder: Path) -> Iterator[Path]:
    """Yields the files in a folder and anywhere below it, in the same order everywhere. Raises InputError
    where one of the folders cannot be listed, as what lies in it would be lost unseen."""
    if isinstance(folder, RemotePath):
        yield from folder.rglob("*")
        return
    for parent, folders, names in os.walk(folder, onerror=_unlisted):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def _unlisted(fault: OSError) -> None:
    if not isinstance(fault, FileNotFoundError | NotADirectoryError) and not is_litter(
        Path(fault.filename, "x"), Path(fault.filename).parent
    ):
        raise InputError(fault.filename, f"cannot be listed ({fault.strerror})") from fault


class RemotePath(PosixPath, ABC):
    """A path of a store. Its folders are prefixes: they exist where a file lies below them. What is not said
    to be written by a class is only read by it: raises OSError (EROFS)."""

    @abstractmethod
    def reader(self) -> BinaryIO:
        """Returns its bytes as a stream. An exception of any kind where there is no such file."""

    @abstractmethod
    def stat_if_file(self) -> Stat | None:
        """Returns None where there is no such file."""

    @abstractmethod
    def below(self, deep: bool) -> Iterator[tuple[str, Stat]]:
        """Yields (URL, what it is) of the files in this folder, and where `deep` in those below it."""

    def part(self, offset: int, length: int | None) -> bytes:
        """Returns `length` bytes from `offset` on, or all that follow."""
        with self.reader() as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    @property
    def is_outermost(self) -> bool:
        """Whether no folder of the store is above it."""
        return not is_url(self.parent)

    def writer(self) -> BinaryIO:
        """Returns a stream whose bytes become the file when it is closed."""
        raise self._only_read()

    def create(self, data: bytes) -> bool | None:  # noqa: ARG002
        """Writes a file where there is none, in one step. Returns whether it did; None of a store that knows
        no such step."""
        return None

    def write_bytes(self, data: Any) -> int:
        with self.open("wb") as file:
            return int(file.write(data))

    def move(self, target: str) -> None:  # noqa: ARG002
        """Moves it to a URL, whose file is replaced."""
        raise self._only_read()

    def delete(self) -> None:
        raise self._only_read()

    def __str__(self) -> str:
        return spelled(super().__str__())

    def __fspath__(self) -> str:
        return str(self)

    def open(self, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
        with self._faults():
            if "w" in mode or buffering == 0:
                raw: BinaryIO = _Stream(self.writer() if "w" in mode else self.reader(), self._faults)
            else:
                raw = self._copied()
        return raw if "b" in mode else io.TextIOWrapper(raw, *args, **options)

    def read_bytes(self) -> bytes:
        with self.open("rb") as file:
            return bytes(file.read())

    def read_part(self, offset: int, length: int | None) -> bytes:
        """Returns `length` bytes from `offset` on, or all that follow; as many as there are."""
        with self._faults():
            return bytes(self.part(offset, length))

    def read_text(self, *args: Any, **options: Any) -> str:
        with self.open("r", -1, *args, **options) as file:
            return str(file.read())

    def stat(self, **_: Any) -> Any:
        with self._faults():
            if (info := self.stat_if_file()) is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return info

    def is_file(self, **_: Any) -> bool:
        with self._faults():
            return self.stat_if_file() is not None

    def is_dir(self, **_: Any) -> bool:
        with self._faults():
            return next(iter(self.below(True)), None) is not None

    def exists(self, **_: Any) -> bool:
        return self.is_file() or self.is_dir()

    def iterdir(self) -> Generator[Self, None, None]:
        with self._faults():
            urls = [url for url, _ in self.below(False)]
        return (type(self)(url) for url in sorted(urls))

    def glob(self, pattern: str, **_: Any) -> Iterator[Self]:  # type: ignore[override]
        return (path for path in self.iterdir() if fnmatchcase(path.name, pattern))

    def rglob(self, pattern: str, **_: Any) -> Iterator[Self]:  # type: ignore[override]
        with self._faults():
            paths = [type(self)(url) for url, _ in self.below(True)]
        return (path for path in sorted(paths) if fnmatchcase(path.name, pattern))

    def replace(self, target: Path | str) -> Self:  # type: ignore[override]
        with self._faults():
            self.move(str(target))
        return type(self)(target)

    def unlink(self, missing_ok: bool = False) -> None:
        if not missing_ok or self.is_file():
            with self._faults():
                self.delete()

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Folders come with their files."""

    def rmdir(self) -> None:
        """Folders go with their files."""

    def resolve(self, strict: bool = False) -> Self:  # noqa: ARG002
        return self

    def _only_read(self) -> OSError:
        return OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    def _copied(self) -> BinaryIO:
        self.stat()
        copy: Any = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        with self.reader() as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        return copy  # type: ignore[no-any-return]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Each library has its own exceptions; whoever deals with files knows OSError."""
        try:
            yield
        except InputError:
            raise
        except OSError as fault:
            if fault.strerror is None:  # a library's own, which says in words alone what it is
                raise self._said(fault, _code(fault)) from fault
            fault.filename = fault.filename or str(self)  # a full temporary disk does not say which
            raise
        except NotImplementedError as fault:  # a store that is only read, such as a web server
            raise self._only_read() from fault
        except Exception as fault:
            raise self._said(fault, errno.EIO) from fault

    def _said(self, fault: Exception, code: int) -> OSError:
        return OSError(code, " ".join(str(fault).split()) or type(fault).__name__, str(self))


def _code(fault: OSError) -> int:
    codes = {FileNotFoundError: errno.ENOENT, PermissionError: errno.EACCES, FileExistsError: errno.EEXIST}
    return next((code for kind, code in codes.items() if isinstance(fault, kind)), errno.EIO)


class _Stream(io.BufferedIOBase, BinaryIO):
    """A stream of a store, whose faults are told as those of its path: much is read, and all is written, long
    after it was opened."""

    def __init__(self, raw: BinaryIO, faults: Callable[[], AbstractContextManager[None]]) -> None:
        self._raw, self._faults = raw, faults

    def readable(self) -> bool:
        return self._raw.readable()

    def writable(self) -> bool:
        return self._raw.writable()

    def seekable(self) -> bool:
        return self._raw.seekable()

    def read(self, size: int | None = -1, /) -> bytes:
        with self._faults():
            return self._raw.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        with self._faults():
            return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def write(self, data: Any, /) -> int:
        with self._faults():
            return self._raw.write(data)

    def close(self) -> None:
        if not self.closed:
            try:
                with self._faults():
                    self._raw.close()
            finally:
                super().close()

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
from collections.abc import Generator, Iterator
from contextlib import contextmanager
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


def _as_url(text: str) -> str:
    """Restores the two slashes that a Path makes one of."""
    match = _URL.fullmatch(text)
    return f"{match[1]}://{match[2]}" if match else text


def require_writable(path: Path) -> None:
    """Raises InputError where it is a URL for which nothing was chosen that writes it."""
    if is_url(path) and not isinstance(path, RemotePath):
        reason = "is a URL, which only --runner writes (Apache Beam: pip install 'tfrec-tools[beam]')"
        raise InputError(_as_url(str(path)), reason)


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

    @property
    def is_outermost(self) -> bool:
        """Whether no folder of the store is above it."""
        return not is_url(self.parent)

    def writer(self) -> BinaryIO:
        """Returns a stream whose bytes become the file when it is closed."""
        raise self._only_read()

    def move(self, target: str) -> None:  # noqa: ARG002
        """Moves it to a URL, whose file is replaced."""
        raise self._only_read()

    def delete(self) -> None:
        raise self._only_read()

    def __str__(self) -> str:
        return _as_url(super().__str__())

    def __fspath__(self) -> str:
        return str(self)

    def open(self, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
        with self._faults():
            choose = self.writer if "w" in mode else self.reader if buffering == 0 else self._copied
            raw = choose()
        return raw if "b" in mode else io.TextIOWrapper(raw, *args, **options)

    def read_bytes(self) -> bytes:
        with self.open("rb") as file:
            return bytes(file.read())

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
            fault.filename = fault.filename or str(self)  # a full temporary disk does not say which
            raise
        except Exception as fault:
            reason = " ".join(str(fault).split()) or type(fault).__name__
            raise OSError(errno.EIO, reason, str(self)) from fault

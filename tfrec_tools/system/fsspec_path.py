"""URLs read and written by this machine through fsspec, where it is installed with what the store needs
(gcsfs, s3fs)."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from tfrec_tools.errors import InputError
from tfrec_tools.system.remote_path import RemotePath, Stat

_EXTRAS = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "s3a": "s3"}  # of this package, by scheme
_P = TypeVar("_P", bound="BucketPath")


class BucketPath(RemotePath):
    """A file to be read."""

    def reader(self) -> BinaryIO:
        files, path = _opened(self)
        return files.open(path, "rb")  # type: ignore[no-any-return]

    def part(self, offset: int, length: int | None) -> bytes:
        """In one request; a stream would fetch blocks that nobody reads."""
        files, path = _opened(self)
        end = None if length is None else offset + length
        return files.cat_file(path, start=offset, end=end)  # type: ignore[no-any-return]

    def stat_if_file(self) -> Stat | None:
        files, path = _opened(self)
        try:
            info = files.info(path)
        except FileNotFoundError:
            return None
        return _stat(info) if info["type"] == "file" else None

    def below(self, deep: bool) -> Iterator[tuple[str, Stat]]:
        files, path = _opened(self)
        for name, info in files.find(path, maxdepth=None if deep else 1, detail=True).items():
            if name != path:
                yield files.unstrip_protocol(name), _stat(info)

    def is_dir(self, **_: Any) -> bool:
        with self._faults():
            files, path = _opened(self)
            return bool(files.isdir(path))


class BucketOutput(BucketPath):
    """A file to be written, or folders of such. What libraries remember of a folder is forgotten before it is
    asked for: other processes write to it."""

    def writer(self) -> BinaryIO:
        files, path = _opened(self)
        return files.open(path, "wb")  # type: ignore[no-any-return]

    def stat_if_file(self) -> Stat | None:
        self._forget()
        return super().stat_if_file()

    def below(self, deep: bool) -> Iterator[tuple[str, Stat]]:
        self._forget()
        return super().below(deep)

    def is_dir(self, **_: Any) -> bool:
        self._forget()
        return super().is_dir()

    def create(self, data: bytes) -> bool | None:
        files, path = _opened(self)
        if not _creates(type(files)):
            return None
        with self._faults():
            try:
                files.pipe_file(path, data, mode="create")
            except Exception:  # each store has its own, for what is there already
                if self.stat_if_file() is None:
                    raise
                return False
        return True

    def move(self, target: str) -> None:
        """Stores know no renaming: they copy, and the name is there when the copy is whole."""
        files, path = _opened(self)
        files.cp_file(path, _opened(type(self)(target))[1])
        files.rm_file(path)

    def delete(self) -> None:
        files, path = _opened(self)
        files.rm_file(path)

    def _forget(self) -> None:
        files, path = _opened(self)
        files.invalidate_cache(path)


def _opened(path: BucketPath) -> tuple[Any, str]:
    """Returns the file system, and what it calls the path."""
    from fsspec.core import url_to_fs

    files, name = url_to_fs(str(path))
    return files, name


def _creates(kind: type) -> bool:
    """Returns whether a file system has a `mode="create"` of its own: fsspec's bases only look before."""
    names = ("_pipe_file", "pipe_file")
    defined = [vars(base)[name] for base in kind.__mro__ for name in names if name in vars(base)]
    return bool(defined) and (
        defined[0].__module__.partition(".")[2] not in ("spec", "asyn")
        and "mode" in inspect.signature(defined[0]).parameters
    )


def _stat(info: dict[str, Any]) -> Stat:
    """Stores say in many ways when a file has changed: all that they say stands for the time."""
    said = hashlib.blake2b(repr(sorted(info.items())).encode(), digest_size=7).digest()
    return Stat(info["size"], int.from_bytes(said))


def located(path: Path, kind: type[_P]) -> _P:
    """Returns a URL as a path. Raises InputError where fsspec, or what it needs for the store, is not
    installed."""
    remote = kind(path)
    try:
        _opened(remote)
    except (ImportError, ValueError) as fault:
        wanted = f"is a URL, which needs fsspec ({' '.join(str(fault).split())}) or --runner (Apache Beam)"
        extra = _EXTRAS.get(str(remote).partition(":")[0])
        how = f"; pip install 'tfrec-tools[{extra}]'" if extra else ""
        raise InputError(remote, f"{wanted}{how}") from fault
    return remote

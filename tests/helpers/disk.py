"""A file system of Beam's for tests: disk://... is below the folder that an environment variable names, so
that workers have it too. Like an object store it knows files, not folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

ROOT = "TFREC_TEST_DISK"
SCHEME = "disk://"


class Disk(LocalFileSystem):
    @classmethod
    def scheme(cls) -> str:
        return "disk"

    def has_dirs(self) -> bool:
        return False

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join((basepath.rstrip("/"), *paths))

    def split(self, path: str) -> tuple[str, ...]:
        return tuple(path.rsplit("/", 1))

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        folder = Path(os.environ[ROOT])
        for path in sorted(folder.rglob("*")):
            url = f"{SCHEME}{path.relative_to(folder)}"
            if url.startswith(dir_or_prefix) and path.is_file():
                yield FileMetadata(url, path.stat().st_size, path.stat().st_mtime)

    def exists(self, path: str) -> bool:
        return Path(_local(path)).is_file()

    def metadata(self, path: str) -> FileMetadata:
        found = Path(_local(path)).stat()
        return FileMetadata(path, found.st_size, found.st_mtime)

    def create(self, path: str, *args: Any, **options: Any) -> BinaryIO:
        return super().create(_local(path), *args, **options)

    def open(self, path: str, *args: Any, **options: Any) -> BinaryIO:
        return super().open(_local(path), *args, **options)

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        super().rename(list(map(_local, source_file_names)), list(map(_local, destination_file_names)))

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            file = Path(_local(path))
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()


def _local(url: str) -> str:
    return f"{os.environ[ROOT]}/{url.removeprefix(SCHEME)}"

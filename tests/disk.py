"""A file system of Beam's for tests: disk://... is below the folder that an environment variable names, so
that workers have it too. Like an object store it knows files, not folders."""

from __future__ import annotations

import os
from pathlib import Path

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

ROOT = "TFREC_TEST_DISK"
SCHEME = "disk://"


class Disk(LocalFileSystem):
    @classmethod
    def scheme(cls):
        return "disk"

    def has_dirs(self):
        return False

    def join(self, basepath, *paths):
        return "/".join((basepath.rstrip("/"), *paths))

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def _list(self, dir_or_prefix):
        folder = Path(os.environ[ROOT])
        for path in sorted(folder.rglob("*")):
            url = f"{SCHEME}{path.relative_to(folder)}"
            if url.startswith(dir_or_prefix) and path.is_file():
                yield FileMetadata(url, path.stat().st_size, path.stat().st_mtime)

    def exists(self, path):
        return Path(_local(path)).is_file()

    def metadata(self, path):
        found = Path(_local(path)).stat()
        return FileMetadata(path, found.st_size, found.st_mtime)

    def create(self, path, *args, **options):
        return super().create(_local(path), *args, **options)

    def open(self, path, *args, **options):
        return super().open(_local(path), *args, **options)

    def rename(self, source_file_names, destination_file_names):
        super().rename(list(map(_local, source_file_names)), list(map(_local, destination_file_names)))

    def delete(self, paths):
        for path in paths:
            file = Path(_local(path))
            file.unlink()
            if not any(file.parent.iterdir()):
                file.parent.rmdir()


def _local(url: str) -> str:
    return f"{os.environ[ROOT]}/{url.removeprefix(SCHEME)}"

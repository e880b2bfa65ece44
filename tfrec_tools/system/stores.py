"""Which path is meant by what a user names: one of this machine's disks, of an archive or of a store."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.system.remote_path import ARCHIVE_SUFFIX, RemotePath, is_url


def located(path: Path) -> Path:
    """Returns what is to be read: a ZIP archive as a folder, a URL as a file of its store, and other paths as
    they are. Raises InputError where that cannot be opened."""
    if isinstance(path, RemotePath):
        return path
    if is_url(path):
        if (local := _local(path)) is not None:
            return located(local)
        from tfrec_tools.system import fsspec_path

        return fsspec_path.located(path, fsspec_path.BucketPath)
    if ARCHIVE_SUFFIX not in str(path).lower():
        return path
    from tfrec_tools.system import archive_path

    return archive_path.located(path) or path


def of_url(path: Path) -> Path:
    """Returns a URL as a file of its store, and any other path as it is, ZIP archives included, which hold no
    records and no models. Raises InputError where the store cannot be opened."""
    return located(path) if is_url(path) else path


def written(path: Path) -> Path:
    """Returns what is to be written: a URL as a file of its store, and other paths as they are. Raises
    InputError where that cannot be opened."""
    if isinstance(path, RemotePath) or not is_url(path):
        return path
    if (local := _local(path)) is not None:
        return local
    from tfrec_tools.system import fsspec_path

    return fsspec_path.located(path, fsspec_path.BucketOutput)


def _local(path: Path) -> Path | None:
    """Returns the path of this machine that file:///a/b names."""
    scheme, _, rest = str(path).partition(":")
    return Path(rest) if scheme == "file" and rest.startswith("/") else None

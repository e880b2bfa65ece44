"""Which path is meant by what a user names: one of this machine's disks, of an archive or of a store."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.system import archive_path, fsspec_path
from tfrec_tools.system.remote_path import RemotePath, is_url


def located(path: Path) -> Path:
    """Returns a ZIP archive as a folder, a URL as a file of its store, and other paths as they are. Raises
    InputError where that cannot be opened."""
    if isinstance(path, RemotePath):
        return path
    if is_url(path):
        return fsspec_path.located(path)
    return archive_path.located(path) or path

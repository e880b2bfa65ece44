"""Paths on the file systems that Beam opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.plan import with_paths
from tfrec_tools.errors import InputError
from tfrec_tools.system import stores
from tfrec_tools.system.remote_path import RemotePath, Stat, is_url

_AS_IT_IS = CompressionTypes.UNCOMPRESSED  # Beam would unpack what is called .gz


class BeamPath(RemotePath):
    """A file to be written, or folders of such."""

    def reader(self) -> BinaryIO:
        return FileSystems.open(str(self), compression_type=_AS_IT_IS)

    def writer(self) -> BinaryIO:
        return FileSystems.create(str(self), compression_type=_AS_IT_IS)

    def stat_if_file(self) -> Stat | None:
        return next((stat for url, stat in _matches(str(self)) if url == str(self)), None)

    def below(self, deep: bool) -> Iterator[tuple[str, Stat]]:
        return _matches(f"{self}/{'**' if deep else '*'}")

    def move(self, target: str) -> None:
        FileSystems.rename([str(self)], [target])

    def delete(self) -> None:
        FileSystems.delete([str(self)])


class BeamInput(BeamPath):
    """A file to be read, which nobody changes meanwhile: its folder is listed once, not asked for each."""

    def stat_if_file(self) -> Stat | None:
        return _listed(str(self.parent)).get(str(self))

    def is_dir(self, **_: Any) -> bool:
        return bool(_listed(str(self))) or super().is_dir()


@cache
def _listed(folder: str) -> dict[str, Stat]:
    """Returns {URL: what it is} of the files in a folder."""
    return dict(_matches(f"{folder}/*"))


def _matches(pattern: str) -> Iterator[tuple[str, Stat]]:
    (result,) = FileSystems.match([pattern])
    for metadata in result.metadata_list:
        yield metadata.path, Stat(metadata.size_in_bytes, int(metadata.last_updated_in_seconds * 1e9))


def in_stores(options: ConvertOptions) -> ConvertOptions:
    """The options with their paths as `located` gives them; folders are listed anew."""
    _listed.cache_clear()
    read = with_paths(options, partial(located, kind=BeamInput))
    return replace(read, out=located(options.prefix, BeamPath))


P = TypeVar("P", bound=BeamPath)


def located(path: Path | str, kind: type[P]) -> Path:
    """Returns the path that is meant: a URL's in its store, a ZIP archive as a folder. Raises InputError
    where Beam lacks what opens it."""
    if not is_url(path):
        return stores.located(Path(path))
    opened = kind(path)
    try:
        FileSystems.get_filesystem(str(opened))
    except (ValueError, BeamIOError) as fault:
        reason = f"Apache Beam cannot open it ({' '.join(str(fault).split())})"
        raise InputError(str(opened), reason) from fault
    return opened

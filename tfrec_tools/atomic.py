"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Temporary names beside `paths` to write to. They get their final names, in the order given, when
    the block ends well, and are removed when it does not."""
    parts = tuple(path.with_name(f".{path.name}.part") for path in paths)
    try:
        yield parts
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    except OSError as fault:
        if fault.filename is None:  # a full disk does not say which
            fault.filename = str(parts[0].parent)
        raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)

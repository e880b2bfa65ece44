"""Files that operating systems and editors leave in folders: nobody annotated them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_LITTER = re.compile(
    r"(?:^|/)"
    r"(?:\._[^/]*$"  # macOS keeps beside a.xml what its disks have no place for
    r"|(?:\.DS_Store|\.directory|Thumbs\.db|ehthumbs\.db|desktop\.ini)$"
    r"|(?:__MACOSX|lost\+found|\.ipynb_checkpoints|\.Trashes|\.Spotlight-V100|\.fseventsd|@eaDir|\$RECYCLE\.BIN)/)",
    re.IGNORECASE,
)


def is_litter(path: Path, folder: Path) -> bool:
    """Returns whether a file below a folder is litter; how the folder itself is called does not matter."""
    return _is_below(path.as_posix(), f"{folder.as_posix()}/")


def _is_below(text: str, above: str) -> bool:
    """Returns `is_litter` of a path and of that of its folder, which ends in a slash."""
    return _LITTER.search(text, len(above) - 1 if text.startswith(above) else 0) is not None


def sifted(paths: Iterable[Path], folder: Path) -> tuple[list[Path], int]:
    """Returns the files below a folder that are no litter, in their order, and how many others there are."""
    files, count = [], 0
    above = f"{folder.as_posix()}/"
    for path in paths:
        if _is_below(path.as_posix(), above):
            count += 1
        else:
            files.append(path)
    return files, count

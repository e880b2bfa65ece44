"""What stands at the ends of a file, from which its format is told."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.system.regular_files import open_binary

_SNIFFED = 1 << 16  # bytes of a file, at its beginning and at its end


def ends(file: Path) -> bytes:
    """Returns what a file begins and ends with; nothing of one that cannot be read."""
    try:
        with open_binary(file) as opened:
            begins = bytes(opened.read(_SNIFFED))
            if (size := file.stat().st_size) > _SNIFFED:
                opened.seek(max(_SNIFFED, size - _SNIFFED))
                return begins + bytes(opened.read(_SNIFFED))
            return begins
    except OSError:
        return b""

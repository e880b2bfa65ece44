"""What lies in a folder, and what its records say."""

from __future__ import annotations

from pathlib import Path

from tfrec_tools.dataset.shards import record_files
from tfrec_tools.tfrecords import example, framing
from tfrec_tools.tfrecords.example import Parsed


def contents(folder: Path) -> dict[str, bytes]:
    """Without the hidden file that holds the times of the source's files."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".state"}


def parsed(folder: Path, name: str = "new") -> list[Parsed]:
    return [
        example.parse_example(data, path.name)
        for path in record_files([str(folder / name)])
        for data in framing.read(path)
    ]

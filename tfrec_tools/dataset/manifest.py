"""What a finished set says of itself: NAME.manifest.json, the last of its files to appear."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from tfrec_tools.errors import InputError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard.

    split            "" where there is none
    records_sha256   SHA-256 (hex) over its records, each without its picture's bytes, for which their
                     SHA-256 in the record (image/key/sha256) stands: no byte is hashed twice. A record
                     without that feature is hashed whole
    crc32c           of the whole file
    """

    file: str
    split: str
    records: int
    bytes: int
    records_sha256: str
    crc32c: int


@dataclass(frozen=True, slots=True)
class SplitInfo:
    """A split: how many images and boxes it has, and of each class how many boxes."""

    name: str
    images: int
    boxes: int
    classes: dict[str, int]


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class of the set's label map, how many images have it and how many boxes it has."""

    id: int
    name: str
    images: int
    boxes: int


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source that was converted: its path as given, its format, how many images it gave, and the classes
    that it was annotated for."""

    path: str
    format: str
    images: int
    labeled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished set holds.

    format_version   of this file; tool_version of the tfrec that wrote it
    name             NAME of the files; label_map is the file of the label map beside them
    images, negatives, boxes   how many; negatives are the images without boxes
    classes          the label map, by id. A record without image/class/label was annotated for all of them
    sources          what was converted
    splits           how the images were divided; none where they were not
    shards           in order
    issues           how many there are of each code
    options          what else the set depends on, as given; versions of the libraries likewise
    digest           of all input and options; the same command on the same input gives the same
    """

    format_version: int
    tool_version: str
    name: str
    label_map: str
    images: int
    negatives: int
    boxes: int
    classes: tuple[ClassInfo, ...]
    sources: tuple[SourceInfo, ...]
    splits: tuple[SplitInfo, ...]
    shards: tuple[ShardInfo, ...]
    issues: dict[str, int]
    options: dict[str, str]
    versions: dict[str, str]
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, in the order of their ids."""
        return tuple(item.name for item in self.classes)


def format_manifest(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(path: Path) -> Manifest:
    """InputError where the file is no manifest, or one of a later version."""
    try:
        version = msgspec.json.decode(path.read_bytes(), type=dict)["format_version"]
        if version != FORMAT_VERSION:
            reason = f"format_version is {version}, but this tfrec reads {FORMAT_VERSION}; update tfrec"
            raise InputError(path, reason)
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as fault:
        raise InputError(path, f"is no manifest of a set of shards ({fault})") from fault

"""What a finished set says of itself: NAME.manifest.json, the last of its files to appear."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_bytes

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard.

    split            "" where there is none
    records_sha256   SHA-256 (hex) over its records, each without its image's bytes, for which their
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
class KeypointInfo:
    """A keypoint of a class: its place among the values of a box, from 0, and its name."""

    id: int
    label: str


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class of the set's label map, how many images have it and how many boxes it has; its keypoints."""

    id: int
    name: str
    images: int
    boxes: int
    keypoints: tuple[KeypointInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """What became of all that a source holds: found = written + what was dropped, by issue code.

    files, litter   annotation files that were read; files of operating systems that were passed over
    found           annotated things (objects, rows, lines, polygons, boxes), and written of them
    images          images that the source names, and images_written of them
    """

    files: int
    litter: int
    found: int
    written: int
    dropped: dict[str, int]
    images: int
    images_written: int
    images_dropped: dict[str, int]

    @property
    def adds_up(self) -> bool:
        counts = (self.written, self.images_written, *self.dropped.values(), *self.images_dropped.values())
        return min(counts) >= 0 and (self.found, self.images) == (
            self.written + sum(self.dropped.values()),
            self.images_written + sum(self.images_dropped.values()),
        )


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A source that was converted: its path as given, its format, how many images it gave, the classes that
    it was annotated for, {class name: category id} where it is COCO's, and what became of all that it holds;
    None where an older tfrec wrote it, or the transforms of Beam."""

    path: str
    format: str
    images: int
    labeled: tuple[str, ...]
    category_ids: dict[str, int | str] = field(default_factory=dict)
    accounting: SourceAccount | None = None


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
    label_map_sha256   of the label map's file; manifest_sha256 of all that stands here but itself. Sets of
                     earlier versions have neither
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
    label_map_sha256: str = ""
    manifest_sha256: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, in the order of their ids."""
        return tuple(item.name for item in self.classes)


def format_manifest(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def sealed(manifest: Manifest) -> Manifest:
    """Returns the manifest with its own checksum."""
    return replace(manifest, manifest_sha256=content_sha256(format_manifest(manifest)))


def content_sha256(data: bytes) -> str:
    """Returns the SHA-256 of what a manifest's JSON says, however it is laid out, but for the checksum in
    it; "" where it is nested too deeply for one of ours."""
    try:
        document = json.loads(data)
    except RecursionError:
        return ""
    document.pop("manifest_sha256", None)
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Raises InputError where the file is no manifest, or one of a later version, or names files that are
    not beside it."""
    try:
        data = read_bytes(path)
        version = msgspec.json.decode(data, type=dict)["format_version"]
        if version != FORMAT_VERSION:
            reason = f"format_version is {version}, but this tfrec reads {FORMAT_VERSION}; update tfrec"
            raise InputError(path, reason)
        manifest = msgspec.json.decode(data, type=Manifest)
    except RecursionError as fault:
        raise InputError(path, "is no manifest of a set of shards (nested too deeply)") from fault
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as fault:
        raise InputError(path, f"is no manifest of a set of shards ({fault})") from fault
    shards = [(f"shards[{number}].file", shard.file) for number, shard in enumerate(manifest.shards)]
    for where, name in (("name", manifest.name), ("label_map", manifest.label_map), *shards):
        if not _is_plain(name):
            raise InputError(
                path, f"is {name!r}, expected the name of a file beside the manifest", where=where
            )
    return manifest


def _is_plain(name: str) -> bool:
    """Returns whether a name is that of a file in the same folder, on any system."""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")

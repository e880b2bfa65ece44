"""Pictures to look at, from files, folders and records, each as convert would store it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Place
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError
from tfrec_tools.images import loading
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import parse_example


@dataclass(frozen=True, slots=True)
class Given:
    """A picture.

    image_id   unlike any other's: the record's source_id where that is a number, else counted from 1
    name       the file's name, or the record's
    data       JPEG or PNG; empty where the file is damaged, which `issues` then says
    """

    image_id: int
    name: str
    data: bytes
    issues: tuple[Issue, ...]


def given(words: Sequence[str]) -> Iterator[Given]:
    """The pictures that the words name, each of which is a picture, a folder of them (and of folders), or
    what `shards.record_files` takes. InputError where one names nothing."""
    used: set[int] = set()
    for place in [place for word in words for place in _places(word)]:
        for source_id, name, data, issues in _read(place):
            image_id = int(source_id) if source_id.isdecimal() else 0
            if image_id in used or image_id == 0:
                image_id = max(used, default=0) + 1
            used.add(image_id)
            yield Given(image_id, name, data, issues)


def _places(word: str) -> list[Path]:
    path = Path(word)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if loading.has_image_suffix(file.name))
        found = found or sorted(file for file in path.iterdir() if shards.is_record_file(file))
        if not found:
            raise InputError(path, "neither pictures nor record files in it")
        return found
    try:
        return shards.record_files([word])
    except InputError as fault:
        if fault.reason.startswith("no record files"):
            raise InputError(path, "not found: no picture, folder or record files") from fault
        raise


def _read(path: Path) -> Iterator[tuple[str, str, bytes, tuple[Issue, ...]]]:
    """(source_id or "", name, data, issues)"""
    if not shards.is_record_file(path):
        loaded = loading.load(Place(path), (0, 0), path.name)
        yield "", path.name, loaded.picture.data if loaded.picture else b"", loaded.issues
        return
    for number, data in enumerate(framing.read(path)):
        parsed = parse_example(data, f"{path} record {number}")
        yield parsed.record.image_id, parsed.record.filename or str(number), parsed.picture.data, ()

"""Images without their annotations, to look at or to calibrate with, from files, folders and records, each as
convert would store it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError, readable
from tfrec_tools.images import loading
from tfrec_tools.system.regular_files import require_regular
from tfrec_tools.system.remote_path import files_below
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import parse_example


@dataclass(frozen=True, slots=True)
class InputImage:
    """An image to look at.

    image_id   unlike any other's: the record's source_id where that is a number, else counted from 1
    name       the file's name, or the record's
    data       JPEG or PNG; empty where the file is damaged, which `issues` then says
    path       of the file; of a record, its name
    """

    image_id: int
    name: str
    data: bytes
    issues: tuple[Issue, ...]
    path: str


def require_images(words: Sequence[str]) -> None:
    """Raises InputError where a word names nothing that `input_images` takes."""
    for word in words:
        places(word)


def input_images(words: Sequence[str]) -> Iterator[InputImage]:
    """Yields the images that the words name, each of which is an image, a folder of them (and of folders), or
    what `shards.record_files` takes. Raises InputError where one names nothing."""
    used: set[int] = set()
    for place in [place for word in words for place in places(word)]:
        for source_id, name, data, issues in _read(place):
            path = name if shards.is_record_file(place) else place.as_posix()
            image_id = int(source_id) if source_id.isdecimal() else 0
            if image_id in used or image_id == 0:
                image_id = max(used, default=0) + 1
            used.add(image_id)
            yield InputImage(image_id, readable(name), data, issues, readable(path))


def places(word: str) -> list[Path]:
    """Returns the image files or record files that a word names. Raises InputError where there are none."""
    path = Path(word)
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(file for file in files_below(path) if loading.has_image_suffix(file.name))
        files = files or sorted(file for file in path.iterdir() if shards.is_record_file(file))
        if not files:
            raise InputError(path, "neither images nor record files in it")
        return files
    require_regular(path)
    try:
        return shards.record_files([word])
    except InputError as fault:
        if fault.reason.startswith("no record files"):
            raise InputError(path, "not found: no image, folder or record files") from fault
        raise


def _read(path: Path) -> Iterator[tuple[str, str, bytes, tuple[Issue, ...]]]:
    """Yields (source_id or "", name, data, issues)"""
    if not shards.is_record_file(path):
        try:
            loaded = loading.load(ByteRange(path), loading.Canvas(path.name))
        except InputError as fault:  # a link to nothing, say: no reason to look at none of the others
            issue = Issue("image-damaged", path.name, None, f"{path.name}: {fault.reason}", fixed=False)
            yield "", path.name, b"", (issue,)
            return
        yield "", path.name, loaded.image.data if loaded.image else b"", loaded.issues
        return
    for number, data in enumerate(framing.read(path)):
        parsed = parse_example(data, f"{path} record {number}")
        yield parsed.record.image_id, parsed.record.filename or str(number), parsed.image.data, ()

"""Images without labels, in records of their own: found in folders, or taken out of records without what is
annotated there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange, image_record
from tfrec_tools.dataset import shards
from tfrec_tools.detector.data import inputs
from tfrec_tools.detector.data.index import IndexedExample, index_records, silent
from tfrec_tools.errors import InputError, readable
from tfrec_tools.images import loading
from tfrec_tools.images.loading import Canvas, EncodedImage
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.atomic import published
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example, parse_example

FLAG = "--unlabelled"


def index_unlabelled(file: Path, labels: LabelMap) -> list[IndexedExample]:
    """Returns the images of a file that `write_unlabelled` wrote: annotated for no class."""
    return [replace(example, labeled=frozenset()) for example in index_records([str(file)], labels)]


def write_unlabelled(
    file: Path, words: Sequence[str], note: Callable[[str], None], progress: Callable[[int], None] = silent
) -> None:
    """Writes a TFRecord file of the images that the words name, each of which is an image, a folder of them
    or records, as convert would store them. What is damaged, and what is annotated in records, is left out;
    `note` is told how much. Raises InputError where a word names nothing, or no image can be used."""
    places = [place for word in words for place in inputs.places(word)]
    damaged: list[Issue] = []
    boxes: Counter[Path] = Counter()
    count = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with published(file) as (part,):

        def examples() -> Iterator[bytes]:
            nonlocal count
            for place in places:
                for name, image in _images(place, damaged, boxes):
                    count += 1
                    progress(count)
                    yield _example(count, name, image)

        framing.write(part, examples())
        if not count:
            first = f", the first: {damaged[0].message}" if damaged else ""
            raise InputError(FLAG, f"{' '.join(words)} holds no image that can be read{first}")
    for line in _left_out(damaged, boxes):
        note(line)


def _images(place: Path, damaged: list[Issue], boxes: Counter[Path]) -> Iterator[tuple[str, EncodedImage]]:
    """Yields the images of a file with their names."""
    if not shards.is_record_file(place):
        loaded = loading.load(ByteRange(place), Canvas(place.name))
        if loaded.image is None:
            damaged.extend(loaded.issues)
        else:
            yield place.name, loaded.image
        return
    for number, data in enumerate(framing.read(place)):
        parsed = parse_example(data, f"{place} record {number}")
        boxes[place] += len(parsed.record.names)
        yield parsed.record.filename or str(number), parsed.image


def _example(number: int, name: str, image: EncodedImage) -> bytes:
    record = image_record(
        image_id=str(number), filename=readable(name), source=FLAG, width=image.width, height=image.height
    )
    return encode_example(record, image, {})


def _left_out(damaged: Sequence[Issue], boxes: Counter[Path]) -> Iterator[str]:
    if damaged:
        codes = Counter(issue.code for issue in damaged)
        listed = ", ".join(f"{count} {code}" for code, count in codes.items())
        yield f"{FLAG}: {len(damaged)} images are left out ({listed}), the first: {damaged[0].message}"
    if annotated := [file for file, count in boxes.items() if count]:
        yield (
            f"{FLAG}: {boxes.total()} annotated boxes are not looked at (the first file: {annotated[0]}); "
            "--replay learns from them"
        )

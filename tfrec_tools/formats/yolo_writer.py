"""YOLO as yolo reads it, in Ultralytics' layout: images/, labels/ and data.yaml, both folders with a
subfolder a split where there are splits. A row is the class from 0, then x and y of the centre, width and
height as fractions of the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from tfrec_tools.formats import decimals
from tfrec_tools.formats.writing import EDGES, Document, Outgoing, Part, Told
from tfrec_tools.labels.label_map import LabelMap

SAYS = frozenset[str]()
SPLITS = ("train", "val", "test")
_IMAGES = "images"


def image_path(name: str, split: str) -> str:
    """Returns where an image goes; a name that starts with these folders keeps them, as it has been read from
    there."""
    folder = PurePosixPath(_IMAGES, split if split in SPLITS else "")
    return name if PurePosixPath(name).is_relative_to(folder) else str(folder / name)


def of_image(image: Outgoing, labels: LabelMap) -> Told:
    numbers = {name: number for number, name in enumerate(labels.names)}
    boxes, lost = decimals.centres(image.fractions_xyxy, image.width, image.height)
    rows = [
        " ".join((str(numbers[image.record.names[i]]), *map(decimals.text, box)))
        for i, box in zip(image.finite, boxes.tolist(), strict=True)
    ]
    data = "".join(f"{row}\n" for row in rows).encode()
    files = {_text_path(image_path(image.name, image.split)): data}
    return Told(len(rows), files, unsaid={EDGES: lost})


def documents(parts: Sequence[Part], labels: LabelMap) -> Iterator[Document]:
    """data.yaml. Without splits all images are in train: Ultralytics wants a val too, and nothing says which
    images that would be."""
    yield "data.yaml", iter([_yaml([part.split for part in parts], labels).encode()])


def sources(splits: Sequence[str]) -> list[str]:  # noqa: ARG001
    return [""]


def _text_path(image: str) -> str:
    """Returns where Ultralytics looks for the text of an image: below labels in the place of the last
    folder that is called images."""
    path = PurePosixPath(image)
    parts = list(path.with_suffix(".txt").parts)
    last = max(i for i, part in enumerate(parts[:-1]) if part == _IMAGES)
    return str(PurePosixPath(*parts[:last], "labels", *parts[last + 1 :]))


def _yaml(splits: Sequence[str], labels: LabelMap) -> str:
    import yaml

    named = [split for split in SPLITS if split in splits]
    places = {split: f"{_IMAGES}/{split}" for split in named} or {"train": _IMAGES}
    note = "" if named else "# the records have no splits; Ultralytics wants a val: too\n"
    document = {**places, "nc": len(labels), "names": dict(enumerate(labels.names))}
    return f"{note}{yaml.safe_dump(document, sort_keys=False, allow_unicode=True)}"

"""YOLO as yolo reads it, in Ultralytics' layout: images/, labels/ and data.yaml, both folders with a
subfolder a split where there are splits. A row is the class from 0, then x and y of the centre, width and
height as fractions of the image; behind them x, y and visibility of keypoints, where all classes have as
many; or the class and a polygon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.records import Floats
from tfrec_tools.formats import decimals
from tfrec_tools.formats.writing import BOX, EDGES, KEYPOINTS, Document, Outgoing, Part, Told, with_keypoints
from tfrec_tools.images.masks import to_pixels
from tfrec_tools.images.outlines import outline
from tfrec_tools.labels.label_map import LabelMap

SAYS = frozenset(("keypoints",))  # where all classes have as many
SPLITS = ("train", "val", "test")
OUTLINED_SAYS = frozenset(("mask",))
_IMAGES = "images"
_PLACES = 9  # behind the point, of a corner: a millionth of a pixel


def image_path(name: str, split: str) -> str:
    """Returns where an image goes; a name that starts with these folders keeps them, as it has been read from
    there."""
    folder = PurePosixPath(_IMAGES, split if split in SPLITS else "")
    return name if PurePosixPath(name).is_relative_to(folder) else str(folder / name)


def of_image(image: Outgoing, labels: LabelMap) -> Told:
    """Rows of boxes, with their keypoints."""
    boxes, lost = decimals.centres(image.fractions_xyxy, image.width, image.height)
    count = _keypoints(labels)
    if not count:
        return _told(image, labels, boxes.tolist(), {EDGES: lost, KEYPOINTS: with_keypoints(image)})
    rows = [box + _numbers(image, image.keypoints_of(row, count)) for row, box in enumerate(boxes.tolist())]
    return _told(image, labels, rows, {EDGES: lost})


def _keypoints(labels: LabelMap) -> int:
    """Returns how many keypoints every class has, 0 where that differs: data.yaml says one number for all."""
    counts = {len(label.keypoints) for label in labels.labels}
    return counts.pop() if len(counts) == 1 else 0


def _numbers(image: Outgoing, keypoints: Floats) -> list[float]:
    """Returns x y visibility x y visibility ... of (K, 3)."""
    x_y = decimals.shares(keypoints[:, :2].astype(np.float32), image.width, image.height)
    numbers: list[float] = np.hstack([x_y, keypoints[:, 2:]]).ravel().tolist()
    return numbers


def outlined(image: Outgoing, labels: LabelMap) -> Told:
    """Rows of polygons, the outlines of masks; of a box without a mask the box. A polygon has the box around
    it, whatever the record's is. Raises InputError where a mask is none."""
    polygons = _polygons(image) if image.record.masks else {}
    bare = [row for row in range(len(image.finite)) if row not in polygons]
    boxes, lost = decimals.centres(image.fractions_xyxy[bare], image.width, image.height)
    numbers = dict(zip(bare, boxes.tolist(), strict=True))
    other = 0
    for row, polygon in polygons.items():
        around_xyxy = np.hstack([polygon.min(axis=0), polygon.max(axis=0)]).astype(np.float32)
        other += not np.array_equal(around_xyxy, image.fractions_xyxy[row])
        numbers[row] = np.round(polygon, _PLACES).ravel().tolist()
    return _told(image, labels, [numbers[row] for row in sorted(numbers)], {EDGES: lost, BOX: other})


def _polygons(image: Outgoing) -> dict[int, NDArray[np.float64]]:
    """Returns {row: (points, 2) x y as fractions of the image} of the masks in which anything is."""
    size_wh = (image.width, image.height)
    record = image.record
    outlines = (outline(to_pixels(record.masks[box], record.source, size_wh)) for box in image.finite)
    return {row: np.array(points, np.float64) / size_wh for row, points in enumerate(outlines) if points}


def _told(
    image: Outgoing, labels: LabelMap, numbers: Sequence[Sequence[float]], unsaid: Mapping[str, int]
) -> Told:
    ids = {name: number for number, name in enumerate(labels.names)}
    rows = [
        " ".join((str(ids[image.record.names[i]]), *map(decimals.text, of_row)))
        for i, of_row in zip(image.finite, numbers, strict=True)
    ]
    data = "".join(f"{row}\n" for row in rows).encode()
    files = {_text_path(image_path(image.name, image.split)): data}
    return Told(len(rows), files, unsaid=unsaid)


def documents(parts: Sequence[Part], labels: LabelMap) -> Iterator[Document]:
    """data.yaml. Without splits all images are in train: Ultralytics wants a val too, and nothing says which
    images that would be."""
    yield "data.yaml", iter([_yaml([part.split for part in parts], labels, _keypoints(labels)).encode()])


def outlined_documents(parts: Sequence[Part], labels: LabelMap) -> Iterator[Document]:
    """data.yaml of polygons, which have no keypoints."""
    yield "data.yaml", iter([_yaml([part.split for part in parts], labels, 0).encode()])


def sources(splits: Sequence[str]) -> list[str]:  # noqa: ARG001
    return [""]


def _text_path(image: str) -> str:
    """Returns where Ultralytics looks for the text of an image: below labels in the place of the last
    folder that is called images."""
    path = PurePosixPath(image)
    parts = list(path.with_suffix(".txt").parts)
    last = max(i for i, part in enumerate(parts[:-1]) if part == _IMAGES)
    return str(PurePosixPath(*parts[:last], "labels", *parts[last + 1 :]))


def _yaml(splits: Sequence[str], labels: LabelMap, keypoints: int) -> str:
    import yaml

    named = [split for split in SPLITS if split in splits]
    places = {split: f"{_IMAGES}/{split}" for split in named} or {"train": _IMAGES}
    of_keypoints = [name for label in labels.labels for _, name in label.keypoints]
    plain = all(name.isprintable() for name in (*labels.names, *of_keypoints))  # else line breaks are folded
    note = "" if named else "# the records have no splits; Ultralytics wants a val: too\n"
    document: dict[str, Any] = {**places, "nc": len(labels), "names": dict(enumerate(labels.names))}
    if keypoints:
        document["kpt_shape"] = [keypoints, 3]
        document["kpt_names"] = {
            number: [name for _, name in label.keypoints] for number, label in enumerate(labels.labels)
        }
    return f"{note}{yaml.safe_dump(document, sort_keys=False, allow_unicode=plain)}"

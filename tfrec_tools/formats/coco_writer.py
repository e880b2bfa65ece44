"""COCO instances JSON (https://cocodataset.org/#format-data) as coco reads it: boxes [x y width height] in
pixels, category ids of the label map, masks as COCO's packed run lengths, keypoints as x, y in pixels and
visibility. An image that was not annotated for
all categories has their names in `labeled`, a box that counts less in training its `training_weight`: these
are ours, others read over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from tfrec_tools.formats import decimals
from tfrec_tools.formats.writing import EDGES, Document, Outgoing, Part, Told
from tfrec_tools.images import masks
from tfrec_tools.labels.label_map import Label, LabelMap

SAYS = frozenset(("crowd", "area", "mask", "weight", "keypoints"))
_IMAGES, _ANNOTATIONS = "images", "annotations"


def image_path(name: str, split: str) -> str:  # noqa: ARG001
    return f"images/{name}"


def of_image(image: Outgoing, labels: LabelMap) -> Told:
    """Raises InputError where a mask is none."""
    entry: dict[str, Any] = {
        "id": image.image_id,
        "file_name": image.name,
        "width": image.width,
        "height": image.height,
    }
    labeled = image.record.labeled
    if labeled is not None and not labeled.issuperset(labels.names):
        entry["labeled"] = sorted(labeled)
    boxes, lost = decimals.xywh(image.fractions_xyxy, image.width, image.height)
    annotations = list(_annotations(image, labels, boxes.tolist()))
    texts = {_IMAGES: _encode(entry), _ANNOTATIONS: "\n".join(map(_encode, annotations))}
    return Told(len(annotations), texts=texts, unsaid={EDGES: lost})


def documents(parts: Sequence[Part], labels: LabelMap) -> Iterator[Document]:
    """annotations/instances.json, or a file a split, each with all categories."""
    for part in parts:
        yield file_of(part.split), _document(part, labels)


def sources(splits: Sequence[str]) -> list[str]:
    return [file_of(split) for split in splits]


def file_of(split: str) -> str:
    return f"annotations/instances{split and '_'}{split}.json"


def _annotations(
    image: Outgoing, labels: LabelMap, boxes_xywh: list[list[float]]
) -> Iterator[dict[str, Any]]:
    record, size_wh = image.record, (image.width, image.height)
    by_name = {label.name: label for label in labels.labels}
    for row, (i, box, area) in enumerate(zip(image.finite, boxes_xywh, image.areas, strict=True)):
        label = by_name[record.names[i]]
        segmentation = masks.to_rle(record.masks[i], record.source, size_wh) if record.masks else None
        yield {
            "id": image.first_box + i + 1,
            "image_id": image.image_id,
            "category_id": label.id,
            "bbox": [decimals.whole(value) for value in box],
            "area": decimals.whole(area),
            "iscrowd": int(record.crowd[i]),
            "segmentation": segmentation or [],
            **({"training_weight": record.weights[i]} if record.weights else {}),
            **(_keypoints(image, row, len(label.keypoints)) if label.keypoints else {}),
        }


def _keypoints(image: Outgoing, row: int, count: int) -> dict[str, Any]:
    keypoints = image.keypoints_of(row, count)
    x_y = decimals.points(keypoints[:, :2].astype(np.float32), image.width, image.height)
    numbers = np.hstack([x_y, keypoints[:, 2:]]).ravel().tolist()
    return {
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "keypoints": [decimals.whole(number) for number in numbers],
    }


def _document(part: Part, labels: LabelMap) -> Iterator[bytes]:
    categories = [_category(label) for label in labels.labels]
    yield b'{"info": {"description": "extracted by tfrec"}, "licenses": [],\n"categories": [\n'
    yield from _joined(map(_encode, categories))
    for key in (_IMAGES, _ANNOTATIONS):
        yield f'],\n"{key}": [\n'.encode()
        yield from _joined(chain.from_iterable(text.splitlines() for text in part.texts(key)))
    yield b"]}\n"


def _category(label: Label) -> dict[str, Any]:
    names = [name for _, name in label.keypoints]
    return {"id": label.id, "name": label.name} | ({"keypoints": names} if names else {})


def _joined(lines: Iterator[str]) -> Iterator[bytes]:
    """Yields elements of an array, one a line."""
    before = ""
    for line in lines:
        yield f"{before}{line}".encode()
        before = ",\n"
    yield b"\n"


def _encode(value: Any) -> str:
    """Returns JSON of one line, in ASCII."""
    return json.dumps(value)

"""Pascal VOC as voc reads it, in the folders of its devkit: Annotations, JPEGImages, ImageSets/Main.
Coordinates stand as the TensorFlow world reads them, from 0, as origin 0 of the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from tfrec_tools.errors import InputError
from tfrec_tools.formats import decimals
from tfrec_tools.formats.voc import SPLITS
from tfrec_tools.formats.voc_objects import CORNERS
from tfrec_tools.formats.writing import Document, Outgoing, Part, Told
from tfrec_tools.labels.label_map import LabelMap

_FLAGS = ("truncated", "difficult", "occluded")
_ALWAYS = ("truncated", "difficult")  # as LabelImg has them
SAYS = frozenset((*_FLAGS, "pose"))
_IMAGES = "JPEGImages"
_DEPTH = "3"


def image_path(name: str, split: str) -> str:  # noqa: ARG001
    return f"{_IMAGES}/{name}"


def of_image(image: Outgoing, labels: LabelMap) -> Told:  # noqa: ARG001
    """Raises InputError where a class's name cannot stand in XML."""
    from lxml import etree

    path = PurePosixPath(image.name)
    root = etree.Element("annotation")
    try:
        for tag, text in (("folder", str(PurePosixPath(_IMAGES, path.parent))), ("filename", path.name)):
            etree.SubElement(root, tag).text = text
        size = etree.SubElement(root, "size")
        for tag, text in (("width", str(image.width)), ("height", str(image.height)), ("depth", _DEPTH)):
            etree.SubElement(size, tag).text = text
        boxes = decimals.corners(image.fractions_xyxy, image.width, image.height).tolist()
        for i, box in zip(image.finite, boxes, strict=True):
            _add_object(root, image, i, box)
    except ValueError as fault:
        raise InputError(image.record.source, f"has a name that cannot stand in XML ({fault})") from fault
    etree.indent(root, "\t")
    data = etree.tostring(root, encoding="utf-8") + b"\n"
    return Told(len(boxes), files={f"Annotations/{path.with_suffix('.xml')}": data})


def documents(parts: Sequence[Part], labels: LabelMap) -> Iterator[Document]:  # noqa: ARG001
    """A list of names for each split."""
    for part in parts:
        if part.split in SPLITS:
            lines = (f"{PurePosixPath(name).with_suffix('')}\n".encode() for name in part.names)
            yield f"ImageSets/Main/{part.split}.txt", lines


def sources(splits: Sequence[str]) -> list[str]:  # noqa: ARG001
    return [""]


def _add_object(root: Any, image: Outgoing, number: int, box: Sequence[float]) -> None:
    """Adds a box; flags besides the usual, and a pose, only where the record says so."""
    from lxml import etree

    record = image.record
    element = etree.SubElement(root, "object")
    etree.SubElement(element, "name").text = record.names[number]
    if record.poses and record.poses[number]:
        etree.SubElement(element, "pose").text = record.poses[number]
    for flag in _FLAGS:
        is_set = bool(getattr(record, flag)[number])
        if is_set or flag in _ALWAYS:
            etree.SubElement(element, flag).text = str(int(is_set))
    bndbox = etree.SubElement(element, "bndbox")
    for tag, value in zip(CORNERS, box, strict=True):
        etree.SubElement(bndbox, tag).text = decimals.text(value)

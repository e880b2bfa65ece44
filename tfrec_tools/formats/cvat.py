"""CVAT XML 1.1, for images and for video: one file for a job, a task or a project.

Classes are the labels of its head in their order, then any others that occur. An image that it lists without
shapes is one without objects. Images of a subset are looked for below a folder of its name, where CVAT's
exports of projects have them. Format: docs.cvat.ai, "XML annotation format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import Source
from tfrec_tools.formats import drawn
from tfrec_tools.formats.cvat_meta import Meta, split_of, whole
from tfrec_tools.formats.cvat_shapes import ShapeReading, drawn_of
from tfrec_tools.formats.cvat_tracks import Tracks
from tfrec_tools.formats.drawn import DrawnImage, Unusable
from tfrec_tools.formats.file_names import annotation_files
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.sniffing import ends
from tfrec_tools.formats.xml_documents import children_of_root

_ROOT = re.compile(rb"<annotations[\s>]")
_PARTS = re.compile(rb"<(?:image|track)\s|<meta[\s>]")
_KNOWN = ("version", "meta", "image", "track")


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of a file, or of all in a folder, by path. Raises InputError where one is no XML or
    none of CVAT's, or where what stands between the keyframes of its tracks is unclear."""
    files, litter = annotation_files(path, (".xml",), "CVAT")
    classes: list[str] = []
    items = (item for file in files for item in _items(path, file, classes, options))
    return drawn.source(items, len(files), classes=classes, litter=litter)


def _items(
    path: Path, file: Path, classes: list[str], options: ReadOptions
) -> Iterator[DrawnImage | Unusable]:
    """Yields the images of a file of the source `path`, one by one; its labels are added to the classes."""
    below = PurePosixPath(file.name if file == path else file.relative_to(path).as_posix())
    source, folder = str(below), "" if below.parent == PurePosixPath() else str(below.parent)
    meta = Meta()
    tracks = Tracks(file, meta, options)
    images = numbered = 0
    for element in children_of_root(file, "annotations", _KNOWN):
        match element.tag:
            case "meta":
                meta.read(element)
                classes += meta.classes
            case "image":
                yield _image(element, f"{source} image[{images}]", folder, meta, options)
                images += 1
            case "track":
                tracks.add(element, numbered)
                numbered += 1
            case tag if tag != "version":
                yield _stray(source, f"<{tag}> in <annotations> is not known")
    for why in tracks.lost:
        yield _stray(source, why)
    yield from tracks.images(source, folder)


def _stray(source: str, why: str) -> Unusable:
    """Returns an object that is in no image."""
    return Unusable(Issue("annotation-unread", source, None, why, True), 1, is_image=False)


def _image(element: Any, source: str, folder: str, meta: Meta, options: ReadOptions) -> DrawnImage:
    subset = element.get("subset", "")
    width, height = whole(element.get("width")), whole(element.get("height"))
    reading = ShapeReading((width, height), options.masks, options.boxes_from == "keypoints")
    name = element.get("name", "")
    return DrawnImage(
        source=source,
        filename="/".join(filter(None, (folder, subset, name))) if name else "",
        objects=tuple(
            [drawn_of(shape, shape.get("label", ""), number, reading) for number, shape in enumerate(element)]
        ),
        width=width,
        height=height,
        split=split_of(subset or meta.task(element.get("task_id", "")).subset),
    )


def labels(file: Path) -> list[str]:
    """Returns the labels of a file's head, in their order."""
    meta = Meta()
    for element in children_of_root(file, "annotations", _KNOWN):
        if element.tag == "meta":
            meta.read(element)
            break
    return list(dict.fromkeys(meta.classes))


def shows(file: Path) -> bool:
    """Returns whether an XML file is one of CVAT's."""
    data = ends(file)
    return _ROOT.search(data) is not None and _PARTS.search(data) is not None

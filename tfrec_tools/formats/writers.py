"""Annotation formats that are written: each module writes one, beside the module that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

from tfrec_tools.formats import coco_writer, csv_writer, voc, voc_writer, yolo_writer
from tfrec_tools.formats.writing import Document, Outgoing, Part, Told
from tfrec_tools.labels.label_map import LabelMap


@dataclass(frozen=True, slots=True)
class Writer:
    """How a format is written, below one folder.

    says         what it says of a box beside class and place (keys of `writing.unsaid`)
    labeled      whether it says which classes an image was annotated for
    splits       the splits that it knows; None: any
    image_path   (name, split): where the file of an image goes
    lists_classes   whether it lists classes that no box is of
    has_ids      whether its images have ids beside their names
    named_by     what its reader calls an image: by its "name", or by its "path" with all folders
    of_image     what is said of an image; `documents` are the files of all images
    flags        what `tfrec convert` must be told besides
    sources      (splits): what is given to `tfrec convert`, "" for the folder itself
    """

    says: frozenset[str]
    labeled: bool
    lists_classes: bool
    has_ids: bool
    splits: tuple[str, ...] | None
    image_path: Callable[[str, str], str]
    named_by: Literal["name", "path"]
    of_image: Callable[[Outgoing, LabelMap], Told]
    documents: Callable[[Sequence[Part], LabelMap], Iterator[Document]]
    sources: Callable[[Sequence[str]], list[str]]
    flags: tuple[str, ...] = ()


def _writer(module: ModuleType, named_by: Literal["name", "path"] = "name", **facts: Any) -> Writer:
    """Returns the writer of a module, whose functions have the names of the fields."""
    return Writer(
        says=module.SAYS,
        image_path=module.image_path,
        of_image=module.of_image,
        documents=module.documents,
        sources=module.sources,
        named_by=named_by,
        **facts,
    )


WRITERS: dict[str, Writer] = {
    "coco": _writer(coco_writer, labeled=True, lists_classes=True, has_ids=True, splits=None),
    "voc": _writer(voc_writer, labeled=False, lists_classes=False, has_ids=False, splits=voc.SPLITS),
    "yolo": _writer(
        yolo_writer, "path", labeled=False, lists_classes=True, has_ids=False, splits=yolo_writer.SPLITS
    ),
    "csv": _writer(csv_writer, labeled=False, lists_classes=False, has_ids=False, splits=None),
}
WRITERS["yolo-segment"] = replace(
    WRITERS["yolo"],
    says=yolo_writer.OUTLINED_SAYS,
    of_image=yolo_writer.outlined,
    documents=yolo_writer.outlined_documents,
    flags=("--yolo", "segment"),
)

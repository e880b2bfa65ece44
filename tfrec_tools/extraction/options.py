"""The options of `tfrec extract`."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfrec_tools.dataset.options import RecordLabels, WorkerOptions
from tfrec_tools.system import stores
from tfrec_tools.system.options import Option, Panel, Paths, StrPath, as_path, as_texts

Kind = Literal["coco", "voc", "yolo", "csv", "yolo-segment"]  # the keys of formats.writers.WRITERS


@dataclass(frozen=True)
class ExtractOptions(WorkerOptions):
    """Which records become annotations of which format, and where they go."""

    records: Annotated[
        Paths,
        Option(
            "Record files, folders of them, DIR/NAME of sets, or 'DIR/NAME-*'.",
            argument=True,
            recorded=False,
            stores=True,
        ),
    ]
    _: KW_ONLY
    to: Annotated[
        Kind,
        Option(
            "Format of the annotations; yolo-segment has the outlines of masks in place of their boxes.",
            Panel.OUTPUT,
        ),
    ]
    out: Annotated[
        StrPath,
        Option(
            "Folder for images, annotations and label map; it appears when all is written.",
            Panel.OUTPUT,
            recorded=False,
        ),
    ]
    record_labels: RecordLabels = None
    no_masks: Annotated[bool, Option("Leave out the masks of objects.", Panel.SOURCE)] = False
    overwrite: Annotated[
        bool,
        Option(
            "Replace an extraction that is in the folder, with all that lies in it.",
            Panel.OUTPUT,
            recorded=False,
        ),
    ] = False
    if_changed: Annotated[
        bool,
        Option(
            "Replace an extraction that is in the folder, if records, options or version are others than "
            "those it was made of.",
            Panel.OUTPUT,
            recorded=False,
        ),
    ] = False
    no_fsync: Annotated[
        bool,
        Option(
            "Do not wait until the files are on the disk; a power failure may damage them.",
            Panel.RUNNING,
            recorded=False,
        ),
    ] = False

    @property
    def folder(self) -> Path:
        return as_path(self.out)

    @property
    def patterns(self) -> tuple[str, ...]:
        return as_texts(self.records)

    @property
    def labels_path(self) -> Path | None:
        return None if self.record_labels is None else stores.of_url(as_path(self.record_labels))

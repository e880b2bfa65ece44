"""The options of `tfrec merge-labels` and `tfrec remap`."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tfrec_tools.dataset.options import ClassOptions, PolicyOptions, RecordLabels, SetOptions
from tfrec_tools.errors import InputError
from tfrec_tools.labels.naming import FirstIds
from tfrec_tools.system.options import (
    Option,
    Panel,
    Paths,
    StrPath,
    Words,
    as_path,
    as_paths,
    several,
)


@dataclass(frozen=True)
class IdOptions(ClassOptions):
    """Which classes a merged map has, and how the first map's are counted."""

    _: KW_ONLY
    keep_gaps: Annotated[
        bool, Option("Keep the first map's ids although some are missing.", Panel.CLASSES)
    ] = False
    renumber: Annotated[
        bool, Option("Count the first map's classes anew, from 1 without gaps.", Panel.CLASSES)
    ] = False

    @property
    def first_ids(self) -> FirstIds:
        """InputError where both ways are wanted."""
        if self.keep_gaps and self.renumber:
            raise InputError("--keep-gaps", "excludes --renumber; give one of them")
        return "keep gaps" if self.keep_gaps else "renumber" if self.renumber else "contiguous"


@dataclass(frozen=True)
class MergeLabelsOptions(IdOptions):
    """Which label maps become one, and by which rules."""

    old: Annotated[
        StrPath,
        Option(
            "The classes whose ids stay, those of the trained model: a label map (.pbtxt, .json, .yaml, "
            ".txt, "
            ".names), COCO annotations, a folder of Pascal VOC .xml files, a model folder, or the manifest "
            "or "
            "DIR/NAME of records.",
            argument=True,
            recorded=False,
            stores=True,
        ),
    ]
    new: Annotated[
        Paths | None,
        Option(
            "Likewise one or several; their new names follow at the next ids.",
            argument=True,
            recorded=False,
            stores=True,
        ),
    ] = None
    _: KW_ONLY
    out: Annotated[
        StrPath,
        Option(
            "The merged map: .pbtxt, or .json, .yaml, .txt, .names. The tables of ids go beside it as "
            "NAME.id_tables.json.",
            Panel.OUTPUT,
            recorded=False,
            stores=True,
        ),
    ]
    if_changed: Annotated[
        bool,
        Option(
            "Leave files alone that would become what they are, times and all.", Panel.OUTPUT, recorded=False
        ),
    ] = False

    @property
    def maps(self) -> tuple[Path, ...]:
        """All label maps, the old one first."""
        return (as_path(self.old), *as_paths(several(self.new)))

    @property
    def merged_path(self) -> Path:
        return as_path(self.out)


@dataclass(frozen=True)
class RecordOptions(IdOptions, PolicyOptions):
    """Which records are read, and under which label map they come."""

    records: Annotated[
        Paths,
        Option(
            "Record files, folders of them, DIR/NAME of sets, or 'DIR/NAME-*': one or several sets, which "
            "become one.",
            argument=True,
            recorded=False,
            stores=True,
        ),
    ]
    _: KW_ONLY
    labels: Annotated[
        StrPath | None,
        Option(
            "The merged label map: whatever merge-labels reads.",
            Panel.SOURCE,
            default="merged from the sets' own",
            stores=True,
        ),
    ] = None
    table: Annotated[
        StrPath | None,
        Option(
            "The tables of the merge, which say what renamed classes became.",
            Panel.SOURCE,
            default="NAME.id_tables.json beside --labels, if there",
            stores=True,
        ),
    ] = None
    record_labels: RecordLabels = None
    keypoints: Annotated[
        Literal["write", "none"],
        Option("Carry the keypoints of objects over, or leave them out.", Panel.SOURCE),
    ] = "write"
    labeled: Annotated[
        Words | None,
        Option(
            "Classes that the images were annotated for, with commas between them; once for all sets or once "
            "for each.",
            Panel.SOURCE,
            metavar="A,B,C",
            default="those that each record names, else all of its set's own label map",
        ),
    ] = None

    @property
    def labels_path(self) -> Path | None:
        return None if self.labels is None else as_path(self.labels)


@dataclass(frozen=True)
class RemapOptions(SetOptions, RecordOptions):
    """Which records are rewritten under which label map, and where to."""

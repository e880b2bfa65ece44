"""What a reader needs to be told, since the files do not say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.errors import InputError


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """For every reader; each takes what concerns it.

    masks        read the objects' masks (COCO, YOLO, TFRecord)
    voc_origin   0: coordinates as they stand; 1: pixels count from 1, as in the VOC devkit
    columns      pairs (our name of a CSV column, its name or number from 0 in the file)
    label_map    the classes of TFRecords that name none (.pbtxt); None: one that lies beside them
    """

    masks: bool = False
    voc_origin: int = 0
    columns: tuple[tuple[str, str], ...] = ()
    label_map: Path | None = None

    def __post_init__(self) -> None:
        if self.voc_origin not in (0, 1):
            raise InputError("--voc-origin", f"is {self.voc_origin}, expected 0 or 1")


DEFAULT = ReadOptions()

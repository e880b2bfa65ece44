"""What a detector found in images, as rows of files: COCO's results and CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.coco_ids import NamedDetection
from tfrec_tools.labels.label_map import LabelMap

_COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax", "score", "image_id")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets begin to calculate at
_PIXEL_DIGITS, _SCORE_DIGITS = 2, 5


@dataclass(frozen=True, slots=True)
class Row:
    """A detection; edges in pixels of the image."""

    image_id: int
    filename: str
    width: int
    height: int
    label_id: int
    name: str
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float


def rows(
    image_id: int, filename: str, size_wh: tuple[int, int], detections: ImageDetections, labels: LabelMap
) -> list[Row]:
    """Returns a row a detection, best first."""
    width, height = size_wh
    names = labels.name_by_id
    return [
        Row(
            image_id,
            filename,
            width,
            height,
            label_id,
            names[label_id],
            round(score, _SCORE_DIGITS),
            *(round(edge * side, _PIXEL_DIGITS) for edge, side in zip(box, (width, height) * 2, strict=True)),
        )
        for box, score, label_id in zip(
            detections.boxes[:, [1, 0, 3, 2]].tolist(),
            detections.scores.tolist(),
            detections.ids.tolist(),
            strict=True,
        )
    ]


def coco_results(detected: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns COCO's results: what `COCO.loadRes` reads, with the name of the file besides; ids are the
    label map's and the rows'."""
    return [
        {
            "image_id": row.image_id,
            "category_id": row.label_id,
            "bbox": [
                row.xmin,
                row.ymin,
                round(row.xmax - row.xmin, _PIXEL_DIGITS),
                round(row.ymax - row.ymin, _PIXEL_DIGITS),
            ],
            "score": row.score,
            "file_name": row.filename,
        }
        for row in detected
    ]


def named(detected: Sequence[Row], paths: Mapping[int, str]) -> list[NamedDetection]:
    """Returns the detections without ids, each of the image that `paths` has for its image's id."""
    return [
        NamedDetection(
            paths[row.image_id],
            (row.width, row.height),
            row.name,
            (row.xmin, row.ymin, row.xmax, row.ymax),
            row.score,
        )
        for row in detected
    ]


def write_csv(path: Path, detected: Sequence[Row]) -> None:
    """A table that `tfrec convert` reads too, as labels to be corrected. A file or class whose name a
    spreadsheet would take for a formula is written as ./NAME or 'NAME."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(map(_cells, detected))


def _cells(row: Row) -> tuple[object, ...]:
    names = _no_formula(row.filename, "./"), _no_formula(row.name, "'")
    edges = row.xmin, row.ymin, row.xmax, row.ymax
    return names[0], row.width, row.height, names[1], *edges, row.score, row.image_id


def _no_formula(text: str, before: str) -> str:
    return before + text if text.startswith(_FORMULA) else text

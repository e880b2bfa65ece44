"""What a detector found in pictures, as rows of files: COCO's results and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.detector.evaluation.average_precision import Found
from tfrec_tools.labels.label_map import LabelMap

_COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax", "score", "image_id")
_PIXEL_DIGITS, _SCORE_DIGITS = 2, 5


@dataclass(frozen=True, slots=True)
class Row:
    """A detection; edges in pixels of the picture."""

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


def rows(image_id: int, filename: str, size_wh: tuple[int, int], found: Found, labels: LabelMap) -> list[Row]:
    """A row a detection, best first."""
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
            found.boxes[:, [1, 0, 3, 2]].tolist(), found.scores.tolist(), found.ids.tolist(), strict=True
        )
    ]


def write_coco(path: Path, found: Sequence[Row]) -> None:
    """COCO's results: what `COCO.loadRes` reads, with the name of the file besides."""
    results = [
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
        for row in found
    ]
    path.write_text(json.dumps(results, ensure_ascii=False) + "\n", encoding="utf-8")


def write_csv(path: Path, found: Sequence[Row]) -> None:
    """A table that `tfrec convert` reads too, as labels to be corrected."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(
            [row.filename, row.width, row.height, row.name, row.xmin, row.ymin, row.xmax, row.ymax,
             row.score, row.image_id]
            for row in found
        )  # fmt: skip

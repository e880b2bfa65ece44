"""What is wrong with a record's boxes, and the record without it. Pure: faults are values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tfrec_tools import boxes
from tfrec_tools.boxes import Boxes
from tfrec_tools.issues import Issue
from tfrec_tools.records import ImageRecord, subset

# An overhang below this comes from adding x and width in floating point; it is cut without a word.
_ROUNDING_PX = 1e-6


def check(record: ImageRecord, width: int, height: int) -> tuple[ImageRecord, tuple[Issue, ...]]:
    """The record with boxes that lie in a picture of width x height pixels and have area, and an issue for
    each box that had to be clipped or dropped."""
    if _clean(record.boxes_xyxy, width, height):
        return record, ()
    clipped_xyxy = boxes.clip(record.boxes_xyxy, width, height)  # (N, 4)
    issues = _issues(record, clipped_xyxy, width, height)
    dropped = {issue.box for issue in issues if issue.code != "box-outside"}
    kept = [i for i in range(len(record.names)) if i not in dropped]
    return subset(replace(record, boxes_xyxy=clipped_xyxy), kept), issues


def _clean(boxes_xyxy: Boxes, width: int, height: int) -> bool:
    """Whether no box has a fault; NaN compares false and so is one."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]  # (N, 2) each
    return bool(((low >= 0) & (low < high) & (high <= (width, height))).all())


def _issues(record: ImageRecord, clipped_xyxy: Boxes, width: int, height: int) -> tuple[Issue, ...]:
    """At most one issue a box, the gravest."""
    given_xyxy = record.boxes_xyxy
    with np.errstate(invalid="ignore"):
        overhang_px = np.abs(given_xyxy - clipped_xyxy).max(axis=1)  # (N,)
    faults = {
        "box-not-finite": ~np.isfinite(given_xyxy).all(axis=1),
        "box-inverted": (given_xyxy[:, :2] > given_xyxy[:, 2:]).any(axis=1),
        "box-empty": (boxes.sides(clipped_xyxy) <= 0).any(axis=1),
        "box-outside": overhang_px > _ROUNDING_PX,
    }
    codes = _first_true(faults)
    return tuple(
        Issue(code, record.source, i, _message(code, record, i, f"{width} x {height}"), True)
        for i, code in enumerate(codes)
        if code
    )


def _first_true(faults: dict[str, NDArray[np.bool_]]) -> Sequence[str]:
    """(N,) the first code that is true of each box; "" where none is."""
    return [str(code) for code in np.select(list(faults.values()), list(faults), default="")]


def _message(code: str, record: ImageRecord, box: int, picture: str) -> str:
    corners = ", ".join(f"{value:g}" for value in record.boxes_xyxy[box])
    what = {
        "box-not-finite": "is not finite",
        "box-inverted": "has its minimum above its maximum",
        "box-empty": f"has no area in the picture of {picture}",
        "box-outside": f"leans over the edge of the picture of {picture}",
    }
    return f"{record.filename}: {record.names[box]} [{corners}] {what[code]}"


def repeats(records: Sequence[ImageRecord]) -> tuple[Issue, ...]:
    """An issue for each record whose image file another record has named before; it is kept."""
    first: dict[str, ImageRecord] = {}
    issues = []
    for record in records:
        earlier = first.setdefault(record.filename, record)
        if earlier is not record:
            message = f"{record.filename} is the image of {earlier.source} too"
            issues.append(Issue("image-duplicate", record.source, None, message, False))
    return tuple(issues)

"""Checks a record's boxes, and returns the record as the policies want it. The functions are pure: faults are
values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations import boxes, keypoint_checks
from tfrec_tools.annotations.boxes import Boxes
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.policies import DEFAULT, Policies
from tfrec_tools.annotations.records import ImageRecord, subset

DUPLICATE_IOU = 0.95
_WHOLE = 0.99  # of the image, along both sides

# An overhang below this comes from adding x and width in floating point; it is cut without a word.
_ROUNDING_PX = 1e-6

Mask = NDArray[np.bool_]  # (N,)
Masks = dict[str, Mask]  # by issue code

_MESSAGES = {
    "box-not-finite": "is not finite",
    "box-inverted": "has its minimum above its maximum",
    "box-empty": "has no area in the image of {size}",
    "box-outside": "leans over the edge of the image of {size}",
    "box-tiny": "is {sides} pixels, a side below {min_side:g}",
    "box-whole": "covers the whole image of {size}",
    "box-duplicate": "lies on box {twin} of the same class",
    "mask-damaged": "has a segmentation that {why}",
    "keypoints-damaged": "has keypoints that are no x, y and visibility (0, 1 or 2) for each of its class",
    "keypoint-outside": "has {why}, outside the image of {size}",
}


@dataclass(frozen=True, slots=True)
class Checks:
    """How boxes are checked: what is done about each code, and the side in pixels below which a box is
    tiny (0: none is)."""

    policies: Policies = DEFAULT
    min_side: float = 1.0


def check(
    record: ImageRecord,
    width: int,
    height: int,
    checks: Checks | None = None,
    damaged_masks: Mapping[int, str] | None = None,
) -> tuple[ImageRecord | None, tuple[Issue, ...]]:
    """Returns the record for an image of width x height pixels, each box clipped, mended, kept or dropped as
    the policies say, and an issue for each fault. None where a policy drops the image. By default the boxes
    that are left lie in the image and have area. damaged_masks says of which boxes the mask is none, and
    why."""
    checks = checks or Checks()
    if not damaged_masks and record.keypoints is None and _sound(record, width, height, checks.min_side):
        return record, ()
    odd_points = keypoint_checks.faults(record, width, height)
    size = f"{width} x {height}"
    given_xyxy, issues = record.boxes_xyxy, []
    kept = np.ones(len(record.names), bool)  # (N,)
    boxes_xyxy = given_xyxy
    if not _clean(given_xyxy, width, height):
        boxes_xyxy, faults = _mend(record, width, height, checks.policies)
        issues += _issues(record, faults, checks.policies, size=size)
        kept = _stays(faults, checks.policies, kept)
    odd, twins = _oddities(record.names, boxes_xyxy, kept, (width, height), checks.min_side)
    if damaged_masks:
        odd["mask-damaged"] = np.isin(np.arange(len(kept)), list(damaged_masks)) & kept
    odd |= {code: mask & kept for code, mask in odd_points.items() if (mask & kept).any()}
    if odd:
        numbers = {"size": size, "min_side": checks.min_side}
        whys = {
            "mask-damaged": damaged_masks or {},
            "keypoint-outside": keypoint_checks.outside_of(record, width, height, odd),
        }
        issues += _issues(record, odd, checks.policies, twins, whys, **numbers)
        kept = _stays(odd, checks.policies, kept)
    if any(checks.policies.action(issue.code) == "drop-image" for issue in issues):
        return None, tuple(issues)
    keypoints = keypoint_checks.mended(record, width, height, checks.policies)
    if boxes_xyxy is given_xyxy and keypoints is record.keypoints and kept.all():
        return record, tuple(issues)
    mended = replace(record, boxes_xyxy=boxes_xyxy, keypoints=keypoints)
    return subset(mended, np.flatnonzero(kept).tolist()), tuple(issues)


def twins_of(names: Sequence[str], boxes_xyxy: Boxes) -> dict[int, int]:
    """Returns {box: an earlier box of the same class that covers the same place}, by an IoU over 0.95."""
    if len(set(names)) == len(names):
        return {}
    corners = boxes_xyxy.tolist()
    order = sorted(range(len(names)), key=lambda i: (names[i], corners[i][0]))
    twins: dict[int, int] = {}
    for at, i in enumerate(order):
        reach = corners[i][0] + (1 - DUPLICATE_IOU) * (corners[i][2] - corners[i][0])
        for j in order[at + 1 :]:
            if names[j] != names[i] or not corners[j][0] <= reach:  # from here on too little overlaps
                break
            if _iou(corners[i], corners[j]) > DUPLICATE_IOU:
                twins.setdefault(max(i, j), min(i, j))
    return twins


def _sound(record: ImageRecord, width: int, height: int, min_side: float) -> bool:
    """Returns whether no box has anything to report: the quick way through, in plain floats, which are faster
    than arrays of a few boxes. NaN compares false and so is reported."""
    wide, high = width * _WHOLE, height * _WHOLE
    for xmin, ymin, xmax, ymax in record.boxes_xyxy.tolist():
        box_width, box_height = xmax - xmin, ymax - ymin
        if not (xmin >= 0 and ymin >= 0 and xmax <= width and ymax <= height):
            return False
        if not (box_width > 0 and box_height > 0 and box_width >= min_side and box_height >= min_side):
            return False
        if box_width >= wide and box_height >= high:
            return False
    return not twins_of(record.names, record.boxes_xyxy)


def _clean(boxes_xyxy: Boxes, width: int, height: int) -> bool:
    """Returns whether no box has a fault; NaN compares false and so is one."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]  # (N, 2) each
    return bool(((low >= 0) & (low < high) & (high <= (width, height))).all())


def _mend(record: ImageRecord, width: int, height: int, policies: Policies) -> tuple[Boxes, Masks]:
    """Returns the boxes as the policies mend them, and which box has which fault; of several, the gravest."""
    given_xyxy = record.boxes_xyxy
    inverted: Mask = np.any(given_xyxy[:, :2] > given_xyxy[:, 2:], axis=1)  # (N,)
    swaps = inverted & (policies.treatment("box-inverted") == "fix")
    low, high = given_xyxy[:, :2], given_xyxy[:, 2:]
    sorted_xyxy = np.hstack([np.minimum(low, high), np.maximum(low, high)])
    upright_xyxy = np.where(swaps[:, None], sorted_xyxy, given_xyxy)
    clipped_xyxy = boxes.clip(upright_xyxy, width, height)  # (N, 4)
    with np.errstate(invalid="ignore"):
        overhang_px = np.abs(upright_xyxy - clipped_xyxy)  # (N, 4)
    at_edge_px = _ROUNDING_PX + record.precision * np.array([width, height] * 2)
    faults = _gravest(
        ("box-not-finite", ~np.all(np.isfinite(given_xyxy), axis=1)),
        ("box-inverted", inverted & ~swaps),
        ("box-empty", np.any(boxes.sides(clipped_xyxy) <= 0, axis=1)),
        ("box-inverted", swaps),
        ("box-outside", np.any(overhang_px > at_edge_px, axis=1)),
    )
    as_given = np.zeros_like(inverted)
    for code, mask in faults.items():
        if policies.treatment(code) == "keep":
            as_given |= mask
    return np.where(as_given[:, None], upright_xyxy, clipped_xyxy), faults


def _gravest(*faults: tuple[str, Mask]) -> Masks:
    """Returns (N,) masks by code: each box only under the first that is true of it."""
    left = np.ones_like(faults[0][1])
    left_faults: Masks = {}
    for code, mask in faults:
        left_faults[code] = left_faults.get(code, np.zeros_like(mask)) | (mask & left)
        left &= ~mask
    return {code: mask for code, mask in left_faults.items() if mask.any()}


def _oddities(
    names: Sequence[str], boxes_xyxy: Boxes, kept: Mask, size_wh: tuple[int, int], min_side: float
) -> tuple[Masks, dict[int, int]]:
    """Returns what is odd, though no fault, about the boxes that are kept; and the twin of each duplicate."""
    sides_wh = boxes.sides(boxes_xyxy)  # (N, 2)
    odd = {
        "box-tiny": (sides_wh < min_side).any(axis=1) & kept,
        "box-whole": (sides_wh >= np.multiply(size_wh, _WHOLE)).all(axis=1) & kept,
    }
    twins = {i: twin for i, twin in twins_of(names, boxes_xyxy).items() if kept[i] and kept[twin]}
    if twins:
        odd["box-duplicate"] = np.isin(np.arange(len(names)), list(twins))
    return {code: mask for code, mask in odd.items() if mask.any()}, twins


def _stays(faults: Masks, policies: Policies, kept: Mask) -> Mask:
    """Returns (N,) which of the boxes that were kept so far stay."""
    for code, mask in faults.items():
        if policies.treatment(code) in ("drop-box", "drop-image"):
            kept = kept & ~mask
    return kept


def _issues(
    record: ImageRecord,
    faults: Masks,
    policies: Policies,
    twins: Mapping[int, int] | None = None,
    whys: Mapping[str, Mapping[int, str]] | None = None,
    **numbers: object,
) -> list[Issue]:
    """Returns an issue for each box of each mask, in the order of the boxes. `whys`: {code: {box: why}}."""
    numbered = [(int(i), code) for code, mask in faults.items() for i in np.flatnonzero(mask)]
    issues = []
    for i, code in sorted(numbered):
        with np.errstate(invalid="ignore"):
            width, height = boxes.sides(record.boxes_xyxy[i : i + 1])[0]
        numbers |= {"sides": f"{width:g} x {height:g}", "twin": (twins or {}).get(i)}
        what = _MESSAGES[code].format(why=(whys or {}).get(code, {}).get(i), **numbers)
        corners = ", ".join(f"{value:g}" for value in record.boxes_xyxy[i])
        message = f"{record.filename}: {record.names[i]} [{corners}] {what}"
        fixed = policies.action(code) not in ("keep", "error")
        issues.append(Issue(code, record.source, i, message, fixed))
    return issues


def _iou(first: Sequence[float], second: Sequence[float]) -> float:
    """Returns intersection over union of two boxes [xmin ymin xmax ymax]; 0 where one has no area."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if not (width > 0 and height > 0):
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)

"""Checks the keypoints of a record's boxes, and mends them. Of a keypoint that is not labeled (visibility 0)
its place says nothing, so that it may be anywhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.annotations.policies import Policies
from tfrec_tools.annotations.records import Floats, ImageRecord

_HIDDEN, _VISIBLE = 1, 2  # COCO's visibility of a labeled keypoint; 0 where it is not labeled
_ROUNDING_PX = 1e-6

Mask = NDArray[np.bool_]


def faults(record: ImageRecord, width: int, height: int) -> dict[str, Mask]:
    """Returns (N,) masks by issue code of the boxes whose keypoints are none, or lie outside the image of
    width x height pixels."""
    if record.keypoints is None:
        return {}
    damaged: Mask = np.any(_damaged(record.keypoints), axis=1)  # (N,)
    outside: Mask = np.any(_outside(record, width, height), axis=1) & ~damaged
    masks = {"keypoints-damaged": damaged, "keypoint-outside": outside}
    return {code: mask for code, mask in masks.items() if mask.any()}


def outside_of(record: ImageRecord, width: int, height: int, odd: Mapping[str, Mask]) -> dict[int, str]:
    """Returns {box: which keypoint lies outside the image, and where} of those that `odd` has."""
    boxes = np.flatnonzero(odd["keypoint-outside"]).tolist() if "keypoint-outside" in odd else []
    if record.keypoints is None or not boxes:
        return {}
    outside = _outside(record, width, height)  # (N, K)
    whys = {}
    for box in boxes:
        number, *others = np.flatnonzero(outside[box]).tolist()
        x, y, _ = record.keypoints[box, number].tolist()
        more = f" and {len(others)} more" if others else ""
        whys[box] = f"its keypoint {number} at [{x:g}, {y:g}]{more}"
    return whys


def mended(record: ImageRecord, width: int, height: int, policies: Policies) -> Floats | None:
    """Returns the keypoints, zeros for those of a box that are damaged; those outside the image are no longer
    labeled, unless the policy is to keep them. What leans over the edge by rounding is at the edge."""
    if record.keypoints is None:
        return None
    given, keypoints = record.keypoints, undamaged(record)  # (N, K, 3)
    assert keypoints is not None
    outside = _outside(record, width, height)  # (N, K)
    if policies.treatment("keypoint-outside") == "keep":
        inside = ~outside[..., None]
    else:
        keypoints[outside] = 0.0
        inside = np.ones((*outside.shape, 1), bool)
    clipped_xy = np.clip(keypoints[..., :2], 0.0, np.array([width, height], np.float64))
    labeled = keypoints[..., 2:] > 0
    keypoints[..., :2] = np.where(labeled & inside, clipped_xy, keypoints[..., :2])
    keypoints[..., :2] = np.where(labeled | np.isfinite(keypoints[..., :2]), keypoints[..., :2], 0.0)
    return given if np.array_equal(given, keypoints) else keypoints


def undamaged(record: ImageRecord) -> Floats | None:
    """Returns the keypoints, zeros for those of a box that are damaged."""
    if record.keypoints is None:
        return None
    damaged: Mask = np.any(_damaged(record.keypoints), axis=1)  # (N,)
    return np.where(damaged[:, None, None], 0.0, record.keypoints)


def _damaged(keypoints: Floats) -> Mask:
    """Returns (N, K): not labeled, hidden or visible, or labeled at no place."""
    visibility = keypoints[..., 2]
    known = np.isin(visibility, (0, _HIDDEN, _VISIBLE))
    return ~known | ((visibility > 0) & ~np.isfinite(keypoints[..., :2]).all(axis=2))


def _outside(record: ImageRecord, width: int, height: int) -> Mask:
    """Returns (N, K): labeled, and further outside than rounding takes it."""
    assert record.keypoints is not None
    size_wh = np.array([width, height], np.float64)
    at_edge_px = _ROUNDING_PX + record.precision * size_wh
    x_y, labeled = record.keypoints[..., :2], record.keypoints[..., 2] > 0
    with np.errstate(invalid="ignore"):
        return labeled & ((x_y < -at_edge_px) | (x_y > size_wh + at_edge_px)).any(axis=2)

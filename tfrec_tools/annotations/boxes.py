"""Boxes are arrays (N, 4) of [xmin ymin xmax ymax] in pixels with continuous edges: a box that fills a
image is [0, 0, width, height]. None is (0, 4). Every function returns a new array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]  # (N, 4)

SMALL_PX, LARGE_PX = 32, 96  # sides of the squares that divide COCO's small, medium and large objects
SIZES = ("small", "medium", "large")


def from_xywh(boxes_xywh: Boxes) -> Boxes:
    """COCO's [x y width height] as [xmin ymin xmax ymax]."""
    boxes_xyxy = boxes_xywh.copy()
    with np.errstate(invalid="ignore", over="ignore"):  # `box_checks` reports such a box
        boxes_xyxy[:, 2:] += boxes_xywh[:, :2]
    return boxes_xyxy


def sides(boxes_xyxy: Boxes) -> Boxes:
    """Returns (N, 2) width and height; negative where a box is inverted, not finite where its corners
    are not, or lie too far apart."""
    with np.errstate(invalid="ignore", over="ignore"):
        return boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]


def areas(boxes_xyxy: Boxes) -> NDArray[np.float64]:
    """Returns (N,) square pixels."""
    sides_wh = sides(boxes_xyxy)
    return sides_wh[:, 0] * sides_wh[:, 1]


def size_classes(boxes_xyxy: Boxes) -> list[int]:
    """Returns (N,) places in SIZES, by the boxes' areas."""
    found: list[int] = np.digitize(areas(boxes_xyxy), [SMALL_PX**2, LARGE_PX**2]).tolist()
    return found


def clip(boxes_xyxy: Boxes, width: int, height: int) -> Boxes:
    """Returns the part of each box that lies in the image; a box wholly outside comes out without area."""
    return np.clip(boxes_xyxy, 0.0, np.array([width, height, width, height], np.float64))


def normalise(boxes_xyxy: Boxes, width: int, height: int) -> NDArray[np.float32]:
    """Returns (N, 4) float32 fractions of the image. Divided in float64 and rounded once, so that the values
    are bit for bit those that TFOD's own scripts write with Python's floats."""
    return (boxes_xyxy / np.array([width, height, width, height], np.float64)).astype(np.float32)


def denormalise(fractions_xyxy: NDArray[np.float32], width: int, height: int) -> Boxes:
    """Returns pixels from fractions; `normalise` gives the very same fractions back."""
    return fractions_xyxy.astype(np.float64) * np.array([width, height, width, height], np.float64)

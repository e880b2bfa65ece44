"""Anchor boxes of TFOD's grids (anchor_generators/multiscale_grid_anchor_generator.py,
multiple_grid_anchor_generator.py and grid_anchor_generator.py): float32 [ymin xmin ymax xmax], normalised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.config.anchors import GridAnchors, MultiscaleAnchors, SsdAnchors

_FIRST_SSD_STRIDE = 16


def multiscale_boxes(anchors: MultiscaleAnchors, height_px: int, width_px: int) -> NDArray[np.float32]:
    """Returns (A, 4). Order: level, row, column, aspect ratio, scale."""
    size = np.array([height_px, width_px, height_px, width_px], np.float32)
    boxes = [
        _level_boxes(anchors, level, (height_px, width_px))
        for level in range(anchors.min_level, anchors.max_level + 1)
    ]
    return np.concatenate(boxes) / size  # (A, 4)


def ssd_boxes(anchors: SsdAnchors, height_px: int, width_px: int) -> NDArray[np.float32]:
    """Returns (A, 4). Order: level, row, column, box of a cell. Scales are fractions of the shorter side."""
    shorter = min(height_px, width_px)
    boxes = []
    for level in range(anchors.levels):
        grid = _grid(height_px, width_px, _FIRST_SSD_STRIDE << level)
        cell = np.array(anchors.cell(level), np.float32)  # (per_cell, 2)
        roots = np.sqrt(cell[:, 1])
        heights = cell[:, 0] / roots * (shorter / height_px)
        widths = cell[:, 0] * roots * (shorter / width_px)
        centre_y, centre_x = ((np.arange(count, dtype=np.float32) + 0.5) / count for count in grid)
        boxes.append(_boxes_around(centre_y, centre_x, heights, widths))
    return np.concatenate(boxes)


def grid_boxes(anchors: GridAnchors, height_px: int, width_px: int) -> NDArray[np.float32]:
    """Returns (A, 4). Order: row, column, aspect ratio, scale."""
    scales = np.array(anchors.scales, np.float32)
    roots = np.sqrt(np.array(anchors.aspect_ratios, np.float32))
    heights = (scales[None, :] / roots[:, None] * anchors.base_px[0]).ravel()  # (per_cell,)
    widths = (scales[None, :] * roots[:, None] * anchors.base_px[1]).ravel()  # (per_cell,)
    centre_y, centre_x = (
        np.arange(-(-side // stride), dtype=np.float32) * stride + offset
        for side, stride, offset in zip(
            (height_px, width_px), anchors.stride_px, anchors.offset_px, strict=True
        )
    )
    size = np.array([height_px, width_px, height_px, width_px], np.float32)
    return _boxes_around(centre_y, centre_x, heights, widths) / size


def _grid(height_px: int, width_px: int, stride: int) -> tuple[int, int]:
    """Returns (rows, columns) as stride-2 'same' convolutions leave them."""
    return -(-height_px // stride), -(-width_px // stride)


def _level_boxes(anchors: MultiscaleAnchors, level: int, image_px: tuple[int, int]) -> NDArray[np.float32]:
    """Returns (rows * columns * per_cell, 4) float32 [ymin xmin ymax xmax] in pixels."""
    stride = 2**level
    # TFOD centres a grid on its cells only where the stride divides the side.
    offsets = [stride / 2 if side % stride == 0 else 0 for side in image_px]
    scales = 2 ** (np.arange(anchors.scales_per_octave, dtype=np.float32) / anchors.scales_per_octave)
    roots = np.sqrt(np.array(anchors.aspect_ratios, np.float32))
    base_px = np.float32(stride * anchors.anchor_scale)
    heights = (scales[None, :] / roots[:, None] * base_px).ravel()  # (per_cell,)
    widths = (scales[None, :] * roots[:, None] * base_px).ravel()  # (per_cell,)
    rows, columns = _grid(*image_px, stride)
    centre_y = np.arange(rows, dtype=np.float32) * stride + offsets[0]
    centre_x = np.arange(columns, dtype=np.float32) * stride + offsets[1]
    return _boxes_around(centre_y, centre_x, heights, widths)


def _boxes_around(
    centre_y: NDArray[np.floating],
    centre_x: NDArray[np.floating],
    heights: NDArray[np.floating],
    widths: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Returns (rows * columns * per_cell, 4): boxes of these sizes around each cell's centre, row by row."""
    y, x = np.meshgrid(centre_y, centre_x, indexing="ij")
    centres = np.stack([y, x], axis=-1).reshape(-1, 1, 2)  # (cells, 1, 2)
    halves = np.stack([heights, widths], axis=-1)[None] / 2  # (1, per_cell, 2)
    corners = np.concatenate([centres - halves, centres + halves], axis=-1)  # (cells, per_cell, 4)
    return corners.reshape(-1, 4).astype(np.float32)

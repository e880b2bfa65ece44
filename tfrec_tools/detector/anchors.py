"""Anchor boxes of TFOD's multiscale grid (anchor_generators/multiscale_grid_anchor_generator.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MultiscaleAnchors:
    """One grid a pyramid level; at each cell every aspect ratio in every scale."""

    min_level: int
    max_level: int
    anchor_scale: float
    aspect_ratios: tuple[float, ...]
    scales_per_octave: int

    @property
    def per_cell(self) -> int:
        return len(self.aspect_ratios) * self.scales_per_octave


def grid_shapes(anchors: MultiscaleAnchors, height_px: int, width_px: int) -> list[tuple[int, int]]:
    """The (rows, columns) of each level, as stride-2 'same' convolutions leave them."""
    levels = range(anchors.min_level, anchors.max_level + 1)
    return [(-(-height_px // 2**level), -(-width_px // 2**level)) for level in levels]


def anchor_boxes(anchors: MultiscaleAnchors, height_px: int, width_px: int) -> NDArray[np.float32]:
    """(A, 4) float32 [ymin xmin ymax xmax], normalised. Order: level, row, column, aspect ratio, scale."""
    shapes = grid_shapes(anchors, height_px, width_px)
    levels = range(anchors.min_level, anchors.max_level + 1)
    size = np.array([height_px, width_px, height_px, width_px], np.float32)
    boxes = [
        _level_boxes(anchors, level, shape, (height_px, width_px))
        for level, shape in zip(levels, shapes, strict=True)
    ]
    return np.concatenate(boxes) / size  # (A, 4)


def _level_boxes(
    anchors: MultiscaleAnchors, level: int, grid: tuple[int, int], image_px: tuple[int, int]
) -> NDArray[np.float32]:
    """(rows * columns * per_cell, 4) float32 [ymin xmin ymax xmax] in pixels."""
    stride = 2**level
    # TFOD centres a grid on its cells only where the stride divides the side.
    offsets = [stride / 2 if side % stride == 0 else 0 for side in image_px]
    scales = 2 ** (np.arange(anchors.scales_per_octave, dtype=np.float32) / anchors.scales_per_octave)
    roots = np.sqrt(np.array(anchors.aspect_ratios, np.float32))
    base_px = np.float32(stride * anchors.anchor_scale)
    heights = (scales[None, :] / roots[:, None] * base_px).ravel()  # (per_cell,)
    widths = (scales[None, :] * roots[:, None] * base_px).ravel()  # (per_cell,)
    centre_y = np.arange(grid[0], dtype=np.float32) * stride + offsets[0]
    centre_x = np.arange(grid[1], dtype=np.float32) * stride + offsets[1]
    y, x = np.meshgrid(centre_y, centre_x, indexing="ij")
    centres = np.stack([y, x], axis=-1).reshape(-1, 1, 2)  # (cells, 1, 2)
    halves = np.stack([heights, widths], axis=-1)[None] / 2  # (1, per_cell, 2)
    corners = np.concatenate([centres - halves, centres + halves], axis=-1)  # (cells, per_cell, 4)
    return corners.reshape(-1, 4).astype(np.float32)

"""The anchors that a pipeline.config asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


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


@dataclass(frozen=True, slots=True)
class SsdAnchors:
    """One grid a level, each level with one scale; at each cell every aspect ratio in that scale and one box
    between it and the next (Liu et al. 2016, section 2.2)."""

    levels: int
    min_scale: float
    max_scale: float
    aspect_ratios: tuple[float, ...]
    interpolated_aspect_ratio: float
    reduced_lowest: bool

    def cell(self, level: int) -> list[tuple[float, float]]:
        """Returns (scale, aspect ratio) of the boxes at each cell of a level, from 0."""
        scales = [*np.linspace(self.min_scale, self.max_scale, self.levels).tolist(), 1.0]
        scale = scales[level]
        if level == 0 and self.reduced_lowest:
            return [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        between = math.sqrt(scale * scales[level + 1])
        own = [(scale, ratio) for ratio in self.aspect_ratios]
        return [*own, (between, self.interpolated_aspect_ratio)] if self.interpolated_aspect_ratio else own


@dataclass(frozen=True, slots=True)
class GridAnchors:
    """One grid; at each cell every aspect ratio in every scale of one base size. Pairs are (height, width),
    in pixels; `offset_px` is where the first cell's centre lies."""

    base_px: tuple[float, float]
    stride_px: tuple[int, int]
    offset_px: tuple[float, float]
    scales: tuple[float, ...]
    aspect_ratios: tuple[float, ...]

    @property
    def per_cell(self) -> int:
        return len(self.aspect_ratios) * len(self.scales)

"""The outline of a mask as one polygon along the edges of its pixels, as YOLO's texts have it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]  # x, y: a corner of pixels
Outgoing = dict[Point, list[Point]]


def outline(pixels: NDArray[np.bool_]) -> list[Point]:
    """Returns the polygon of (height, width) pixels; none where no pixel is set. Parts and holes hang on it
    by lines that are gone there and back, so that whoever fills by even and odd fills just the pixels."""
    merged: list[Point] = []
    for loop in _loops(_edges(pixels)):
        corners = _corners(loop)
        merged += [*corners, corners[0]]
        if len(merged) > len(corners) + 1:
            merged.append(merged[0])
    return merged[:-1]


def _edges(pixels: NDArray[np.bool_]) -> Outgoing:
    """Returns {point: where the edges from there end}, of the sides of set pixels that face unset ones, with
    the set pixel at the right hand."""
    padded = np.pad(pixels, 1)
    inside = padded[1:-1, 1:-1]
    sides = (  # whether the neighbour is set; from which to which corner of the pixel its side goes
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    edges: Outgoing = {}
    for neighbour, (from_x, from_y), (to_x, to_y) in sides:
        ys, xs = np.nonzero(inside & ~neighbour)
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            edges.setdefault((x + from_x, y + from_y), []).append((x + to_x, y + to_y))
    return edges


def _loops(edges: Outgoing) -> Iterator[list[Point]]:
    """Yields closed ways that together take every edge once, each from its topmost point, in its order."""
    for start in sorted(edges):
        while edges[start]:
            loop, point = [start], edges[start].pop()
            while point != start:
                loop.append(point)
                point = edges[point].pop()
            yield loop


def _corners(loop: list[Point]) -> list[Point]:
    """Returns the points where a closed way turns."""
    following = [*loop[1:], loop[0]]
    before = [loop[-1], *loop[:-1]]
    return [
        point
        for last, point, after in zip(before, loop, following, strict=True)
        if not (last[0] == point[0] == after[0] or last[1] == point[1] == after[1])
    ]

"""Scenes of flat figures on textured grounds, drawn by seed: what `bin/bench grow scenes` grows detectors on.

Ten classes, of which three pairs of an old and a new one differ by a detail alone: disc and target, tile and
window, stick and baton, of the same colours. Any size, turn and shade of any class, on greyish grounds;
figures hide parts of one another and lean over the edge. The same seed gives the same pixels (of one version
of Pillow and NumPy).
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

OLD = ("disc", "tile", "stick", "wedge", "star")
NEW = ("target", "window", "baton", "moon", "cross")
SIZE = 128
LEAST_SEEN = 0.6  # of each figure

_SCALE = 2  # drawn so much larger, then averaged
_MARGIN = 20  # around the image, in pixels, where figures lean over the edge
_SIDE = (SIZE + 2 * _MARGIN) * _SCALE
_INSIDE = slice(_MARGIN * _SCALE, (_MARGIN + SIZE) * _SCALE)
_SPARSE, _CROWDED = (1, 4), (5, 10)  # figures: from, below
_SIDES_PX = {_SPARSE: (20.0, 60.0), _CROWDED: (16.0, 40.0)}  # of a figure's longer side
_TRIES = 12
# Degrees of the colour circle, those of look-alikes the same, and how far figures are from them: what has a
# colour of its own is learnt in minutes.
_HUES = {"disc": 0, "tile": 220, "stick": 110, "wedge": 55, "star": 280, "moon": 25, "cross": 180}
_HUES |= {"target": 0, "window": 220, "baton": 110}
_HUE_SPREAD = 12.0

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is seen of it: edges in whole pixels, xmax and ymax just beyond it."""

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int


@dataclass(frozen=True, slots=True)
class Scene:
    pixels: NDArray[np.uint8]  # (SIZE, SIZE, 3)
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    name: str
    masks: tuple[Mask, Mask]  # (_SIDE, _SIDE) of the outline, and of the detail on it


def scene(rng: np.random.Generator, required: str, others: Sequence[str], crowded_share: float) -> Scene:
    """One figure of the required class, and more of any of `others`, none of them hidden by more than a
    part; that of the required class is never left out, others may be where there is no room."""
    crowd = _CROWDED if rng.random() < crowded_share else _SPARSE
    names = [required, *(str(name) for name in rng.choice(others, int(rng.integers(*crowd)) - 1))]
    placed: list[_Placed] = []
    for name in names:
        placed = _with_another(rng, placed, name, _SIDES_PX[crowd])
    canvas = _ground(rng)
    for item in placed:
        _paint(rng, canvas, item)
    inside = canvas[_INSIDE, _INSIDE].reshape(SIZE, _SCALE, SIZE, _SCALE, 3).mean((1, 3))
    pixels = np.clip(inside + rng.normal(0, 3, inside.shape), 0, 255).astype(np.uint8)
    return Scene(
        pixels, tuple(_box(item.name, seen) for item, seen in zip(placed, _seen(placed), strict=True))
    )


def _with_another(
    rng: np.random.Generator, placed: list[_Placed], name: str, sides_px: tuple[float, float]
) -> list[_Placed]:
    """On top of the others, where enough of all stays in sight; as they were where a dozen tries find no
    place."""
    for _ in range(_TRIES):
        side = float(np.exp(rng.uniform(*np.log(sides_px))))
        centre = (
            rng.uniform(-2, SIZE + 2, 2) if rng.random() < 0.1 else rng.uniform(side / 2, SIZE - side / 2, 2)
        )
        trial = [*placed, _place(rng, name, side, centre)]
        areas = [item.masks[0].sum() for item in trial]
        seen = [mask.sum() for mask in _seen(trial)]
        if all(part >= LEAST_SEEN * area for part, area in zip(seen, areas, strict=True)):
            return trial
    return placed


def _place(rng: np.random.Generator, name: str, side_px: float, centre_xy: Floats) -> _Placed:
    outline, detail = SHAPES[name](rng)
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline, details = outline @ rotation, [points @ rotation for points in detail]
    unit = side_px * _SCALE / np.ptp(outline, axis=0).max()
    corner = (centre_xy + _MARGIN) * _SCALE
    return _Placed(name, (_filled([outline * unit + corner]), _filled([d * unit + corner for d in details])))


def _filled(outlines: Sequence[Floats]) -> Mask:
    image = Image.new("1", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(image)
    for outline in outlines:
        draw.polygon([(float(x), float(y)) for x, y in outline], fill=1)
    return np.asarray(image)


def _seen(placed: Sequence[_Placed]) -> list[Mask]:
    """Of each what neither the edge nor a later figure hides."""
    free = np.zeros((_SIDE, _SIDE), bool)
    free[_INSIDE, _INSIDE] = True
    masks = []
    for item in reversed(placed):
        masks.append(item.masks[0] & free)
        free = free & ~item.masks[0]
    return masks[::-1]


def _box(name: str, seen: Mask) -> Figure:
    """Around the pixels that are seen at least in part."""
    inside = seen[_INSIDE, _INSIDE]
    columns, rows = (np.flatnonzero(inside.any(axis)) // _SCALE for axis in (0, 1))
    return Figure(name, int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _paint(rng: np.random.Generator, canvas: Floats, item: _Placed) -> None:
    """In a colour of its class, lit from one side, and a detail in a lighter or darker one."""
    hue = (_HUES[item.name] + rng.normal(0, _HUE_SPREAD)) / 360 % 1
    colour = 255 * np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.6, 1), rng.uniform(0.45, 1)))
    away = 1.0 if colour.mean() < 128 else -1.0
    contrast = np.clip(colour + away * rng.uniform(85, 130), 0, 255)
    slope = _ramp(rng) * rng.uniform(10, 40)
    for mask, tint in zip(item.masks, (colour, contrast), strict=True):
        canvas[mask] = tint + slope[mask][:, None]


def _ground(rng: np.random.Generator) -> Floats:
    """(_SIDE, _SIDE, 3): a colour with clouds, often stripes or checks, and a few scratches."""
    ground = np.broadcast_to(rng.uniform(50, 205) + rng.uniform(-12, 12, 3), (_SIDE, _SIDE, 3)).copy()
    ground += (_clouds(rng, int(rng.integers(3, 9))) * rng.uniform(20, 70))[..., None]
    if (kind := rng.integers(3)) > 0:
        period, weight = rng.uniform(8, 40), rng.uniform(6, 26)
        waves = np.sign(np.sin(_ramp(rng) * _SIDE * np.pi / period))
        if kind == 2:
            waves = waves * np.sign(np.sin(_ramp(rng) * _SIDE * np.pi / period))
        ground += (waves * weight)[..., None]
    for _ in range(int(rng.integers(0, 5))):
        start, end = rng.uniform(0, _SIDE, (2, 2))
        image = Image.new("1", (_SIDE, _SIDE))
        ImageDraw.Draw(image).line(
            [*map(float, start), *map(float, end)], fill=1, width=int(rng.integers(2, 5))
        )
        ground[np.asarray(image)] += rng.uniform(-70, 70)
    return ground


def _ramp(rng: np.random.Generator) -> Floats:
    """(_SIDE, _SIDE) rising by about 1 in some direction, around 0."""
    turn = rng.uniform(0, 2 * np.pi)
    along = np.linspace(-0.5, 0.5, _SIDE)
    ramp: Floats = np.cos(turn) * along[None, :] + np.sin(turn) * along[:, None]
    return ramp


def _clouds(rng: np.random.Generator, cells: int) -> Floats:
    """(_SIDE, _SIDE) smooth noise around 0, with about `cells` bumps a side."""
    coarse = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
    return np.asarray(coarse.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.float64) / 255 - 0.5


# Each class: an outline, and what is drawn on it in another colour; units, around (0, 0).


def _disc(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    return _ellipse(1, rng.uniform(0.8, 1)), []


def _target(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    outline, _ = _disc(rng)
    return outline, [outline * rng.uniform(0.42, 0.55)]


def _tile(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    return _rectangle(1, rng.uniform(0.75, 1)), []


def _window(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    outline, _ = _tile(rng)
    return outline, [outline * (0.2, 1), outline * (1, 0.2)]


def _stick(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    return _rectangle(1, rng.uniform(0.24, 0.36)), []


def _baton(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    outline, _ = _stick(rng)
    return outline, [outline * (0.18, 1) + (0.78, 0), outline * (0.18, 1) - (0.78, 0)]


def _wedge(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    return np.array([(-1, 0.8), (1, 0.8), (rng.uniform(-0.3, 0.3), -0.9)]), []


def _star(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    inner = rng.uniform(0.38, 0.5)
    angles = np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, inner, 1.0)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1), []


def _moon(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    outer, inner = _arc(1.0, 1.0), _arc(rng.uniform(0.3, 0.5), 1.0)
    return np.concatenate([outer, inner[::-1]]), []


def _cross(rng: np.random.Generator) -> tuple[Floats, list[Floats]]:
    half = rng.uniform(0.22, 0.34)
    arm = [(half, -half), (1, -half), (1, half), (half, half)]
    turns = [np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in np.arange(4) * np.pi / 2]
    return np.concatenate([np.array(arm) @ turn for turn in turns]), []


SHAPES = {
    "disc": _disc,
    "target": _target,
    "tile": _tile,
    "window": _window,
    "stick": _stick,
    "baton": _baton,
    "wedge": _wedge,
    "star": _star,
    "moon": _moon,
    "cross": _cross,
}


def _ellipse(rx: float, ry: float) -> Floats:
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    return np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)


def _rectangle(half_width: float, half_height: float) -> Floats:
    return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (half_width, half_height)


def _arc(rx: float, ry: float) -> Floats:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 20)
    return np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)

"""Draws market things: closed curves, shaded as if they were inflated, on soft backgrounds.

Curves live in unit coordinates: (K, 2) float64 points (x, y), y downwards, the thing filling about [-1, 1].
Images are (H, W, 3) float64 in [0, 255].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """One curve of a thing. `cheek` tints the side that the first axis of the thing points to; `bulge`
    is how far the rounding reaches in from the edge, in units (0 is flat); `inside` clips it to what is
    already drawn of the thing."""

    outline: Floats  # (K, 2)
    colour: Colour
    cheek: Colour | None = None
    bulge: float = 0.3
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn thing: colour and cover (0..1) on a window of the canvas, whose corner is `corner_xy`."""

    colour: Floats  # (h, w, 3)
    cover: Floats  # (h, w)
    corner_xy: tuple[int, int]


def smooth(points: object, steps: int = 12) -> Floats:
    """The closed Catmull-Rom curve through control points (K, 2)."""
    p1 = np.asarray(points, np.float64)
    p0, p2, p3 = np.roll(p1, 1, 0), np.roll(p1, -1, 0), np.roll(p1, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c = p2 - p0, 2 * p0 - 5 * p1 + 4 * p2 - p3, 3 * p1 - p0 - 3 * p2 + p3
    curve = p1[:, None] + 0.5 * t * (a[:, None] + t * (b[:, None] + t * c[:, None]))  # (K, steps, 2)
    return curve.reshape(-1, 2)


def mirrored(right_half: object) -> Floats:
    """The closed curve whose right half, from top to bottom, is given; points on the axis stay single."""
    half = np.asarray(right_half, np.float64)
    left = half[half[:, 0] > 0][::-1] * (-1, 1)
    return smooth(np.concatenate([half, left]))


def ellipse(x: float, y: float, rx: float, ry: float) -> Floats:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def stroke(points: object, widths: object) -> Floats:
    """The outline of a line through points (K, 2) with a width at each of them."""
    line = np.asarray(points, np.float64)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    half = across * np.asarray(widths, np.float64)[:, None] / 2
    return np.concatenate([line + half, (line - half)[::-1]])


def arc(x: float, y: float, rx: float, ry: float, angles: Floats) -> Floats:
    """Points of an ellipse at angles, radians."""
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1)


def extent(parts: Sequence[Part], turn: float) -> tuple[float, float]:
    """Width and height of the thing, in units, once it is turned by `turn` radians."""
    points = np.concatenate([part.outline for part in parts if not part.inside]) @ _rotation(turn)
    width, height = np.ptp(points, axis=0)
    return float(width), float(height)


def render(
    parts: Sequence[Part], centre_xy: Floats, radius_px: float, turn: float, light_xyz: Floats, shade: float
) -> Sprite:
    """A thing turned by `turn` radians and scaled to radius_px canvas pixels a unit."""
    rotation = _rotation(turn)
    placed = [part.outline @ rotation * radius_px + centre_xy for part in parts]
    low = np.floor(np.min([p.min(0) for p in placed], axis=0)).astype(int) - 4
    high = np.ceil(np.max([p.max(0) for p in placed], axis=0)).astype(int) + 4
    width, height = (int(side) for side in high - low)
    colour, cover = np.zeros((height, width, 3)), np.zeros((height, width))
    for part, outline in zip(parts, placed, strict=True):
        mask = _filled(outline - low, width, height)
        if part.inside:
            mask = mask * cover
        tint = _tint(part, mask.shape, centre_xy - low, radius_px, rotation)
        lit = _lit(tint * shade, mask, part.bulge * radius_px, light_xyz)
        colour = colour * (1 - mask[..., None]) + lit * mask[..., None]
        cover = np.maximum(cover, mask)
    return Sprite(colour, cover, (int(low[0]), int(low[1])))


def paste(canvas: Floats, sprite: Sprite, light_xyz: Floats, reach_px: float) -> None:
    """Draws the thing's shadow and then the thing on the canvas, in place."""
    left, top = sprite.corner_xy
    margin = round(reach_px * 4)
    shadow = blur(np.pad(sprite.cover, margin), reach_px * 0.7)[..., None]
    dx, dy = (round(-v * reach_px) for v in light_xyz[:2])
    _blend(canvas, np.zeros((1, 1, 3)), 0.42 * shadow, (left - margin + dx, top - margin + dy))
    _blend(canvas, sprite.colour, sprite.cover[..., None], sprite.corner_xy)


def on_canvas(sprite: Sprite, size_hw: tuple[int, ...]) -> Floats:
    """The thing's cover on a whole canvas (H, W); what leans over the edge is cut off."""
    whole = np.zeros((*size_hw, 1))
    _blend(whole, np.ones((1, 1, 1)), sprite.cover[..., None], sprite.corner_xy)
    return whole[..., 0]


def blur(field: Floats, radius_px: float) -> Floats:
    """Nearly Gaussian blur (three running means) of an (H, W) field, which goes on beyond its edge.
    Pillow's own blur rounds to 256 steps, which shows as rings once slopes are taken."""
    reach = max(1, round(radius_px))
    for _ in range(3):
        field = _running_mean(_running_mean(field, reach).T, reach).T
    return field


def soft_noise(rng: np.random.Generator, size: int, cells: int) -> Floats:
    """(size, size) smooth noise in 0..1 with about `cells` bumps a side."""
    coarse = Image.fromarray(rng.integers(0, 256, (cells + 1, cells + 1), dtype=np.uint8))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float64) / 255


def _rotation(turn: float) -> Floats:
    return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])


def _blend(canvas: Floats, colour: Floats, alpha: Floats, corner_xy: tuple[int, int]) -> None:
    """Lays colour (h, w, C) over the canvas (H, W, C) in place, where alpha (h, w, 1) says how much."""
    left, top = corner_xy
    height, width = alpha.shape[:2]
    x0, y0, x1, y1 = (
        max(left, 0),
        max(top, 0),
        min(left + width, canvas.shape[1]),
        min(top + height, len(canvas)),
    )
    window = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    colour = np.broadcast_to(colour, (height, width, canvas.shape[2]))[window]
    canvas[y0:y1, x0:x1] += (colour - canvas[y0:y1, x0:x1]) * alpha[window]


def _running_mean(field: Floats, reach: int) -> Floats:
    """Down the columns of (H, W), over 2 * reach + 1 rows."""
    padded = np.pad(field, ((reach + 1, reach), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0)
    width = 2 * reach + 1
    mean: Floats = (sums[width:] - sums[:-width]) / width
    return mean


def _filled(outline: Floats, width: int, height: int) -> Floats:
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).polygon([(float(x), float(y)) for x, y in outline], fill=255)
    return np.asarray(image, np.float64) / 255


def _tint(
    part: Part, shape: tuple[int, ...], centre_xy: Floats, radius_px: float, rotation: Floats
) -> Floats:
    """(h, w, 3) the part's own colour, going over into its cheek's along the thing's first axis."""
    base = np.broadcast_to(np.array(part.colour), (*shape, 3))
    if part.cheek is None:
        return base
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    x: Floats = (
        (columns - centre_xy[0]) * rotation[0, 0] + (rows - centre_xy[1]) * rotation[0, 1]
    ) / radius_px
    amount = np.clip(0.5 + 1.1 * x, 0, 1)[..., None]
    return base * (1 - amount) + np.array(part.cheek) * amount


def _lit(tint: Floats, mask: Floats, reach_px: float, light_xyz: Floats) -> Floats:
    """The tint under the light, the mask taken for a cushion that rises over reach_px from its edge."""
    if reach_px <= 0:
        return tint
    height = blur(mask, reach_px * 0.5) * mask * reach_px * 2
    slope_y, slope_x = np.gradient(blur(height / (reach_px * 2), 2) * reach_px * 2)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(mask)], axis=2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    diffuse = np.clip(normal @ light_xyz, 0, 1)[..., None]
    half_way = light_xyz + np.array((0, 0, 1))
    gloss = np.clip(normal @ (half_way / np.linalg.norm(half_way)), 0, 1)[..., None] ** 40
    return np.asarray(np.clip(tint * (0.42 + 0.72 * diffuse) + 70 * gloss, 0, 255))

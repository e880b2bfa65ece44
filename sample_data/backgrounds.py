"""Table tops to lay things on: (size, size, 3) float64 images in [0, 255], soft in colour and texture."""

from __future__ import annotations

import numpy as np
from drawing import Colour, Floats, blur, soft_noise

PALETTE: tuple[Colour, ...] = (
    (214, 205, 190),
    (188, 203, 208),
    (206, 192, 200),
    (196, 206, 180),
    (226, 214, 178),
    (168, 178, 186),
    (222, 190, 168),
    (176, 160, 142),
    (120, 134, 140),
    (236, 232, 224),
)


def background(rng: np.random.Generator, size: int) -> Floats:
    """One of the table tops, under light that falls off to one side, half of the time with a plate."""
    base = np.array(PALETTE[rng.integers(len(PALETTE))]) + rng.normal(0, 6, 3)
    kinds = (_plain, _gingham, _stripes, _planks, _dots)
    canvas = kinds[rng.integers(len(kinds))](rng, size, base)
    if rng.random() < 0.35:
        _add_plate(rng, canvas)
    y, x = np.mgrid[:size, :size] / size - 0.5
    fall = rng.uniform(-0.22, 0.22, 2)
    canvas *= (1 + fall[0] * x + fall[1] * y)[..., None]
    canvas *= (0.95 + 0.1 * soft_noise(rng, size, int(rng.integers(2, 6))))[..., None]
    return canvas


def _plain(rng: np.random.Generator, size: int, base: Floats) -> Floats:
    """Paper or stone: two near tones that flow into each other."""
    other = base + rng.normal(0, 16, 3)
    amount = soft_noise(rng, size, int(rng.integers(2, 9)))[..., None]
    return base * (1 - amount) + other * amount


def _gingham(rng: np.random.Generator, size: int, base: Floats) -> Floats:
    """Tablecloth: crossing bands."""
    u, v = _turned(rng, size)
    period = size * rng.uniform(0.1, 0.22)
    bands = 0.5 * _band(u, period, 0.5) + 0.5 * _band(v, period, 0.5)
    return _mixed(base, _deeper(rng, base), bands * rng.uniform(0.5, 0.9))


def _stripes(rng: np.random.Generator, size: int, base: Floats) -> Floats:
    u, _ = _turned(rng, size)
    period = size * rng.uniform(0.08, 0.2)
    return _mixed(base, _deeper(rng, base), _band(u, period, rng.uniform(0.15, 0.5)) * rng.uniform(0.4, 0.9))


def _dots(rng: np.random.Generator, size: int, base: Floats) -> Floats:
    u, v = _turned(rng, size)
    period = size * rng.uniform(0.09, 0.16)
    away = np.hypot((u % period) - period / 2, (v % period) - period / 2)
    return _mixed(
        base, _deeper(rng, base), blur((away < period * 0.17).astype(np.float64), 3) * rng.uniform(0.4, 0.9)
    )


def _planks(rng: np.random.Generator, size: int, base: Floats) -> Floats:
    """Wood: boards of slightly different tone with grain along them and dark joints."""
    wood = np.array((190, 152, 108)) * rng.uniform(0.7, 1.12) + (base - base.mean()) * 0.4
    boards = int(rng.integers(3, 7))
    across = np.arange(size) * boards // size
    tone = rng.uniform(0.88, 1.08, boards)[across]  # (size,)
    grain = np.repeat(soft_noise(rng, size, 60)[:, : size // 8], 8, axis=1)
    joint = np.minimum(np.abs(np.arange(size) * boards / size % 1 - 0.5) * 2, 1) > 0.96
    lines = (tone * (1 - 0.35 * joint))[:, None] * (0.93 + 0.14 * grain)
    canvas: Floats = wood * lines[..., None]
    return canvas if rng.random() < 0.5 else canvas.transpose(1, 0, 2).copy()


def _add_plate(rng: np.random.Generator, canvas: Floats) -> None:
    """A round plate with a rim, drawn in place."""
    size = len(canvas)
    x, y = rng.uniform(0.35, 0.65, 2) * size
    radius = rng.uniform(0.34, 0.48) * size
    rows, columns = np.mgrid[:size, :size]
    away = np.hypot(columns - x, rows - y) / radius
    glaze = np.array((240, 238, 232)) + rng.normal(0, 7, 3)
    shadow = blur((np.hypot(columns - x - 8, rows - y - 12) < radius) * 1.0, 14)
    canvas *= (1 - 0.3 * shadow)[..., None]
    cover = blur((away < 1) * 1.0, 1.5)[..., None]
    tone = 1 - 0.09 * np.exp(-(((away - 0.72) / 0.03) ** 2)) + 0.03 * (away > 0.72)
    canvas[:] = canvas * (1 - cover) + np.clip(glaze * tone[..., None], 0, 255) * cover


def _turned(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    turn = rng.choice((0, np.pi / 4)) + rng.normal(0, 0.12)
    y, x = np.mgrid[:size, :size].astype(np.float64)
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def _band(u: Floats, period: float, part: float) -> Floats:
    """1 on `part` of every period and 0 elsewhere, with soft edges."""
    return blur((u / period % 1 < part).astype(np.float64), 2)


def _deeper(rng: np.random.Generator, base: Floats) -> Floats:
    return base * rng.uniform(0.66, 0.86) + rng.normal(0, 14, 3)


def _mixed(first: Floats, second: Floats, amount: Floats) -> Floats:
    return first * (1 - amount[..., None]) + second * amount[..., None]

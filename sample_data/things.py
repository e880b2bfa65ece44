"""The five classes of the sample: each a function from a random generator to the parts of one specimen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from drawing import Colour, Floats, Part, arc, ellipse, mirrored, smooth, stroke

BROWN: Colour = (96, 66, 40)
LEAF: Colour = (92, 142, 58)


def apple(rng: np.random.Generator) -> list[Part]:
    skins: list[tuple[Colour, Colour]] = [
        ((196, 36, 40), (158, 22, 34)),
        ((148, 186, 70), (120, 166, 58)),
        ((226, 186, 82), (206, 72, 52)),
        ((206, 60, 48), (196, 170, 76)),
    ]
    skin, cheek = skins[rng.integers(len(skins))]
    wide = rng.uniform(0.92, 1.04)
    half = [(0, -0.62), (0.3, -0.8), (0.66, -0.72), (0.92, -0.3), (0.9, 0.16), (0.68, 0.62), (0.32, 0.86)]
    body = mirrored([*half, (0, 0.78)]) * (wide, 1)
    stem = stroke(arc(0.3, -0.62, 0.3, 0.42, np.linspace(np.pi, np.pi * 1.38, 8)), np.linspace(0.09, 0.14, 8))
    parts = [
        Part(body, jitter(rng, skin), jitter(rng, cheek), bulge=0.55),
        Part(ellipse(0, -0.6, 0.24, 0.09), (78, 62, 34), bulge=0.05, inside=True),
        Part(stem, BROWN, bulge=0.05),
    ]
    if rng.random() < 0.6:
        parts.append(Part(leaf(0.08, -0.82, rng.uniform(-0.5, 0.1), 0.58), jitter(rng, LEAF), bulge=0.08))
    return parts


def pear(rng: np.random.Generator) -> list[Part]:
    skins: list[tuple[Colour, Colour]] = [
        ((186, 196, 82), (160, 176, 62)),
        ((220, 196, 88), (204, 140, 66)),
        ((178, 128, 62), (150, 100, 50)),
        ((168, 178, 70), (178, 66, 52)),
    ]
    skin, cheek = skins[rng.integers(len(skins))]
    belly = rng.uniform(0.6, 0.7)
    half = [(0, -0.8), (0.2, -0.74), (0.29, -0.52), (0.36, -0.2), (belly - 0.08, 0.14), (belly, 0.5)]
    body = mirrored([*half, (belly - 0.2, 0.84), (0.14, 0.95), (0, 0.92)])
    stem = stroke(arc(-0.3, -0.76, 0.3, 0.34, np.linspace(0, -np.pi * 0.36, 8)), np.linspace(0.08, 0.12, 8))
    parts = [Part(body, jitter(rng, skin), jitter(rng, cheek), bulge=0.45), Part(stem, BROWN, bulge=0.04)]
    freckle = jitter(rng, (130, 98, 44))
    for x, y in rng.uniform((-0.4, 0.0), (0.4, 0.8), (int(rng.integers(0, 9)), 2)):
        parts.append(Part(ellipse(x, y, 0.035, 0.035), freckle, bulge=0, inside=True))
    return parts


def banana(rng: np.random.Generator) -> list[Part]:
    skins: list[Colour] = [(238, 202, 62), (226, 208, 84), (186, 194, 76), (232, 184, 52)]
    skin = jitter(rng, skins[rng.integers(len(skins))])
    bend = rng.uniform(0.6, 0.95)
    spine = arc(0, -bend * 0.55, 0.92, bend, np.linspace(np.pi * 0.04, np.pi * 0.96, 32))
    along = np.linspace(-1, 1, 32)
    thick = rng.uniform(0.4, 0.5)
    body = stroke(spine, thick * np.clip(1 - np.abs(along) ** 3.2, 0, 1) + 0.1)
    shadow_side = stroke(spine + np.array((0, thick * 0.3)), 0.3 * thick * np.clip(1 - along**2, 0.02, 1))
    darker: Colour = (skin[0] * 0.84, skin[1] * 0.8, skin[2] * 0.7)
    parts = [
        Part(body, skin, bulge=0.22),
        Part(shadow_side, darker, bulge=0, inside=True),
        Part(stroke(spine[:3], [0.15, 0.14, 0.12]), (84, 66, 40), bulge=0.03),
        Part(stroke(spine[-4:], [0.12, 0.12, 0.14, 0.15]), (128, 118, 52), bulge=0.03),
    ]
    for place in rng.integers(6, 26, int(rng.integers(0, 7))):
        x, y = spine[place] + rng.uniform(-0.1, 0.1, 2)
        size = rng.uniform(0.02, 0.06)
        parts.append(Part(ellipse(x, y, size * 1.5, size), (118, 80, 36), bulge=0, inside=True))
    return parts


def cherry(rng: np.random.Generator) -> list[Part]:
    """A pair on its stems."""
    skins: list[tuple[Colour, Colour]] = [
        ((128, 14, 34), (88, 8, 26)),
        ((204, 26, 40), (164, 16, 34)),
        ((224, 172, 88), (212, 74, 56)),
    ]
    skin, cheek = (jitter(rng, colour) for colour in skins[rng.integers(len(skins))])
    size, spread = rng.uniform(0.38, 0.46), rng.uniform(0.42, 0.54)
    joint = np.array([rng.uniform(-0.15, 0.25), -0.92])
    fruits = np.array([(-spread, rng.uniform(0.38, 0.56)), (spread, rng.uniform(0.38, 0.56))])
    parts = []
    for x, y in fruits:
        stem = _bow(joint, np.array([x, y - size * 0.75]), 0.16 * np.sign(x))
        parts.append(Part(stroke(stem, np.linspace(0.11, 0.07, len(stem))), (112, 136, 60), bulge=0.03))
    for x, y in fruits:
        parts.append(Part(ellipse(x, y, size, size * 0.96), skin, cheek, bulge=0.32))
        parts.append(Part(ellipse(x, y - size * 0.72, 0.1, 0.05), (70, 20, 24), bulge=0.02, inside=True))
    if rng.random() < 0.65:
        parts.append(
            Part(leaf(joint[0], joint[1], rng.uniform(0.1, 0.6), 0.72), jitter(rng, LEAF), bulge=0.1)
        )
    return parts


def mushroom(rng: np.random.Generator) -> list[Part]:
    caps: list[Colour] = [(150, 98, 60), (196, 52, 40), (214, 178, 132), (112, 74, 52)]
    kind = int(rng.integers(len(caps)))
    tall, stem_width = rng.uniform(0.85, 1.05), rng.uniform(0.2, 0.28)
    stem = mirrored(
        [(0, -0.2), (stem_width, -0.1), (stem_width * 0.95, 0.4), (stem_width * 1.35, 0.8), (0, 0.92)]
    )
    half = [(0, -0.86 * tall), (0.42, -0.74 * tall), (0.76, -0.36), (0.92, 0.04), (0.72, 0.16), (0.3, 0.1)]
    parts = [
        Part(stem, jitter(rng, (232, 220, 196)), jitter(rng, (206, 190, 160)), bulge=0.2),
        Part(ellipse(0, 0.08, 0.74, 0.18), (176, 150, 116), bulge=0.08),
        Part(mirrored([*half, (0, 0.06)]), jitter(rng, caps[kind]), bulge=0.42),
    ]
    dots = [
        (-0.5, -0.2),
        (0.02, -0.58),
        (0.46, -0.3),
        (-0.06, -0.14),
        (0.2, 0.0),
        (-0.28, -0.48),
        (0.68, 0.0),
    ]
    if kind == 1 or rng.random() < 0.15:
        for x, y in np.array(dots) + rng.normal(0, 0.03, (len(dots), 2)):
            size = rng.uniform(0.06, 0.11)
            parts.append(Part(ellipse(x, y, size, size * 0.8), (244, 236, 220), bulge=0.03, inside=True))
    return parts


def leaf(x: float, y: float, turn: float, length: float) -> Floats:
    """A leaf that starts at (x, y) and points to the right, turned by `turn` radians."""
    shape = smooth([(0, 0), (0.3, -0.2), (0.7, -0.16), (1, 0), (0.7, 0.15), (0.3, 0.17)]) * length
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(shape @ rotation + (x, y))


def jitter(rng: np.random.Generator, colour: Colour, spread: float = 10) -> Colour:
    r, g, b = np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 255)
    return float(r), float(g), float(b)


def _bow(first: Floats, last: Floats, bend: float) -> Floats:
    """(12, 2) points from first to last, bowed sideways."""
    t = np.linspace(0, 1, 12)[:, None]
    return first * (1 - t) + last * t + np.array([bend, 0]) * 4 * t * (1 - t)


THINGS: dict[str, Callable[[np.random.Generator], list[Part]]] = {
    "apple": apple,
    "banana": banana,
    "pear": pear,
    "cherry": cherry,
    "mushroom": mushroom,
}

"""Annotated images and what was found in them, drawn at random, with all that evaluation passes over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation.average_precision import ImageDetections

SIZE_PX = 400
Case = tuple[list[IndexedExample], list[ImageDetections]]


def case(images: int, seed: int = 3, *, noise: float = 0.02, misses: float = 0.2) -> Case:
    """Boxes of three classes, some of them crowds or difficult, some images annotated for two classes alone;
    most boxes are found, twice; others are found where nothing is."""
    random = np.random.default_rng(seed)
    pairs = [_image(random, noise, misses) for _ in range(images)]
    return [example for example, _ in pairs], [detections for _, detections in pairs]


def _image(
    random: np.random.Generator, noise: float, misses: float
) -> tuple[IndexedExample, ImageDetections]:
    count = int(random.integers(0, 7))
    labeled = frozenset((1, 2, 3)) if random.uniform() < 0.8 else frozenset((1, 2))
    boxes, ids = _boxes(random, count), random.choice(sorted(labeled), count)
    example = IndexedExample(
        example=b"",
        width=SIZE_PX,
        height=SIZE_PX,
        boxes=boxes,
        ids=ids.astype(np.int32),
        crowd=random.uniform(size=count) < 0.1,
        weights=np.ones(count, np.float32),
        labeled=labeled,
        difficult=random.uniform(size=count) < 0.1,
        areas=np.prod(boxes[:, 2:].astype(np.float64) - boxes[:, :2], axis=1) * SIZE_PX**2,
    )
    return example, found_in(example, random, noise=noise, misses=misses)


def found_in(
    example: IndexedExample, random: np.random.Generator, *, noise: float, misses: float
) -> ImageDetections:
    """What a model finds that is `noise` off and misses so many boxes; best first, with equal scores."""
    seen = random.uniform(size=len(example.ids)) >= misses
    near = [example.boxes[seen] + random.normal(0, scale * noise, (int(seen.sum()), 4)) for scale in (1, 3)]
    strays = int(random.integers(0, 4))
    boxes = np.concatenate([*near, _boxes(random, strays)]).clip(0, 1).astype(np.float32)
    ids = np.concatenate([np.tile(example.ids[seen], 2), random.integers(1, 4, strays)]).astype(np.int32)
    scores = np.sort(random.integers(1, 40, len(ids)) / 40.0)[::-1].astype(np.float32)
    return ImageDetections(boxes, scores, ids)


def _boxes(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    corners = random.uniform(0.0, 0.7, (count, 2))
    return np.concatenate([corners, corners + random.uniform(0.05, 0.3, (count, 2))], 1).astype(np.float32)

"""A small COCO file of people, dogs and cars, of which the first two have keypoints, of different numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.helpers.small_sets import save_picture

PERSON = ("nose", "left_hand", "right_hand")
DOG = ("nose", "tail")
NAMES: Mapping[str, tuple[str, ...]] = {"person": PERSON, "dog": DOG}
WIDTH, HEIGHT = 64, 32
POINTS: Sequence[tuple[str, list[float] | None]] = [
    ("person", [16, 8, 2, 32, 8, 1, 0, 0, 0]),
    ("car", None),
    ("dog", [40, 16, 2, 64, 32, 1]),
    ("person", [0] * 9),
]


def coco(
    folder: Path,
    points: Sequence[tuple[str, Any]] = POINTS,
    names: Mapping[str, Sequence[str]] = NAMES,
    file: str = "person_keypoints.json",
) -> Path:
    """One image, a.png, whose boxes have these keypoints, and one without boxes, b.png."""
    for name in ("a.png", "b.png"):
        save_picture(folder / "images" / name, WIDTH, HEIGHT)
    ids = {name: number for number, name in enumerate(("person", "car", "dog"), start=1)}
    annotations = []
    for number, (name, keypoints) in enumerate(points):
        item: dict[str, Any] = {"id": number, "image_id": 1, "category_id": ids[name]}
        item["bbox"] = [1 + 8 * number, 2, 8, 24]
        annotations.append(item if keypoints is None else item | {"keypoints": keypoints})
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
        for number, name in ((1, "a.png"), (2, "b.png"))
    ]
    categories: list[dict[str, Any]] = [{"id": number, "name": name} for name, number in ids.items()]
    for category in categories:
        if category["name"] in names:
            category |= {"keypoints": list(names[category["name"]]), "skeleton": [[1, 2]]}
    path = folder / file
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path

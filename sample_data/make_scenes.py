"""Renders the sample's images and writes their annotations as COCO, VOC and CSV.

    python sample_data/make_scenes.py [FOLDER]

Always the same images: each is drawn from a random generator of its own, seeded by its set and number.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from backgrounds import background
from drawing import Floats, Part, Sprite, extent, on_canvas, paste, render
from PIL import Image
from things import THINGS

SIZE = 160
SUPERSAMPLE = 3
CANVAS = SIZE * SUPERSAMPLE
OLD = ("apple", "banana", "pear")
NEW = ("cherry", "mushroom")
# As in COCO itself, the ids have gaps: a reader that takes them for positions fails on this set.
COCO_IDS = {"apple": 52, "banana": 53, "pear": 60, "cherry": 71, "mushroom": 88}
CSV_COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class Box:
    """A thing in an image: edges in whole pixels, xmax and ymax just beyond it; cut if it leans out."""

    name: str
    xmin: int
    ymin: int
    xmax: int
    ymax: int
    cut: bool

    @property
    def edges(self) -> tuple[int, int, int, int]:
        return self.xmin, self.ymin, self.xmax, self.ymax


@dataclass(frozen=True, slots=True)
class Scene:
    filename: str
    pixels: Floats  # (SIZE, SIZE, 3) in 0..255
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A set: which classes stand in its images, which at least once, which of them are labelled,
    and what its random draws start from."""

    name: str
    images: int
    classes: tuple[str, ...]
    required: tuple[str, ...]
    labelled: tuple[str, ...]
    seed: int


PLANS = (
    Plan("old", 100, OLD, OLD, OLD, seed=0),
    Plan("new", 60, OLD + NEW, NEW, NEW, seed=1),
    Plan("val", 50, OLD + NEW, OLD + NEW, OLD + NEW, seed=2),
)


def make_scene(plan: Plan, number: int) -> Scene:
    """One image with 1 to 4 things, each well in sight."""
    rng = np.random.default_rng([2024, plan.seed, number])
    light = np.array([rng.uniform(-0.5, 0.2), rng.uniform(-0.6, -0.35), 0.75])
    light /= np.linalg.norm(light)
    canvas = background(rng, CANVAS)
    names = _choose_names(rng, plan, number)
    sprites, covers = _arrange(rng, names, light)
    for sprite in sprites:
        paste(canvas, sprite, light, reach_px=4.0 * SUPERSAMPLE)
    boxes = (_box(name, sprite, cover) for name, sprite, cover in zip(names, sprites, covers, strict=True))
    pixels = _reduced(np.clip(canvas * rng.uniform(0.86, 1.04), 0, 255))
    return Scene(f"{plan.name}_{number:03d}.jpg", pixels, tuple(boxes))


def _choose_names(rng: np.random.Generator, plan: Plan, number: int) -> list[str]:
    """Turn by turn one of the required classes, so that none is rare, and 0 to 3 more of any."""
    more = rng.choice(4, p=(0.15, 0.35, 0.3, 0.2))
    names = [plan.required[number % len(plan.required)], *rng.choice(plan.classes, more)]
    return [str(name) for name in rng.permutation(names)]


def _arrange(
    rng: np.random.Generator, names: Sequence[str], light: Floats
) -> tuple[list[Sprite], list[Floats]]:
    """The things, and of each what is seen of it: tried anew until two thirds of each are in sight."""
    largest = {1: 80, 2: 76, 3: 66, 4: 58}[len(names)]
    while True:
        long_sides = [float(side) for side in rng.uniform(36, largest, len(names)) * SUPERSAMPLE]
        centres = _places(rng, long_sides)
        if centres is None:
            continue
        sprites = [
            _sprite(rng, name, side, centre, light)
            for name, side, centre in zip(names, long_sides, centres, strict=True)
        ]
        covers = _seen(sprites)
        parts = [cover.sum() / sprite.cover.sum() for cover, sprite in zip(covers, sprites, strict=True)]
        if min(parts) > 0.66:
            return sprites, covers


def _places(rng: np.random.Generator, long_sides: Sequence[float]) -> list[Floats] | None:
    """A centre for each thing, some near the edge, at most touching; None where the draw had no room."""
    centres: list[Floats] = []
    for i, side in enumerate(long_sides):
        margin = side * (0.3 if rng.random() < 0.15 else 0.52)
        centre = rng.uniform(margin, CANVAS - margin, 2)
        gaps = [
            np.linalg.norm(centre - other) - 0.42 * (side + long_sides[j])
            for j, other in enumerate(centres[:i])
        ]
        if min(gaps, default=0.0) < 0:
            return None
        centres.append(centre)
    return centres


def _sprite(
    rng: np.random.Generator, name: str, long_side_px: float, centre_xy: Floats, light: Floats
) -> Sprite:
    parts: list[Part] = THINGS[name](rng)
    turn = rng.uniform(0, 2 * np.pi) if name == "banana" else rng.normal(0, 0.4)
    radius_px = long_side_px / max(extent(parts, turn))
    return render(parts, centre_xy, radius_px, turn, light, rng.uniform(0.9, 1.08))


def _seen(sprites: Sequence[Sprite]) -> list[Floats]:
    """(CANVAS, CANVAS) of each thing what neither the edge nor a later thing hides."""
    covers: list[Floats] = []
    free = np.ones((CANVAS, CANVAS))
    for sprite in reversed(sprites):
        cover = on_canvas(sprite, free.shape)
        covers.append(cover * free)
        free = free * (1 - cover)
    return covers[::-1]


def _box(name: str, sprite: Sprite, seen: Floats) -> Box:
    """Around the pixels that show the thing on more than 0.4 of their area."""
    shares = _reduced(seen) > 0.4
    columns, rows = np.flatnonzero(shares.any(0)), np.flatnonzero(shares.any(1))
    cut = on_canvas(sprite, seen.shape).sum() < sprite.cover.sum() * 0.98
    return Box(name, int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1, bool(cut))


def _reduced(canvas: Floats) -> Floats:
    """(CANVAS, CANVAS, ...) to (SIZE, SIZE, ...) by the mean over each pixel."""
    mean: Floats = canvas.reshape(SIZE, SUPERSAMPLE, SIZE, SUPERSAMPLE, *canvas.shape[2:]).mean((1, 3))
    return mean


def write_coco(path: Path, scenes: Sequence[Scene], classes: Sequence[str]) -> None:
    rows = [(number, box) for number, scene in enumerate(scenes, 1) for box in scene.boxes]
    annotations = [
        {
            "id": i,
            "image_id": number,
            "category_id": COCO_IDS[box.name],
            "bbox": [box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin],
            "area": (box.xmax - box.xmin) * (box.ymax - box.ymin),
            "iscrowd": 0,
        }
        for i, (number, box) in enumerate(rows, 1)
    ]
    document = {
        "images": [
            {"id": number, "file_name": scene.filename, "width": SIZE, "height": SIZE}
            for number, scene in enumerate(scenes, 1)
        ],
        "categories": [{"id": COCO_IDS[name], "name": name, "supercategory": "market"} for name in classes],
        "annotations": annotations,
    }
    _write(path, _json_by_rows(document))


def write_voc(folder: Path, scenes: Iterable[Scene]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        objects = "".join(_voc_object(box) for box in scene.boxes)
        _write(
            folder / f"{Path(scene.filename).stem}.xml",
            f"<annotation>\n  <folder>images</folder>\n  <filename>{scene.filename}</filename>\n"
            f"  <size><width>{SIZE}</width><height>{SIZE}</height><depth>3</depth></size>\n"
            f"{objects}</annotation>\n",
        )


def _voc_object(box: Box) -> str:
    edges = "".join(
        f"<{edge}>{value}</{edge}>"
        for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), box.edges, strict=True)
    )
    return (
        f"  <object>\n    <name>{box.name}</name><truncated>{int(box.cut)}</truncated>"
        f"<difficult>0</difficult>\n    <bndbox>{edges}</bndbox>\n  </object>\n"
    )


def write_csv(path: Path, scenes: Iterable[Scene]) -> None:
    rows = [(scene.filename, SIZE, SIZE, box.name, *box.edges) for scene in scenes for box in scene.boxes]
    _write(path, "".join(",".join(map(str, row)) + "\n" for row in (CSV_COLUMNS, *rows)))


def write_label_map(path: Path, names: Iterable[str]) -> None:
    items = (f'item {{\n  name: "{name}"\n  id: {i}\n}}\n' for i, name in enumerate(names, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, "".join(items))


def write_set(folder: Path, plan: Plan) -> None:
    """A set's images, and of the things in them only those that are labelled, in three formats."""
    scenes = [make_scene(plan, number) for number in range(plan.images)]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        image = Image.fromarray(np.rint(scene.pixels).astype(np.uint8))
        image.save(folder / "images" / scene.filename, "JPEG", quality=75, optimize=True)
    labelled = [_with_classes(scene, plan.labelled) for scene in scenes]
    write_coco(folder / "annotations.coco.json", labelled, plan.labelled)
    write_voc(folder / "voc", labelled)
    write_csv(folder / "annotations.csv", labelled)
    silent = [name for name in plan.classes if name not in plan.labelled]
    if silent:
        write_csv(folder / "unlabelled.csv", [_with_classes(scene, silent) for scene in scenes])


def _with_classes(scene: Scene, names: Iterable[str]) -> Scene:
    return replace(scene, boxes=tuple(box for box in scene.boxes if box.name in names))


def _json_by_rows(document: dict[str, list[dict[str, object]]]) -> str:
    """JSON with a line for each image, category and annotation, so that a change shows as a line."""
    fields = (
        f" {json.dumps(key)}: [\n  "
        + ",\n  ".join(json.dumps(row, separators=(",", ":")) for row in rows)
        + "\n ]"
        for key, rows in document.items()
    )
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    for plan in PLANS:
        write_set(folder / plan.name, plan)
    write_label_map(folder / "label_maps" / "old.pbtxt", OLD)
    write_label_map(folder / "label_maps" / "new.pbtxt", NEW)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)

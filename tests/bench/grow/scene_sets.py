"""The records of the scenes: old and new images labelled for their own classes alone, images to choose by and
to test on labelled for all that a row knows.

Of 1,000 old images some show figures of new classes, and of 500 new ones most show old figures: nobody
labelled them there. Every fifth new image belongs to the same growth of five in a row, which has the labels
of one class alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.bench.grow import commands
from tests.bench.grow.figures import NEW, OLD, SIZE, Figure, scene

_SEED = 2027
_CROWDED_SHARE = 0.4
NEW_IMAGES = 500
ALL = (*OLD, *NEW)


@dataclass(frozen=True, slots=True)
class Part:
    """Images: by turns one class of `required` stands in each, and in a share of them others beside."""

    name: str
    images: int
    required: tuple[str, ...]
    others: tuple[str, ...]
    with_others: float


PARTS = (
    Part("old", 1000, OLD, NEW, 0.3),
    Part("new", NEW_IMAGES, NEW, OLD, 0.75),
    Part("val", 100, ALL, (), 0.0),
    Part("test", 400, ALL, (), 0.0),
)
Rows = list[tuple[str, tuple[Figure, ...]]]  # of a part: file name, figures


def grown_names(count: int) -> tuple[str, ...]:
    """The old classes and the first new ones."""
    return (*OLD, *NEW[:count])


def draw(part: Part, folder: Path, images: int) -> Rows:
    """The part's first images as folder/PART_NUMBER.jpg."""
    return [_drawn(part, number, folder) for number in range(images)]


def _drawn(part: Part, number: int, folder: Path) -> tuple[str, tuple[Figure, ...]]:
    rng = np.random.default_rng([_SEED, [each.name for each in PARTS].index(part.name), number])
    others = part.required + (part.others if rng.random() < part.with_others else ())
    made = scene(rng, part.required[number % len(part.required)], others, _CROWDED_SHARE)
    name = f"{part.name}_{number:04d}.jpg"
    Image.fromarray(made.pixels).save(folder / name, "JPEG", quality=90)
    return name, made.figures


def coco(rows: Rows, classes: Sequence[str]) -> str:
    """COCO's JSON of the images, with the boxes of some classes alone."""
    ids = {name: number for number, name in enumerate(classes, 1)}
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, (name, figures) in enumerate(rows, 1):
        images.append({"id": image_id, "file_name": name, "width": SIZE, "height": SIZE})
        for figure in (figure for figure in figures if figure.name in ids):
            width, height = figure.xmax - figure.xmin, figure.ymax - figure.ymin
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": ids[figure.name],
                    "bbox": [figure.xmin, figure.ymin, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def labelled(drawn: dict[str, Rows]) -> dict[str, tuple[Rows, tuple[str, ...]]]:
    """{set of records: its images, and the classes that they are annotated for}."""
    steps = {f"new_{step}": (drawn["new"][step - 1 :: len(NEW)], (name,)) for step, name in enumerate(NEW, 1)}
    chosen_by = {f"val_{step}": (drawn["val"], grown_names(step)) for step in range(len(NEW))}
    return {
        "old": (drawn["old"], OLD),
        "new": (drawn["new"], NEW),
        **steps,
        "joint": (drawn["old"] + drawn["new"], ALL),
        "val": (drawn["val"], ALL),
        "test": (drawn["test"], ALL),
        **chosen_by,
        "test_0": (drawn["test"], OLD),
    }


def make(out: Path) -> None:
    """Draws, converts and merges what is not there yet: records out/SET-*, label maps out/known_0.pbtxt (of
    the old classes) to out/known_5.pbtxt (of all)."""
    if (out / "known_5.pbtxt").exists():
        return
    folder = out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    sets = labelled({part.name: draw(part, folder, part.images) for part in PARTS})
    for name, (rows, classes) in sets.items():
        source = out / "coco" / f"{name}.json"
        source.parent.mkdir(exist_ok=True)
        source.write_text(coco(rows, classes), encoding="utf-8")
        commands.convert(out, name, source, "--images", str(folder))
    for step in range(len(NEW) + 1):
        commands.merge(out, f"known_{step}", ["old", *(f"new_{number}" for number in range(1, step + 1))])

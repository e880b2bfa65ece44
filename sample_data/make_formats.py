"""Cuts the four images of `formats/` out of those of `val/`, and writes their annotations as COCO's.

    python sample_data/make_formats.py

The other formats' files beside them are written by hand, as the tools write theirs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

HERE = Path(__file__).parent
CUTS = (  # file name, image of val/, and [left top right bottom] of what is cut out
    ("stall_1.jpg", "val_022.jpg", (0, 0, 120, 128)),
    ("stall_2.jpg", "val_018.jpg", (40, 10, 160, 90)),
    ("stall 3.jpg", "val_039.jpg", (30, 70, 160, 150)),
    ("empty.jpg", "val_013.jpg", (0, 0, 60, 60)),
)


def main() -> None:
    val = json.loads((HERE / "val/annotations.coco.json").read_text())
    ids = {image["file_name"]: image["id"] for image in val["images"]}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    used: set[int] = set()
    (HERE / "formats/images").mkdir(parents=True, exist_ok=True)
    for number, (name, origin, cut) in enumerate(CUTS, start=1):
        left, top, right, bottom = cut
        image = Image.open(HERE / "val/images" / origin).crop(cut)
        image.save(HERE / "formats/images" / name, quality=90)
        images.append({"id": number, "file_name": name, "width": right - left, "height": bottom - top})
        for annotation in val["annotations"]:
            x, y, width, height = annotation["bbox"]
            if annotation["image_id"] == ids[origin] and left <= x < right and top <= y < bottom:
                box = [x - left, y - top, width, height]
                new = {"id": len(annotations) + 1, "image_id": number, "bbox": box}
                annotations.append(annotation | new)
                used.add(annotation["category_id"])
    categories = [category for category in val["categories"] if category["id"] in used]
    scenes = {"images": images, "annotations": annotations, "categories": categories}
    (HERE / "formats/coco").mkdir(exist_ok=True)
    (HERE / "formats/coco/instances.json").write_text(json.dumps(scenes, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The same random boxes, seven an image, of 20 classes, in each format of annotations: {format: writer}."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SIZE_WH = (640, 480)
BOXES = 7
NAMES = [f"class {number:02d}" for number in range(20)]
Box = tuple[str, float, float, float, float]  # class, xmin, ymin, xmax, ymax


def scenes(images: int) -> Iterator[tuple[str, list[Box]]]:
    """Yields (stem of an image, its boxes)."""
    chance = random.Random(7)
    width, height = SIZE_WH
    for number in range(images):
        boxes: list[Box] = []
        for _ in range(BOXES):
            x, y = chance.uniform(0, width * 0.7), chance.uniform(0, height * 0.7)
            right, bottom = x + chance.uniform(4, width * 0.29), y + chance.uniform(4, height * 0.29)
            xmin, ymin, xmax, ymax = (round(edge, 2) for edge in (x, y, right, bottom))
            boxes.append((chance.choice(NAMES), xmin, ymin, xmax, ymax))
        yield f"{number:09d}", boxes


def voc(folder: Path, images: int) -> Path:
    """As LabelImg writes it."""
    for stem, boxes in scenes(images):
        objects = "".join(
            f"\t<object>\n\t\t<name>{name}</name>\n\t\t<pose>Unspecified</pose>\n\t\t<truncated>0</truncated>\n"
            f"\t\t<difficult>0</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>{xmin}</xmin>\n\t\t\t<ymin>{ymin}</ymin>\n"
            f"\t\t\t<xmax>{xmax}</xmax>\n\t\t\t<ymax>{ymax}</ymax>\n\t\t</bndbox>\n\t</object>\n"
            for name, xmin, ymin, xmax, ymax in boxes
        )
        size = "<width>640</width>\n\t\t<height>480</height>\n\t\t<depth>3</depth>"
        (folder / f"{stem}.xml").write_text(
            f"<annotation>\n\t<folder>images</folder>\n\t<filename>{stem}.jpg</filename>\n"
            f"\t<size>\n\t\t{size}\n\t</size>\n\t<segmented>0</segmented>\n{objects}</annotation>\n"
        )
    return folder


def csv(folder: Path, images: int) -> Path:
    """TFOD's columns; a row a box."""
    path = folder / "labels.csv"
    with path.open("w") as file:
        file.write("filename,width,height,class,xmin,ymin,xmax,ymax\n")
        for stem, boxes in scenes(images):
            file.writelines(f"{stem}.jpg,640,480,{','.join(map(str, box))}\n" for box in boxes)
    return path


def yolo(folder: Path, images: int) -> Path:
    """Texts in labels/, empty files for the images, classes.txt."""
    for name in ("images", "labels"):
        (folder / name).mkdir()
    (folder / "classes.txt").write_text("\n".join(NAMES) + "\n")
    width, height = SIZE_WH
    for stem, boxes in scenes(images):
        (folder / f"images/{stem}.jpg").touch()
        rows = (
            f"{NAMES.index(name)} {(xmin + xmax) / 2 / width:.6f} {(ymin + ymax) / 2 / height:.6f} "
            f"{(xmax - xmin) / width:.6f} {(ymax - ymin) / height:.6f}\n"
            for name, xmin, ymin, xmax, ymax in boxes
        )
        (folder / f"labels/{stem}.txt").write_text("".join(rows))
    return folder


def cvat(folder: Path, images: int) -> Path:
    path = folder / "annotations.xml"
    labels = "".join(
        f"<label><name>{name}</name><color>#fa3253</color><type>any</type><attributes></attributes></label>\n"
        for name in NAMES
    )
    with path.open("w") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        file.write(f"  <meta><task><labels>\n{labels}</labels></task></meta>\n")
        for number, (stem, boxes) in enumerate(scenes(images)):
            file.write(f'  <image id="{number}" name="{stem}.jpg" width="640" height="480">\n')
            file.writelines(
                f'    <box label="{name}" source="manual" occluded="0" xtl="{xmin:.2f}" ytl="{ymin:.2f}" '
                f'xbr="{xmax:.2f}" ybr="{ymax:.2f}" z_order="0">\n    </box>\n'
                for name, xmin, ymin, xmax, ymax in boxes
            )
            file.write("  </image>\n")
        file.write("</annotations>\n")
    return path


def labelme(folder: Path, images: int) -> Path:
    for stem, boxes in scenes(images):
        more: dict[str, Any] = {
            "group_id": None,
            "description": "",
            "shape_type": "rectangle",
            "flags": {},
            "mask": None,
        }
        document: dict[str, Any] = {
            "version": "5.4.1",
            "flags": {},
            "shapes": [
                {"label": name, "points": [[xmin, ymin], [xmax, ymax]], **more}
                for name, xmin, ymin, xmax, ymax in boxes
            ],
            "imagePath": f"{stem}.jpg",
            "imageData": None,
            "imageHeight": SIZE_WH[1],
            "imageWidth": SIZE_WH[0],
        }
        (folder / f"{stem}.json").write_text(json.dumps(document, indent=2))
    return folder


WRITERS: dict[str, Callable[[Path, int], Path]] = {
    "voc": voc,
    "csv": csv,
    "yolo": yolo,
    "cvat": cvat,
    "labelme": labelme,
}

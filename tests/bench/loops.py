"""The least that json, lxml and csv alone need to read what tests/bench/scenes.py writes: every box with its
class as plain values, without any check: {format: loop}."""

from __future__ import annotations

import csv as csv_
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Image = tuple[str, list[tuple[Any, ...]]]  # file name, boxes


def voc(path: Path) -> list[Image]:
    from lxml import etree

    images = []
    for file in sorted(path.iterdir()):
        root = etree.parse(file).getroot()
        boxes = [
            (item.findtext("name"), *(float(edge.text or "") for edge in item.find("bndbox") or ()))
            for item in root.iterfind("object")
        ]
        images.append((root.findtext("filename"), boxes))
    return images


def csv(path: Path) -> list[Image]:
    images: dict[str, list[tuple[Any, ...]]] = {}
    with path.open(newline="") as file:
        rows = csv_.reader(file)
        next(rows)
        for name, _width, _height, label, *edges in rows:
            images.setdefault(name, []).append((label, *map(float, edges)))
    return list(images.items())


def yolo(path: Path) -> list[Image]:
    names = (path / "classes.txt").read_text().split("\n")
    images = []
    for file in sorted((path / "labels").iterdir()):
        boxes = []
        for line in file.read_text().splitlines():
            label, *numbers = line.split()
            x, y, width, height = map(float, numbers)
            boxes.append((names[int(label)], x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        images.append((f"{file.stem}.jpg", boxes))
    return images


def cvat(path: Path) -> list[Image]:
    from lxml import etree

    images = []
    for _, element in etree.iterparse(path, tag="image"):
        boxes = [
            (box.get("label"), *(float(box.get(edge) or "") for edge in ("xtl", "ytl", "xbr", "ybr")))
            for box in element
        ]
        images.append((element.get("name") or "", boxes))
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return images


def labelme(path: Path) -> list[Image]:
    images = []
    for file in sorted(path.iterdir()):
        document = json.loads(file.read_bytes())
        boxes = [
            (shape["label"], *map(float, (*shape["points"][0], *shape["points"][1])))
            for shape in document["shapes"]
        ]
        images.append((document["imagePath"], boxes))
    return images


LOOPS: dict[str, Callable[[Path], list[Image]]] = {
    "voc": voc,
    "csv": csv,
    "yolo": yolo,
    "cvat": cvat,
    "labelme": labelme,
}

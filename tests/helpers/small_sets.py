"""Three rendered pictures and their boxes, written in every format that is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image, ImageDraw

from tfrec_tools.annotations.records import image_record
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.tfrecords.example import encode_example
from tfrec_tools.tfrecords.framing import write

Box = tuple[str, float, float, float, float]  # class, xmin, ymin, xmax, ymax
Scene = tuple[str, int, int, Sequence[Box]]  # file name, width, height, boxes

# Thirds and sevenths do not divide evenly.
SCENES: Sequence[Scene] = [
    ("b.jpg", 96, 64, [("dog", 10, 7, 50, 61), ("cat", 0, 0, 96, 64)]),
    ("a.png", 70, 90, [("cat", 3.5, 4.25, 33, 77)]),
    ("c.jpg", 77, 49, [("dog", 11, 13, 19, 23), ("dog", 1, 1, 76, 48)]),
]


def save_picture(path: Path, width: int = 60, height: int = 40, mode: str = "RGB", **options: Any) -> Path:
    """A picture with a diagonal gradient and a bar, so that a turn shows."""
    image = Image.linear_gradient("L").resize((width, height))
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height - 1), fill=255)
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "I;16":
        values = [value * 257 for value in image.tobytes()]
        image = Image.frombytes("I;16", image.size, b"".join(value.to_bytes(2, "little") for value in values))
    else:
        image = image.convert(mode)
    image.save(path, **options)
    return path


def save_pictures(folder: Path) -> Path:
    for name, width, height, _ in SCENES:
        save_picture(folder / name, width, height)
    return folder


def coco(folder: Path, scenes: Sequence[Scene] = SCENES) -> Path:
    """COCO with ids that have gaps and stand in another order than the names."""
    ids = {"dog": 3, "cat": 17}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, (name, width, height, boxes) in enumerate(scenes):
        images.append({"id": 100 + index, "file_name": name, "width": width, "height": height})
        for label, xmin, ymin, xmax, ymax in boxes:
            box = [xmin, ymin, xmax - xmin, ymax - ymin]
            annotations.append(
                {"id": len(annotations), "image_id": 100 + index, "category_id": ids[label], "bbox": box}
            )
    categories = [{"id": ids[name], "name": name} for name in ("cat", "dog")]
    path = folder / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def voc_xml(name: str, width: int, height: int, boxes: Sequence[tuple[object, ...]]) -> str:
    objects = "".join(
        f"<object><name>{label}</name>"
        f"<difficult>{index % 2}</difficult><truncated>{(index + 1) % 2}</truncated>"
        f"<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>\n"
        for index, (label, xmin, ymin, xmax, ymax) in enumerate(boxes)
    )
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>\n<filename>{name}</filename>\n{size}\n{objects}</annotation>\n"


def voc(folder: Path, scenes: Sequence[Scene] = SCENES) -> Path:
    annotations = folder / "Annotations"
    annotations.mkdir()
    for name, width, height, boxes in scenes:
        (annotations / f"{Path(name).stem}.xml").write_text(voc_xml(name, width, height, boxes))
    return annotations


def csv(folder: Path, scenes: Sequence[Scene] = SCENES) -> Path:
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    rows += [
        ",".join(map(str, (name, width, height, *box)))
        for name, width, height, boxes in scenes
        for box in boxes
    ]
    path = folder / "labels.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def yolo(folder: Path, scenes: Sequence[Scene] = SCENES) -> Path:
    """Ultralytics' layout, with pictures: the first scene in train, the rest in val."""
    names = ["dog", "cat"]
    for index, (name, width, height, boxes) in enumerate(scenes):
        split = "val" if index else "train"
        rows = []
        for label, xmin, ymin, xmax, ymax in boxes:
            centre = ((xmin + xmax) / 2 / width, (ymin + ymax) / 2 / height)
            row = (names.index(label), *centre, (xmax - xmin) / width, (ymax - ymin) / height)
            rows.append(" ".join(map(repr, row)))
        save_picture(folder / "images" / split / name, width, height)
        text = folder / "labels" / split / f"{Path(name).stem}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join(rows) + "\n")
    path = folder / "data.yaml"
    path.write_text(f"train: images/train\nval: images/val\nnc: 2\nnames: {names}\n")
    return path


def tfrecord(folder: Path, scenes: Sequence[Scene] = SCENES) -> Path:
    """With pictures; encoded by our own writer, whose bytes TensorFlow's reading has confirmed."""
    examples = []
    for index, (name, width, height, boxes) in enumerate(scenes):
        data = save_picture(folder / "pictures" / name, width, height).read_bytes()
        kind = "png" if name.endswith("png") else "jpeg"
        record = image_record(
            image_id=str(100 + index),
            filename=name,
            source=name,
            names=tuple(box[0] for box in boxes),
            boxes_xyxy=[box[1:] for box in boxes],
        )
        examples.append(encode_example(record, EncodedImage(data, kind, width, height), {"dog": 1, "cat": 2}))
    path = folder / "old.tfrecord"
    write(path, examples)
    return path


class Writer(Protocol):
    def __call__(self, folder: Path, scenes: Sequence[Scene] = ...) -> Path: ...


WRITERS: dict[str, Writer] = {"coco": coco, "voc": voc, "csv": csv}  # annotations alone, in pixels
FULL_WRITERS: dict[str, Writer] = WRITERS | {"yolo": yolo, "tfrecord": tfrecord}

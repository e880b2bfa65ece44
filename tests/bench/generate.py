"""Pictures of about 107 KB with 7 boxes of 80 classes each, as COCO: some dozens of encoded ones, each copy
made another by a comment in it. Beyond the first 5,000 they are those again under other names, so that
100,000 need 0.5 GB."""

from __future__ import annotations

import json
import random
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SIZE_WH = (640, 480)
BOXES = 7
CLASSES = 80
ORIGINALS = 24
DIFFERENT = 5000


def data_set(folder: Path, images: int) -> Path:
    """The COCO file, beside which the pictures lie in images/; made unless it is there."""
    path = folder / "instances.json"
    if path.exists():
        return path
    (folder / "images").mkdir(parents=True, exist_ok=True)
    originals = [_jpeg(seed) for seed in range(ORIGINALS)]
    for i in range(min(images, DIFFERENT)):
        comment = b"picture %09d" % i
        data = originals[i % ORIGINALS]
        segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
        (folder / "images" / f"{i:09d}.jpg").write_bytes(data[:2] + segment + data[2:])
    for i in range(DIFFERENT, images):
        (folder / "images" / f"{i:09d}.jpg").hardlink_to(folder / "images" / f"{i % DIFFERENT:09d}.jpg")
    path.write_text(json.dumps(_document(images)))
    return path


def _jpeg(seed: int) -> bytes:
    """Smooth noise, which compresses to about 107 KB."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIZE_WH[1] // 2, SIZE_WH[0] // 2, 3), np.uint8)
    out = BytesIO()
    Image.fromarray(noise).resize(SIZE_WH, Image.Resampling.BICUBIC).save(out, "JPEG", quality=57)
    return out.getvalue()


def _document(images: int) -> dict[str, object]:
    chance = random.Random(7)
    width, height = SIZE_WH
    annotations = []
    for i in range(images * BOXES):
        x, y = chance.uniform(0, width * 0.7), chance.uniform(0, height * 0.7)
        box = [x, y, chance.uniform(4, width * 0.29), chance.uniform(4, height * 0.29)]
        annotations.append(
            {
                "id": i,
                "image_id": i // BOXES,
                "category_id": 1 + chance.randrange(CLASSES),
                "bbox": [round(value, 2) for value in box],
                "area": round(box[2] * box[3], 2),
                "iscrowd": 0,
                "segmentation": [[round(chance.uniform(0, 400), 2) for _ in range(30)]],
            }
        )
    return {
        "images": [
            {"id": i, "file_name": f"{i:09d}.jpg", "width": width, "height": height} for i in range(images)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": f"class {i:02d}"} for i in range(1, CLASSES + 1)],
    }

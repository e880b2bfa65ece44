"""A COCO file of the size of instances_train2017.json, and what reading it costs.

python -m tests.bench.big_coco FILE
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

IMAGES = 117_266
ANNOTATIONS = 860_000
CLASSES = 90
_POLYGONS = 500  # different ones, taken in turn


def write(path: Path, images: int = IMAGES, annotations: int = ANNOTATIONS) -> Path:
    """About 560 bytes an annotation, most of them its polygon, as in the original."""
    chance = random.Random(7)
    polygons = [_polygon(chance) for _ in range(_POLYGONS)]
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info": {"year": 2017}, "images": [')
        file.write(", ".join(_image(number) for number in range(images)))
        file.write('], "annotations": [')
        for number in range(annotations):
            box = [round(chance.uniform(0, 300), 2) for _ in range(4)]
            polygon = polygons[number % _POLYGONS]
            file.write(
                f'{", " if number else ""}{{"segmentation": {polygon}, "area": {box[2] * 9}, "iscrowd": 0, '
                f'"image_id": {chance.randrange(images)}, "bbox": {box}, '
                f'"category_id": {chance.randint(1, CLASSES)}, "id": {number}}}'
            )
        file.write('], "categories": [')
        names = ({"supercategory": "thing", "id": i, "name": f"class {i}"} for i in range(1, CLASSES + 1))
        file.write(", ".join(map(json.dumps, names)) + "]}")
    return path


def _image(number: int) -> str:
    name = f"{number:012d}.jpg"
    url = f"http://images.cocodataset.org/train2017/{name}"
    image = {"license": 3, "file_name": name, "coco_url": url, "height": 480, "width": 640, "id": number}
    return json.dumps(image)


def _polygon(chance: random.Random) -> str:
    points = 2 * chance.randint(6, 45)
    return json.dumps([[round(chance.uniform(0, 600), 2) for _ in range(points)]])


def measure(path: Path) -> dict[str, float]:
    """Of reading a file in a process of its own: seconds, those of them on a core, peak resident MB (in
    which the mapped file counts) and MB without it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.big_coco", "--read", path], check=True, capture_output=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _read(path: Path) -> dict[str, float]:
    from tfrec_tools.formats import registry

    start = time.perf_counter()
    source = registry.read(path)
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    own_kb = next(
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("RssAnon")
    )
    peak_mb = usage.ru_maxrss / 1024
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_mb": peak_mb,
        "own_mb": own_kb / 1024,
        "images": len(source.records),
    }


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        print(json.dumps(_read(Path(sys.argv[2]))))
    else:
        print(json.dumps(measure(write(Path(sys.argv[1])))))

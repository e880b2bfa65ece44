"""The practical limit: two processes that do no more than json, read, sha256, CRC and write, of the same
Examples, without any check, option, report or resume."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import struct
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import google_crc32c

from tfrec_tools.tfrecords.wire import serialize

PROCESSES = 2


def main() -> None:
    source, images, out = sys.argv[1:]
    document = json.loads(Path(source).read_bytes())
    boxes: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        boxes[annotation["image_id"]].append(annotation)
    names = {category["id"]: category["name"].encode() for category in document["categories"]}
    jobs = [
        (document["images"][i::PROCESSES], boxes, names, images, f"{out}-{i}.tfrecord")
        for i in range(PROCESSES)
    ]
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=write, args=job) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def write(
    records: list[dict[str, Any]],
    boxes: dict[int, list[dict[str, Any]]],
    names: dict[int, bytes],
    images: str,
    out: str,
) -> None:
    with open(out, "wb") as file:  # noqa: PTH123
        for record in records:
            with open(f"{images}/{record['file_name']}", "rb") as picture:  # noqa: PTH123
                data = example(record, picture.read(), boxes[record["id"]], names)
            length = struct.pack("<Q", len(data))
            file.write(length + crc(length))
            file.write(data)
            file.write(crc(data))


def example(
    record: dict[str, Any], picture: bytes, boxes: list[dict[str, Any]], names: dict[int, bytes]
) -> bytes:
    width, height = record["width"], record["height"]
    corners = [(x, y, x + w, y + h) for x, y, w, h in (box["bbox"] for box in boxes)]
    features = {
        "image/encoded": ("bytes", [picture]),
        "image/format": ("bytes", [b"jpeg"]),
        "image/height": ("int64", [height]),
        "image/width": ("int64", [width]),
        "image/filename": ("bytes", [record["file_name"].encode()]),
        "image/source_id": ("bytes", [b"%d" % record["id"]]),
        "image/key/sha256": ("bytes", [hashlib.sha256(picture).hexdigest().encode()]),
        "image/object/bbox/xmin": ("float", [box[0] / width for box in corners]),
        "image/object/bbox/ymin": ("float", [box[1] / height for box in corners]),
        "image/object/bbox/xmax": ("float", [box[2] / width for box in corners]),
        "image/object/bbox/ymax": ("float", [box[3] / height for box in corners]),
        "image/object/class/label": ("int64", [box["category_id"] for box in boxes]),
        "image/object/class/text": ("bytes", [names[box["category_id"]] for box in boxes]),
        "image/object/difficult": ("int64", [0] * len(boxes)),
        "image/object/truncated": ("int64", [0] * len(boxes)),
        "image/object/is_crowd": ("int64", [box["iscrowd"] for box in boxes]),
        "image/object/area": ("float", [box["area"] for box in boxes]),
    }
    return serialize(features)


def crc(data: bytes) -> bytes:
    value = google_crc32c.value(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


if __name__ == "__main__":
    main()

"""What people write: one process, json, tf.train.Example and tf.io.TFRecordWriter."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import tensorflow as tf


def main() -> None:
    source, images, out = sys.argv[1:]
    document = json.loads(Path(source).read_bytes())
    boxes: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        boxes[annotation["image_id"]].append(annotation)
    names = {category["id"]: category["name"].encode() for category in document["categories"]}
    with tf.io.TFRecordWriter(f"{out}.tfrecord") as writer:
        for record in document["images"]:
            picture = Path(images, record["file_name"]).read_bytes()
            writer.write(example(record, picture, boxes[record["id"]], names).SerializeToString())


def example(
    record: dict[str, Any], picture: bytes, boxes: list[dict[str, Any]], names: dict[int, bytes]
) -> tf.train.Example:
    width, height = record["width"], record["height"]
    corners = [(x, y, x + w, y + h) for x, y, w, h in (box["bbox"] for box in boxes)]
    features = {
        "image/encoded": of_bytes([picture]),
        "image/format": of_bytes([b"jpeg"]),
        "image/height": of_ints([height]),
        "image/width": of_ints([width]),
        "image/filename": of_bytes([record["file_name"].encode()]),
        "image/source_id": of_bytes([b"%d" % record["id"]]),
        "image/key/sha256": of_bytes([hashlib.sha256(picture).hexdigest().encode()]),
        "image/object/bbox/xmin": of_floats([box[0] / width for box in corners]),
        "image/object/bbox/ymin": of_floats([box[1] / height for box in corners]),
        "image/object/bbox/xmax": of_floats([box[2] / width for box in corners]),
        "image/object/bbox/ymax": of_floats([box[3] / height for box in corners]),
        "image/object/class/label": of_ints([box["category_id"] for box in boxes]),
        "image/object/class/text": of_bytes([names[box["category_id"]] for box in boxes]),
        "image/object/difficult": of_ints([0] * len(boxes)),
        "image/object/truncated": of_ints([0] * len(boxes)),
        "image/object/is_crowd": of_ints([box["iscrowd"] for box in boxes]),
        "image/object/area": of_floats([box["area"] for box in boxes]),
    }
    return tf.train.Example(features=tf.train.Features(feature=features))


def of_bytes(values: list[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def of_ints(values: list[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def of_floats(values: list[float]) -> tf.train.Feature:
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


if __name__ == "__main__":
    main()

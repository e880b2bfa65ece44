"""The features of a tf.train.Example, with the keys that TFOD's TfExampleDecoder reads, in one table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

IMAGE_ENCODED = "image/encoded"
IMAGE_FORMAT = "image/format"
IMAGE_HEIGHT = "image/height"
IMAGE_WIDTH = "image/width"
IMAGE_FILENAME = "image/filename"
IMAGE_SOURCE_ID = "image/source_id"
IMAGE_SHA256 = "image/key/sha256"
IMAGE_CLASS_LABEL = "image/class/label"
IMAGE_CLASS_TEXT = "image/class/text"
BOX_XMIN = "image/object/bbox/xmin"
BOX_YMIN = "image/object/bbox/ymin"
BOX_XMAX = "image/object/bbox/xmax"
BOX_YMAX = "image/object/bbox/ymax"
BOX_LABEL = "image/object/class/label"
BOX_TEXT = "image/object/class/text"
BOX_DIFFICULT = "image/object/difficult"
BOX_TRUNCATED = "image/object/truncated"
BOX_OCCLUDED = "image/object/occluded"
BOX_GROUP_OF = "image/object/group_of"
BOX_VIEW = "image/object/view"
BOX_MASK = "image/object/mask"
BOX_IS_CROWD = "image/object/is_crowd"
BOX_AREA = "image/object/area"
KEYPOINT_X = "image/object/keypoint/x"
KEYPOINT_Y = "image/object/keypoint/y"
KEYPOINT_VISIBILITY = "image/object/keypoint/visibility"
KEYPOINT_NUM = "image/object/keypoint/num"
KEYPOINT_TEXT = "image/object/keypoint/text"
BOX_WEIGHT = "image/object/weight"


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of an Example: its kind ("bytes", "float" or "int64"), shape, unit and meaning.

    The shape is () for one value, (N,) for one a box, (N, K) for one a keypoint of each box, box by box,
    (C,) for any number of classes.
    """

    kind: str
    shape: str
    unit: str
    meaning: str


FEATURES: dict[str, Feature] = {
    IMAGE_ENCODED: Feature("bytes", "()", "JPEG or PNG", "the image"),
    IMAGE_FORMAT: Feature("bytes", "()", "`jpeg` or `png`", "what the bytes of the image are"),
    IMAGE_HEIGHT: Feature("int64", "()", "pixels", "height of the stored image"),
    IMAGE_WIDTH: Feature("int64", "()", "pixels", "width of the stored image"),
    IMAGE_FILENAME: Feature("bytes", "()", "UTF-8", "path of the image's file below the folder of images"),
    IMAGE_SOURCE_ID: Feature(
        "bytes", "()", "decimal number", "the source's id of the image, else a number made from its name"
    ),
    IMAGE_SHA256: Feature("bytes", "()", "hexadecimal", "SHA-256 of the image's bytes"),
    BOX_XMIN: Feature("float", "(N,)", "fraction of the width", "left edge"),
    BOX_YMIN: Feature("float", "(N,)", "fraction of the height", "upper edge"),
    BOX_XMAX: Feature("float", "(N,)", "fraction of the width", "right edge"),
    BOX_YMAX: Feature("float", "(N,)", "fraction of the height", "lower edge"),
    BOX_LABEL: Feature("int64", "(N,)", "id from 1", "the class, by the label map"),
    BOX_TEXT: Feature("bytes", "(N,)", "UTF-8", "the class's name"),
    BOX_DIFFICULT: Feature("int64", "(N,)", "0 or 1", "hard to recognise (VOC)"),
    BOX_TRUNCATED: Feature("int64", "(N,)", "0 or 1", "the object goes on outside the box (VOC)"),
    BOX_IS_CROWD: Feature("int64", "(N,)", "0 or 1", "a group in one box (COCO)"),
    BOX_AREA: Feature("float", "(N,)", "square pixels", "the source's area of the object, else the box's"),
    BOX_OCCLUDED: Feature("int64", "(N,)", "0 or 1", "something stands before the object (VOC)"),
    BOX_GROUP_OF: Feature("int64", "(N,)", "0 or 1", "a group in one box (Open Images)"),
    BOX_VIEW: Feature("bytes", "(N,)", "UTF-8", "the object's pose, such as `Frontal` (VOC)"),
    BOX_MASK: Feature("bytes", "(N,)", "PNG of the image's size", "the object's mask: 1, and 0 elsewhere"),
    KEYPOINT_X: Feature("float", "(N, K)", "fraction of the width", "place of a keypoint"),
    KEYPOINT_Y: Feature("float", "(N, K)", "fraction of the height", "place of a keypoint"),
    KEYPOINT_VISIBILITY: Feature("int64", "(N, K)", "0, 1 or 2", "not labeled, hidden or visible (COCO)"),
    KEYPOINT_NUM: Feature("int64", "(N,)", "count", "how many keypoints of the box are labeled"),
    KEYPOINT_TEXT: Feature("bytes", "(N, K)", "UTF-8", "the keypoint's name"),
    BOX_WEIGHT: Feature("float", "(N,)", "0 to 1", "how much the box counts in training; 0: in doubt"),
    IMAGE_CLASS_LABEL: Feature(
        "int64",
        "(C,)",
        "id from 1",
        "classes that the image was annotated for; none means all of the label map",
    ),
    IMAGE_CLASS_TEXT: Feature("bytes", "(C,)", "UTF-8", "their names"),
}


def source_id(image_id: str) -> str:
    """Returns a decimal number as text, which Model Garden's parsers demand: the id itself where it is one,
    else 53 bits of its SHA-256, stable on every machine, and exact in JavaScript's and jq's floats too."""
    if image_id.isascii() and image_id.isdecimal() and len(image_id) < 20 and int(image_id) < 2**63:
        return str(int(image_id))
    digest = hashlib.sha256(image_id.encode()).digest()
    return str(int.from_bytes(digest[:8], "big") >> 11)

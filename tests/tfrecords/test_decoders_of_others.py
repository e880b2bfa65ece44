"""Records as the decoders of others read them: the features that their sources ask for, in plain tf.data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tests.helpers import poses
from tests.helpers.small_sets import SCENES, save_pictures, voc
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.shards import record_files
from tfrec_tools.labels.pbtxt import read_label_map

EDGES = {"xmin": (1, 1), "ymin": (2, 2), "xmax": (3, 1), "ymax": (4, 2)}  # in a scene's box; which size


def model_gardens(tf: Any) -> dict[str, Any]:
    """official/vision/dataloaders/tf_example_decoder.py"""
    spec = {
        "image/encoded": tf.io.FixedLenFeature((), tf.string),
        "image/source_id": tf.io.FixedLenFeature((), tf.string),
        "image/height": tf.io.FixedLenFeature((), tf.int64, -1),
        "image/width": tf.io.FixedLenFeature((), tf.int64, -1),
        "image/object/class/label": tf.io.VarLenFeature(tf.int64),
        "image/object/area": tf.io.VarLenFeature(tf.float32),
        "image/object/is_crowd": tf.io.VarLenFeature(tf.int64),
    }
    return spec | {f"image/object/bbox/{edge}": tf.io.VarLenFeature(tf.float32) for edge in EDGES}


def tfods(tf: Any) -> dict[str, Any]:
    """object_detection/data_decoders/tf_example_decoder.py"""
    more = {
        "image/format": tf.io.FixedLenFeature((), tf.string, "jpeg"),
        "image/filename": tf.io.FixedLenFeature((), tf.string, ""),
        "image/key/sha256": tf.io.FixedLenFeature((), tf.string, ""),
        "image/class/text": tf.io.VarLenFeature(tf.string),
        "image/class/label": tf.io.VarLenFeature(tf.int64),
        "image/object/class/text": tf.io.VarLenFeature(tf.string),
        "image/object/difficult": tf.io.VarLenFeature(tf.int64),
        "image/object/truncated": tf.io.VarLenFeature(tf.int64),
        "image/object/group_of": tf.io.VarLenFeature(tf.int64),
    }
    return model_gardens(tf) | more


@pytest.mark.parametrize("specification", [model_gardens, tfods])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_they_parse(
    tmp_path: Path, specification: Callable[[Any], dict[str, Any]], compression: Literal["none", "gzip"]
) -> None:
    tf = pytest.importorskip("tensorflow")
    save_pictures(tmp_path / "images")
    convert(ConvertOptions(voc(tmp_path), tmp_path / "out/new", compression=compression))
    files = [str(path) for path in record_files([str(tmp_path / "out/new")])]
    spec = specification(tf)
    scenes = {scene[1]: scene for scene in SCENES}  # by width
    for data in tf.data.TFRecordDataset(files, compression.upper()):
        found = tf.io.parse_single_example(data, spec)
        _, width, height, boxes = scenes.pop(int(found["image/width"]))
        assert int(tf.strings.to_number(found["image/source_id"], tf.int64)) >= 0
        assert tf.io.decode_image(found["image/encoded"], channels=3).shape == (height, width, 3)
        for edge, (at, size) in EDGES.items():
            expected = np.array([box[1:][at - 1] / (width, height)[size - 1] for box in boxes], np.float32)
            np.testing.assert_array_equal(tf.sparse.to_dense(found[f"image/object/bbox/{edge}"]), expected)
        labels = tf.sparse.to_dense(found["image/object/class/label"]).numpy().tolist()
        assert labels == [{"cat": 1, "dog": 2}[box[0]] for box in boxes]
    assert not scenes


def test_keypoints_as_tfod_reads_them(tmp_path: Path) -> None:
    """Flat lists that reshape to (boxes, num_keypoints, 2), NaN where none is labeled; ids of the label map
    say which are of which class (_reshape_keypoints, _reshape_keypoint_visibilities)."""
    tf = pytest.importorskip("tensorflow")
    convert(ConvertOptions(poses.coco(tmp_path), tmp_path / "out/new"))
    label_map = read_label_map(tmp_path / "out/new.label_map.pbtxt")
    count = sum(len(label.keypoints) for label in label_map.labels)
    spec = tfods(tf) | {
        f"image/object/keypoint/{key}": tf.io.VarLenFeature(kind)
        for key, kind in (("x", tf.float32), ("y", tf.float32), ("visibility", tf.int64), ("num", tf.int64))
    }
    seen = 0
    for data in tf.data.TFRecordDataset([str(path) for path in record_files([str(tmp_path / "out/new")])]):
        found = {
            key: tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value
            for key, value in tf.io.parse_single_example(data, spec).items()
        }
        classes = found["image/object/class/label"].numpy().tolist()
        of_keypoints = (found[f"image/object/keypoint/{key}"] for key in ("y", "x", "visibility"))
        y, x, visibility = (tf.reshape(values, [-1, count]) for values in of_keypoints)
        y_x = tf.where((visibility > 0)[..., None], tf.stack([y, x], axis=-1), np.nan).numpy()
        assert len(y_x) == len(classes)
        for box, class_id in enumerate(classes):
            label = label_map.labels[class_id - 1]
            ids = {name: number for number, name in label.keypoints}
            expected = np.full((count, 2), np.nan)
            triples = np.array(poses.POINTS[box][1] or (), np.float64).reshape(-1, 3)
            for name, (at_x, at_y, is_labeled) in zip(ids, triples, strict=False):
                if is_labeled:
                    expected[ids[name]] = at_y / poses.HEIGHT, at_x / poses.WIDTH
            np.testing.assert_array_equal(y_x[box], expected)
            assert found["image/object/keypoint/num"][box] == np.isfinite(expected).all(axis=1).sum()
            seen += 1
    assert seen == len(poses.POINTS)

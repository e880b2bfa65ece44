"""Records as the decoders of others read them: the features that their sources ask for, in plain tf.data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tests.helpers.small_sets import SCENES, save_pictures, voc
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.shards import record_files

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

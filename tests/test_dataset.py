"""Records as the trainer sees them: index, batches, augmentation."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import tiny
from tfrec_tools.dataset.manifest import FORMAT_VERSION, ClassInfo, Manifest, ShardInfo, format_manifest
from tfrec_tools.detector.config.read import read_pipeline
from tfrec_tools.detector.data import augment, batches
from tfrec_tools.detector.data.images import Cache, Encoded, pictures_of
from tfrec_tools.detector.data.index import index_records, read_picture
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.labels.label_map import from_names

CONFIG = read_pipeline(tiny.PIPELINE)
RED_GREEN = from_names(["red", "green"])


def test_pictures_and_boxes_come_back(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 3)
    examples = index_records([str(file)], RED_GREEN)
    assert [example.ids.tolist() for example in examples] == [[1, 2]] * 3
    for example in examples:
        picture = np.array(Image.open(io.BytesIO(read_picture(example))))
        ymin, xmin, ymax, xmax = np.rint(example.boxes[1] * 64).astype(int)
        assert (picture[ymin:ymax, xmin:xmax] == tiny.COLOURS["green"]).all()


def test_compressed_records_are_read_too(tmp_path: Path) -> None:
    plain = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 2)
    packed = tmp_path / "b.tfrecord"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    pictures = [[read_picture(e) for e in index_records([str(file)], RED_GREEN)] for file in (plain, packed)]
    assert pictures[0] == pictures[1]


def test_classes_follow_their_names_into_another_label_map(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["green"], 1)
    (example,) = index_records([str(file)], from_names(["red", "blue", "green"]))
    assert example.ids.tolist() == [3]


def test_a_class_outside_the_label_map_is_refused_with_its_record(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["blue"], 1)
    with pytest.raises(InputError, match=r"a.tfrecord: record 0 \(0.png\): class 'blue' is not in"):
        index_records([str(file)], RED_GREEN)


def test_what_an_image_was_annotated_for(tmp_path: Path) -> None:
    all_of_map = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 1)
    only_red = tiny.write_records(
        tmp_path / "b.tfrecord", ["red"], 1, labels=RED_GREEN, labeled=frozenset({"red"})
    )
    first, second = index_records([str(all_of_map), str(only_red)], RED_GREEN)
    assert (first.labeled, second.labeled) == ({1, 2}, {1})


def test_a_set_is_annotated_for_its_own_label_map(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "new-00000-of-00001.tfrecord", ["green"], 1)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        tool_version="",
        name="new",
        label_map="new.label_map.pbtxt",
        images=1,
        negatives=0,
        boxes=1,
        classes=(ClassInfo(1, "green", 1, 1),),
        sources=(),
        splits=(),
        shards=(ShardInfo(file.name, "", 1, 1, "", 0),),
        issues={},
        options={},
        versions={},
        digest="",
    )
    (tmp_path / "new.manifest.json").write_bytes(format_manifest(manifest))
    (example,) = index_records([str(tmp_path / "new-*")], RED_GREEN)
    assert example.labeled == {2}


def test_every_example_comes_once_an_epoch_and_batches_hold_their_share_of_old() -> None:
    mix = batches.mix(new=10, old=7, batch_size=4, replay_ratio=0.5, seed=3)
    indices = [mix.index(place) for place in range(4 * 35)]
    assert Counter(index for index in indices if index < 10) == dict.fromkeys(range(10), 7)
    assert Counter(index for index in indices if index >= 10) == dict.fromkeys(range(10, 17), 10)
    assert all(sum(index >= 10 for index in indices[start : start + 4]) == 2 for start in range(0, 140, 4))
    assert indices[:10] != [index for index in indices[20:40] if index < 10][:10]


def test_without_old_records_every_batch_is_new() -> None:
    mix = batches.mix(new=3, old=0, batch_size=2, replay_ratio=0.5, seed=3)
    assert {mix.index(place) for place in range(20)} == {0, 1, 2}


def test_training_batches_go_on_anywhere(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 5)
    examples = index_records([str(file)], RED_GREEN)
    mix = batches.mix(5, 0, 2, 0.0, seed=1)
    whole = list(batches.training_batches(CONFIG, Encoded(examples), mix, 0, 4))
    rest = list(batches.training_batches(CONFIG, Encoded(examples), mix, 2, 4))
    assert len(whole) == 4
    for expected, found in zip(whole[2:], rest, strict=True):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_pictures_kept_decoded_are_the_same_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Cache
) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 4)
    examples = index_records([str(file)], RED_GREEN)
    mix = batches.mix(4, 0, 2, 0.0, seed=1)
    expected = list(batches.training_batches(CONFIG, Encoded(examples), mix, 0, 8))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pictures_of(examples, cache) as pictures:
        for index in range(4):
            pictures.read(index)
        file.unlink()
        found = list(batches.training_batches(CONFIG, pictures, mix, 0, 8))
    for one, other in zip(expected, found, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not list(tmp_path.glob("tfrec-pictures-*"))


def test_more_pictures_than_memory_are_refused(tmp_path: Path) -> None:
    examples = index_records([str(tiny.write_records(tmp_path / "a.tfrecord", ["red"], 1))], RED_GREEN)
    huge = [replace(examples[0], width=10**7, height=10**7)]
    with (
        pytest.raises(TfrecError, match=r"--cache ram: 1 decoded pictures take 300000.0 GB, but .* free"),
        pictures_of(huge, "ram"),
    ):
        pass


def test_training_batches_keep_picture_and_boxes_together(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 8)
    examples = index_records([str(file)], RED_GREEN)
    seen = 0
    for images, _, boxes, classes, _, labeled in batches.training_batches(
        CONFIG, Encoded(examples), batches.mix(8, 0, 4, 0, 2), 0, 8
    ):
        assert images.shape == (4, 64, 64, 3)
        assert labeled.numpy().tolist() == [[1, 1]] * 4
        for image, image_boxes, one_hot in zip(images.numpy(), boxes.numpy(), classes.numpy(), strict=True):
            for box, box_classes in zip(image_boxes, one_hot, strict=True):
                if not box_classes.any():
                    assert not box.any()
                    continue
                ymin, xmin, ymax, xmax = np.rint(box * 64).astype(int)
                inside = image[ymin + 3 : ymax - 3, xmin + 3 : xmax - 3]
                np.testing.assert_allclose(
                    inside,
                    np.broadcast_to(np.array(tiny.COLOURS["red"]) / 127.5 - 1, inside.shape),
                    atol=0.02,
                )
                seen += 1
    assert seen > 20


def test_clipping_to_a_window_by_hand() -> None:
    boxes = tf.constant([[0.0, 0.0, 1.0, 1.0], [0.6, 0.6, 0.7, 0.7], [0.0, 0.0, 0.4, 0.4]])
    clipped, left = augment.clip_to_window(boxes, tf.constant([0.5, 0.5, 1.0, 1.0]))
    np.testing.assert_allclose(left, [0.25, 1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(clipped[:2], [[0, 0, 1, 1], [0.2, 0.2, 0.4, 0.4]], atol=1e-6)


def test_a_file_without_examples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match="hold no examples"):
        index_records([str(tmp_path / "a.tfrecord")], RED_GREEN)


def test_every_training_batch_fits_the_signature_of_a_step(tmp_path: Path) -> None:
    """So a step is traced once, however many boxes a batch has."""
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 3)
    examples = index_records([str(file)], RED_GREEN)
    signature = batches.signature(CONFIG, 2)
    for batch in batches.training_batches(CONFIG, Encoded(examples), batches.mix(3, 0, 2, 0.0, seed=1), 0, 4):
        assert all(spec.is_compatible_with(part) for spec, part in zip(signature, batch, strict=True))

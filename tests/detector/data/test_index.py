"""Records as the trainer finds them: pictures, boxes, classes, and what each was annotated for."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import tiny
from tfrec_tools.dataset.manifest import FORMAT_VERSION, ClassInfo, Manifest, ShardInfo, format_manifest
from tfrec_tools.detector.data.index import index_records, read_image
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names

RED_GREEN = from_names(["red", "green"])


def test_pictures_and_boxes_come_back(tmp_path: Path) -> None:
    file = tiny.write_records(tmp_path / "a.tfrecord", ["red", "green"], 3)
    examples = index_records([str(file)], RED_GREEN)
    assert [example.ids.tolist() for example in examples] == [[1, 2]] * 3
    for example in examples:
        picture = np.array(Image.open(io.BytesIO(read_image(example))))
        ymin, xmin, ymax, xmax = np.rint(example.boxes[1] * 64).astype(int)
        assert (picture[ymin:ymax, xmin:xmax] == tiny.COLOURS["green"]).all()


def test_compressed_records_are_read_too(tmp_path: Path) -> None:
    plain = tiny.write_records(tmp_path / "a.tfrecord", ["red"], 2)
    packed = tmp_path / "b.tfrecord"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    pictures = [[read_image(e) for e in index_records([str(file)], RED_GREEN)] for file in (plain, packed)]
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


def test_a_file_without_examples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_bytes(b"")
    with pytest.raises(InputError, match="hold no examples"):
        index_records([str(tmp_path / "a.tfrecord")], RED_GREEN)

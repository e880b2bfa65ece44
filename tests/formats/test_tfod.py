"""Records of TFOD as a source: their pictures, their bytes, and ids that disagree with names."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.small_sets import save_picture, save_pictures, tfrecord
from tests.helpers.sources import assert_balanced, faults, fitted
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.records import image_record
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import headers
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels import label_map
from tfrec_tools.tfrecords.example import encode_example, parse_example
from tfrec_tools.tfrecords.framing import read, write


@pytest.mark.parametrize("packed", [False, True])
def test_tfrecords_point_at_their_pictures(tmp_path: Path, packed: bool) -> None:
    path = tfrecord(tmp_path)
    if packed:
        path.with_suffix(".tfrecord.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path = path.with_suffix(".tfrecord.gz")
    assert registry.detect(path) == "tfrecord"
    pictures = save_pictures(tmp_path / "pictures")
    for record in registry.read(path).records:
        assert record.place is not None
        assert record.place.read() == (pictures / record.filename).read_bytes()
        assert record.relative


def test_tfrecords_are_written_again_to_the_same_bytes(tmp_path: Path) -> None:
    path = tfrecord(tmp_path)
    source = registry.read(path)
    ids = label_map.from_names(source.classes).id_by_name
    again = []
    for record in source.records:
        again.append(encode_example(*fitted(record, record.place), ids))
    write(tmp_path / "again.tfrecord", again)
    assert (tmp_path / "again.tfrecord").read_bytes() == path.read_bytes()


def old_record(picture: EncodedImage, names: tuple[str, ...], ids: dict[str, int]) -> bytes:
    record = image_record(
        image_id="1", filename="a.jpg", source="s", names=names, boxes_xyxy=[(1, 2, 30, 40)] * len(names)
    )
    return encode_example(record, picture, ids)


def test_tfrecords_whose_ids_and_names_disagree(tmp_path: Path) -> None:
    data = save_picture(tmp_path / "a.jpg").read_bytes()
    header = headers.read_header(data, tmp_path)
    picture = EncodedImage(data, "jpeg", header.width, header.height)
    records = [
        old_record(picture, ("cat", ""), {"cat": 1, "": 2}),
        b"\xff\xff",
        old_record(picture, ("dog", "cat"), {"dog": 1, "cat": 3}),
    ]
    path = tmp_path / "x.record"
    write(path, records)
    source = registry.read(path)
    assert [record.names for record in source.records] == [("cat",), ("dog", "cat")]
    assert "box 1 has class id 2, which has no name" in source.issues[-2].message
    assert source.account == Account(1, 4, {"class-unknown": 1}, 0, 3, {"annotation-damaged": 1})
    (tmp_path / "map.pbtxt").write_text("item{id:1 name:'cat'} item{id:2 name:'cow'} item{id:4 name:'hen'}")
    source = registry.read(path)
    assert source.classes == ("cat", "cow", "hen", "dog")
    assert [record.names for record in source.records] == [("cat", "cow"), ("dog", "cat")]
    assert sorted(set(faults(source))) == ["annotation-damaged", "class-conflict", "class-mismatch"]
    elsewhere = (tmp_path / "map.pbtxt").rename(tmp_path / "map.txt")
    assert registry.read(path, options=ReadOptions(label_map=elsewhere)).classes == source.classes


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ({"dog": 1}, ("cat", "dog", "emu")),
        ({"dog": 1, "cat": 2}, ("cat", "dog", "emu")),
        ({"emu": 1, "dog": 9}, ("cat", "dog", "emu")),
        ({"owl": 1}, ("cat", "dog", "emu", "owl")),
        ({"owl": 2, "hen": 4, "emu": 3}, ("cat", "dog", "emu", "hen", "owl")),
        ({"hen": 7, "owl": 5}, ("cat", "dog", "emu", "owl", "hen")),
    ],
)
def test_no_class_of_the_label_map_moves_where_records_call_ids_otherwise(
    tmp_path: Path, labels: dict[str, int], classes: tuple[str, ...]
) -> None:
    picture = EncodedImage(save_picture(tmp_path / "a.jpg").read_bytes(), "jpeg", 60, 40)
    path = tmp_path / "x.record"
    write(path, [old_record(picture, tuple(labels), labels)])
    (tmp_path / "map.pbtxt").write_text("item{id:1 name:'cat'} item{id:2 name:'dog'} item{id:3 name:'emu'}")
    source = registry.read(path)
    assert (source.classes, source.records[0].names) == (classes, tuple(labels))
    assert source.records[0].labeled == frozenset(classes)
    assert "class-mismatch" in faults(source)


def test_features_that_are_lost_are_named_once(tmp_path: Path) -> None:
    path = tfrecord(tmp_path)
    message = example_pb2.Example.FromString(next(read(path)))
    boxes = len(message.features.feature["image/object/class/label"].int64_list.value)
    message.features.feature["image/object/depth"].float_list.value.extend([1] * boxes)
    write(path, [message.SerializeToString()] * 2)
    source = registry.read(path)
    assert faults(source) == ["feature-left-out"]
    assert "image/object/depth" in source.issues[0].message


def test_boxes_without_a_name_are_dropped_and_the_rest_keep_their_numbers(tmp_path: Path) -> None:
    data = save_picture(tmp_path / "a.jpg").read_bytes()
    picture = EncodedImage(data, "jpeg", 60, 40)
    path, labels = tmp_path / "x.record", tmp_path / "map.pbtxt"
    ids = {"": 0, "hen": 2, "cat": 1}
    write(path, [old_record(picture, ("", "cat", "hen", ""), ids), old_record(picture, ("",), ids)])
    labels.write_text("item{id:1 name:'cat'} item{id:2 name:'cow'}")
    source = registry.read(path)
    assert [record.names for record in source.records] == [("cat", "hen"), ()]
    assert [(one.code, one.source[-1], one.box) for one in source.issues if one.code != "class-conflict"] == [
        ("class-unknown", "0", None),
        ("class-mismatch", "0", 1),
        ("class-unknown", "0", None),
        ("class-unknown", "1", None),
    ]
    assert_balanced(source)
    labels.unlink()
    write(path, [old_record(picture, ("",), ids)] * 2)
    with pytest.raises(InputError, match=r"no box has a class name, .* \(--record-labels\)"):
        registry.read(path)


def without(data: bytes, *keys: str) -> bytes:
    message = example_pb2.Example.FromString(data)
    for key in keys:
        del message.features.feature[key]
    return message.SerializeToString()


def test_names_without_ids(tmp_path: Path) -> None:
    data = save_picture(tmp_path / "a.jpg").read_bytes()
    picture = EncodedImage(data, "jpeg", 60, 40)
    labels = {"hen": 5, "cat": 2, "owl": 9, "emu": 8}
    records = [old_record(picture, names, labels) for names in (("owl", "cat"), ("emu", "owl"), ("hen",))]
    bare = [without(record, "image/object/class/label") for record in records]
    path = tmp_path / "x.record"
    write(path, bare)
    source = registry.read(path)
    assert (source.classes, faults(source)) == (("owl", "cat", "emu", "hen"), [])
    assert [record.names for record in source.records] == [("owl", "cat"), ("emu", "owl"), ("hen",)]
    write(path, [*bare[:2], records[2]])
    assert registry.read(path).classes == ("hen", "owl", "cat", "emu")
    (tmp_path / "map.pbtxt").write_text("item{id:1 name:'cat'} item{id:5 name:'hen'} item{id:9 name:'owl'}")
    source = registry.read(path)
    assert (source.classes, faults(source)) == (("cat", "hen", "owl", "emu"), [])
    assert_balanced(source)
    write(path, [without(record, "image/object/class/text") for record in bare])
    assert faults(registry.read(path)) == ["annotation-damaged"] * 3


@pytest.mark.parametrize("stated", [(), (0, 0), (60, 0), (0,), (60,)])
def test_sizes_that_records_do_not_state_are_those_of_their_images(
    tmp_path: Path, stated: tuple[int, ...]
) -> None:
    path = tfrecord(tmp_path)
    whole = list(read(path))
    before = [parse_example(data, "whole").record for data in whole]
    keys = ("image/width", "image/height")
    records = []
    for data in whole:
        message = example_pb2.Example.FromString(without(data, *keys))
        for key, size in zip(keys, stated, strict=False):
            message.features.feature[key].int64_list.value.append(size)
        records.append(message.SerializeToString())
    write(path, records)
    after = [parse_example(data, "bare").record for data in records]
    assert [(record.width, record.height) for record in after] == [(r.width, r.height) for r in before]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
    assert not faults(registry.read(path))


def test_a_record_without_a_size_and_with_no_image_that_is_one(tmp_path: Path) -> None:
    path = tmp_path / "x.record"
    data = old_record(EncodedImage(b"\0" * 7200, "raw", 60, 40), ("cat",), {"cat": 1})
    write(path, [without(data, "image/width", "image/height")])
    (issue,) = registry.read(path).issues
    assert (issue.code, issue.message) == ("annotation-damaged", "image/width: has 0 values, expected one")


def test_names_of_other_bytes_stay_apart(tmp_path: Path) -> None:
    picture = EncodedImage(save_picture(tmp_path / "a.jpg").read_bytes(), "jpeg", 60, 40)
    message = example_pb2.Example.FromString(old_record(picture, ("a", "b"), {"a": 1, "b": 2}))
    texts = message.features.feature["image/object/class/text"].bytes_list.value
    texts[:] = [b"caf\xe8", b"caf\xe9"]
    path = tmp_path / "x.record"
    write(path, [message.SerializeToString()])
    assert registry.read(path).classes == (r"caf\xe8", r"caf\xe9")


@pytest.mark.parametrize("key", ["xmax", "ymin"])
def test_a_record_whose_columns_differ_is_counted(tmp_path: Path, key: str) -> None:
    path = tfrecord(tmp_path)
    first, *others = read(path)
    message = example_pb2.Example.FromString(first)
    message.features.feature[f"image/object/bbox/{key}"].float_list.value.pop()
    write(path, [message.SerializeToString(), *others, b"\xff\xff"])
    source = registry.read(path)
    assert source.account == Account(1, 5, {"annotation-damaged": 2}, 0, 4, {"annotation-damaged": 2})
    assert_balanced(source)

"""Examples: the inverse, TensorFlow's own reading of them, the documented table."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import IDS, PICTURE, ROW, BoxRow, record_of
from tests.helpers.places import SCHEMAS
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.errors import InputError
from tfrec_tools.labels.keypoints import KeypointLayout
from tfrec_tools.tfrecords import example, features, framing
from tfrec_tools.tfrecords.features import source_id


@given(
    st.lists(ROW, max_size=5), st.sampled_from([None, frozenset({"RBC"}), frozenset({"WBC", "Plättchen"})])
)
def test_parse_is_the_inverse(rows: list[BoxRow], labeled: frozenset[str] | None) -> None:
    record = record_of(rows, labeled=labeled)
    data = example.encode_example(record, PICTURE, IDS)
    parsed = example.parse_example(data, "shard record 3")
    assert parsed.image == PICTURE
    assert parsed.label_ids == tuple(IDS[name] for name in record.names)
    assert parsed.labeled_ids == tuple(sorted(IDS[name] for name in labeled or ()))
    assert (parsed.record.names, parsed.record.labeled) == (record.names, labeled)
    assert (parsed.record.filename, parsed.record.source) == ("a/b.jpg", "shard record 3")
    assert (parsed.record.width, parsed.record.height) == (640, 480)
    for name in ("crowd", "difficult", "truncated"):
        np.testing.assert_array_equal(getattr(parsed.record, name), getattr(record, name))
    np.testing.assert_allclose(parsed.record.boxes_xyxy, record.boxes_xyxy, rtol=1e-6, atol=1e-30)
    assert example.encode_example(parsed.record, parsed.image, IDS) == data


POINT = st.tuples(st.floats(0, 640), st.floats(0, 480), st.sampled_from([0.0, 1.0, 2.0]))
LAYOUT = KeypointLayout(("nose", "tail", "wing"), {"RBC": (2, 0), "WBC": (1,)})


@given(st.lists(st.tuples(ROW, POINT, POINT), max_size=4))
def test_keypoints_are_at_their_ids_and_read_back(rows: list[tuple[BoxRow, Any, Any]]) -> None:
    given_ = np.array([points for _, *points in rows], np.float64).reshape(len(rows), 2, 3)
    record = record_of([row for row, *_ in rows], keypoints=given_)
    data = example.encode_example(record, PICTURE, IDS, LAYOUT)
    parsed = example.parse_example(data, "s")
    if not rows:
        assert parsed.record.keypoints is None
        return
    keypoints = parsed.record.keypoints
    assert keypoints is not None
    for box, name in enumerate(record.names):
        expected = np.zeros((3, 3))
        expected[list(LAYOUT.ids.get(name, ()))] = given_[box, : len(LAYOUT.ids.get(name, ()))]
        np.testing.assert_allclose(keypoints[box], expected, rtol=1e-6, atol=1e-30)
    assert parsed.keypoint_names == LAYOUT.names * len(rows)
    at_ids = KeypointLayout(LAYOUT.names, dict.fromkeys(IDS, (0, 1, 2)))
    assert example.encode_example(parsed.record, parsed.image, IDS, at_ids) == data


@pytest.mark.parametrize(
    ("key", "values", "reason"),
    [
        (features.KEYPOINT_X, [0.5] * 3, "keypoint/x: has 3 values for 2 boxes, expected as many each"),
        (features.KEYPOINT_Y, [0.5] * 2, "keypoint/y: has 2 values, but image/object/keypoint/x has 6"),
        (features.KEYPOINT_VISIBILITY, [2], "keypoint/visibility: has 1 value, but"),
    ],
)
def test_keypoints_of_other_numbers_than_boxes_are_damaged(key: str, values: list[Any], reason: str) -> None:
    record = record_of([((1, 2, 3, 4), "WBC", False, False, False)] * 2, keypoints=np.ones((2, 2, 3)))
    message = example_pb2.Example.FromString(example.encode_example(record, PICTURE, IDS, LAYOUT))
    feature = message.features.feature[key]
    getattr(feature, feature.WhichOneof("kind") or "").value[:] = values
    with pytest.raises(InputError, match=reason):
        example.parse_example(message.SerializeToString(), "s")


def test_without_visibility_what_has_a_place_is_visible() -> None:
    """As TFOD's decoder has it."""
    record = record_of([((1, 2, 3, 4), "WBC", False, False, False)], keypoints=np.array([[[64, 48, 2]]]))
    message = example_pb2.Example.FromString(example.encode_example(record, PICTURE, IDS, LAYOUT))
    del message.features.feature[features.KEYPOINT_VISIBILITY]
    message.features.feature[features.KEYPOINT_X].float_list.value[0] = math.nan
    keypoints = example.parse_example(message.SerializeToString(), "s").record.keypoints
    assert keypoints is not None
    assert keypoints[0, :, 2].tolist() == [0, 2, 2]
    np.testing.assert_allclose(keypoints[0, 1], [64, 48, 2], rtol=1e-6)


def test_tensorflow_sees_the_same_bytes() -> None:
    tf = pytest.importorskip("tensorflow")
    record = record_of([((1, 2, 3, 4), "WBC", True, False, True)], labeled=frozenset({"WBC"}))
    record = replace(
        record,
        occluded=record.crowd,
        group_of=record.crowd,
        poses=("Left",),
        masks=(b"\x89PNG",),
        keypoints=np.array([[[1, 2, 2]]], np.float64),
    )
    data = example.encode_example(record, PICTURE, IDS, KeypointLayout(("nose",), {"WBC": (0,)}))
    theirs = tf.train.Example.FromString(data)
    assert theirs.SerializeToString(deterministic=True) == data
    assert set(theirs.features.feature) == set(features.FEATURES) - {features.BOX_WEIGHT}


def test_values() -> None:
    rows = [((64, 48, 320, 240), "WBC", True, False, True), ((0, 0, 640, 480), "RBC", False, True, False)]
    record = record_of(rows, area=[12.5, math.nan])
    found = example._read_features(example.encode_example(record, PICTURE, IDS), "s")
    assert found[features.BOX_YMAX] == [0.5, 1.0]
    assert found[features.BOX_XMIN] == [np.float32(0.1), 0.0]
    assert found[features.BOX_AREA] == [12.5, 640 * 480]
    assert found[features.BOX_LABEL] == [2, 1]
    assert found[features.BOX_IS_CROWD] == [1, 0]
    assert found[features.IMAGE_SOURCE_ID] == [b"17"]
    assert found[features.IMAGE_SHA256] == [hashlib.sha256(PICTURE.data).hexdigest().encode()]
    assert features.IMAGE_CLASS_LABEL not in found


def test_labeled_is_written_unless_it_is_all() -> None:
    for labeled, expected in ((None, None), (frozenset(IDS), None), (frozenset({"WBC", "RBC"}), [1, 2])):
        data = example.encode_example(record_of(labeled=labeled), PICTURE, IDS)
        found = example._read_features(data, "s")
        assert found.get(features.IMAGE_CLASS_LABEL) == expected
        assert found.get(features.IMAGE_CLASS_TEXT) == (None if expected is None else [b"RBC", b"WBC"])


@given(st.text())
def test_source_id_is_a_stable_number_that_floats_keep(image_id: str) -> None:
    number = source_id(image_id)
    assert number.isdecimal()
    assert 0 <= int(number) < 2**63
    assert int(number) < 2**53 or number == str(int(image_id))
    assert source_id(image_id) == number


def test_source_id_keeps_numbers() -> None:
    assert [source_id(one) for one in ("0", "000017", "391895")] == ["0", "17", "391895"]
    assert source_id("a.jpg") == "2836059931555064"
    assert source_id("9" * 19) != "9" * 19
    assert source_id("٣").isascii()


def test_what_is_no_example_is_named() -> None:
    with pytest.raises(InputError, match=r"s: is no tf.train.Example"):
        example.parse_example(b"\xff\xff\xff", "s")
    with pytest.raises(InputError, match=r"s: image/width: has 0 values, expected one"):
        example.parse_example(b"", "s")
    wrong = example_pb2.Example()
    wrong.features.feature[features.IMAGE_WIDTH].bytes_list.value.append(b"3")
    with pytest.raises(InputError, match=r"s: image/width: is a bytes_list, expected a int64_list"):
        example.parse_example(wrong.SerializeToString(), "s")


def test_features_of_boxes_must_agree() -> None:
    message = example_pb2.Example()
    data = example.encode_example(record_of([((1, 2, 3, 4), "WBC", True, False, True)]), PICTURE, IDS)
    message.ParseFromString(data)
    del message.features.feature[features.BOX_AREA]
    del message.features.feature[features.BOX_TEXT]
    assert example.parse_example(message.SerializeToString(), "s").record.names == ("",)
    message.features.feature[features.BOX_LABEL].int64_list.value.append(3)
    with pytest.raises(InputError, match=r"image/object/class/label: has 2 values for 1 box"):
        example.parse_example(message.SerializeToString(), "s")


def test_real_tfod_records_parse(shared: Path) -> None:
    path = shared / "data/raccoon/data/test.record"
    parsed = [example.parse_example(data, f"record {i}") for i, data in enumerate(framing.read(path))]
    assert sum(len(one.label_ids) for one in parsed) == 44
    assert {name for one in parsed for name in one.record.names} == {"raccoon"}


def test_the_documented_table_is_the_code() -> None:
    text = (SCHEMAS / "tfrecord_features.md").read_text(encoding="utf-8")
    rows = [
        f"| `{key}` | {feature.kind} | {feature.shape} | {feature.unit} | {feature.meaning} |"
        for key, feature in features.FEATURES.items()
    ]
    assert [line for line in text.splitlines() if line.startswith("| `")] == rows

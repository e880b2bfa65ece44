"""Keypoints of records in the annotations that are extracted, and back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers import poses
from tests.helpers.extracting import converted, encoded, extracted, records_file
from tests.helpers.sets import parsed
from tfrec_tools.annotations.records import ImageRecord, image_record
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.extraction.extract import extract
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.formats.writers import WRITERS
from tfrec_tools.labels.pbtxt import read_label_map

WIDTH, HEIGHT = 333, 97
IDS = {"zebra": 2, "cat": 1, "hand": 5}
NAMES = ("nose", "no", "0", "a: b", "left,\u2028ear", "Öhr", "null", "#")


@st.composite
def set_of_poses(draw: st.DrawFn, equal: bool) -> tuple[ImageRecord, dict[str, tuple[str, ...]]]:
    """A record, and the names of its classes' keypoints; of all classes as many where they are `equal`."""
    most = draw(st.integers(1, 4))
    counts = [most if equal else draw(st.integers(0, most)) for _ in IDS]
    by_class = {
        name: tuple(draw(st.permutations(NAMES))[:count])
        for name, count in zip(IDS, counts, strict=True)
        if count
    }
    names = tuple(draw(st.lists(st.sampled_from(sorted(IDS)), min_size=1, max_size=4)))
    keypoints = np.zeros((len(names), most, 3))
    for box, name in enumerate(names):
        for number in range(len(by_class.get(name, ()))):
            keypoints[box, number] = draw(keypoint())
    record = image_record(
        image_id="1",
        filename="a.jpg",
        source="s",
        width=WIDTH,
        height=HEIGHT,
        boxes_xyxy=[(1, 2, 30, 40)] * len(names),
        names=names,
        keypoints=keypoints,
    )
    return record, by_class


@st.composite
def keypoint(draw: st.DrawFn) -> tuple[float, float, int]:
    """At whole pixels, or anywhere, also at the edges; what is not labeled has a place at times."""
    x, y = (draw(st.integers(0, side) | st.floats(0, side, width=32)) for side in (WIDTH, HEIGHT))
    return x, y, draw(st.integers(0, 2))


def values(record: ImageRecord) -> NDArray[np.float32]:
    assert record.keypoints is not None
    return (record.keypoints / (WIDTH, HEIGHT, 1)).astype(np.float32)


@pytest.mark.parametrize(("kind", "equal"), [("coco", False), ("coco", True), ("yolo", True)])
@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.data())
def test_keypoints_come_back_to_the_bit(kind: str, equal: bool, data: st.DataObject) -> None:
    record, by_class = data.draw(set_of_poses(equal))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = encoded(WIDTH, HEIGHT, 0)
        path = records_file(folder / "records", [(record, image)], IDS, by_class)
        done = extracted(path, kind, folder / "out")
        (again,), (before,) = converted(done, folder / "again/set"), parsed(path.parent, path.name)
        assert "keypoints" not in done.summary.unsaid
        assert again.names_of_keypoints == before.names_of_keypoints
        labels = [
            read_label_map(each).labels
            for each in (path.with_suffix(".pbtxt"), folder / "again/set.label_map.pbtxt")
        ]
        assert [label.keypoints for label in labels[0]] == [label.keypoints for label in labels[1]]
        if by_class:
            np.testing.assert_array_equal(values(again.record), values(before.record))


def converted_poses(folder: Path, **options: Any) -> Path:
    """The set DIR/NAME of one image of people, dogs and cars, of which the first two have keypoints."""
    source = poses.coco(folder, **options)
    convert(ConvertOptions(source, folder / "records/set", workers=1, no_fsync=True))
    return folder / "records/set"


def test_coco_has_what_it_had(tmp_path: Path) -> None:
    done = extracted(converted_poses(tmp_path), "coco", tmp_path / "out")
    document = json.loads((done.folder / "annotations/instances.json").read_text())
    assert {each["name"]: tuple(each.get("keypoints", ())) for each in document["categories"]} == {
        **poses.NAMES,
        "car": (),
    }
    assert [(each.get("num_keypoints"), each.get("keypoints")) for each in document["annotations"]] == [
        (2, poses.POINTS[0][1]),
        (None, None),
        (2, poses.POINTS[2][1]),
        (0, poses.POINTS[3][1]),
    ]


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "coco"])
def test_what_a_format_has_no_keypoints_for_is_counted(tmp_path: Path, kind: str) -> None:
    done = extracted(converted_poses(tmp_path), kind, tmp_path / "out")
    assert done.summary.unsaid["keypoints"] == 2
    labels = (tmp_path / "records/set.label_map.pbtxt").read_bytes()
    assert (done.folder / "label_map.pbtxt").read_bytes() == labels
    for each in converted(done, tmp_path / "again/set"):
        assert each.record.keypoints is None or not each.record.keypoints.any()
    assert (tmp_path / "again/set.label_map.pbtxt").read_bytes() == labels


def test_yolo_says_how_many_there_are(tmp_path: Path) -> None:
    record = image_record(
        image_id="1",
        filename="a.jpg",
        source="s",
        boxes_xyxy=[(0, 0, 333, 97)] * 2,
        names=("cat", "zebra"),
        keypoints=np.array([[(333, 97, 2), (0, 48.5, 1)], [(0, 0, 0), (0, 0, 0)]]),
    )
    names = {"cat": ("nose", "no"), "zebra": ("1", "2")}
    ids = {"zebra": 2, "cat": 1}
    path = records_file(tmp_path / "records", [(record, encoded(WIDTH, HEIGHT, 0))], ids, names)
    done = extracted(path, "yolo", tmp_path / "out")
    document = yaml.safe_load((done.folder / "data.yaml").read_text())
    assert (document["kpt_shape"], document["kpt_names"]) == ([2, 3], {0: ["nose", "no"], 1: ["1", "2"]})
    rows = "0 0.5 0.5 1 1 1 1 2 0 0.5 1\n1 0.5 0.5 1 1 0 0 0 0 0 0\n"
    assert (done.folder / "labels/a.txt").read_text() == rows
    outlined = extracted(path, "yolo-segment", tmp_path / "outlined")
    assert outlined.summary.unsaid["keypoints"] == 1
    assert "kpt" not in (outlined.folder / "data.yaml").read_text()


@pytest.mark.parametrize("kind", ["coco", "yolo"])
@pytest.mark.parametrize("damaged", [(1, 1, 3), (np.nan, 1, 2), (1, np.inf, 1), (1, 1, -1)])
def test_damaged_keypoints_are_left_out_and_counted(
    tmp_path: Path, kind: str, damaged: tuple[float, ...]
) -> None:
    record = image_record(
        image_id="1",
        filename="a.jpg",
        source="s",
        boxes_xyxy=[(1, 2, 30, 40)] * 2,
        names=("cat", "cat"),
        keypoints=np.array([[(1, 1, 2), damaged], [(1, 1, 2), (2, 2, 1)]]),
    )
    names = {"cat": ("nose", "tail")}
    path = records_file(tmp_path / "records", [(record, encoded(WIDTH, HEIGHT, 0))], {"cat": 1}, names)
    done = extracted(path, kind, tmp_path / "out")
    assert done.summary.issues == {"keypoints-damaged": 1}
    (again,) = converted(done, tmp_path / "again/set")
    (before,) = parsed(path.parent, path.name)
    assert not values(again.record)[0].any()
    np.testing.assert_array_equal(values(again.record)[1], values(before.record)[1])


@pytest.mark.parametrize("listed", [((0, "a"), (1, "a")), ((0, ""), (1, "b")), ((1, " b "), (0, "a"))])
def test_names_that_no_format_has_are_numbers(tmp_path: Path, listed: tuple[tuple[int, str], ...]) -> None:
    path = converted_poses(tmp_path, points=[("dog", poses.POINTS[2][1])], names={"dog": poses.DOG})
    (tmp_path / "records/set.manifest.json").unlink()
    file = path.with_name("set.label_map.pbtxt")
    blocks = " ".join(f'keypoints {{ id: {number} label: "{name}" }}' for number, name in listed)
    file.write_text(f'item {{ id: 3 name: "dog" {blocks} }}\n')
    done = extracted(Path(f"{path}-00000-of-00001.tfrecord"), "coco", tmp_path / "out")
    (_, again) = sorted(converted(done, tmp_path / "again/set"), key=lambda each: len(each.record.names))
    assert again.record.keypoints is not None
    np.testing.assert_array_equal(again.record.keypoints.ravel(), poses.POINTS[2][1])


def test_sets_of_other_keypoints_are_not_mixed(tmp_path: Path) -> None:
    record = image_record(
        image_id="1",
        filename="a.jpg",
        source="s",
        boxes_xyxy=[(1, 2, 30, 40)],
        names=("cat",),
        keypoints=np.array([[(1, 1, 2), (2, 2, 1)]]),
    )
    pair = (record, encoded(WIDTH, HEIGHT, 0))
    names = (("a", "b"), ("b", "a"))
    paths = [records_file(tmp_path / "".join(each), [pair], {"cat": 1}, {"cat": each}) for each in names]
    reason = r"ba/set\.pbtxt: gives other keypoints than .*ab/set\.pbtxt; make one set of them"
    with pytest.raises(InputError, match=reason):
        extract(ExtractOptions(paths, to="coco", out=tmp_path / "out"))

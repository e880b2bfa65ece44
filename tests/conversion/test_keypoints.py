"""Keypoints from annotations to records and back, and what becomes of those that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import poses
from tests.helpers.sets import contents, parsed
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.publish import Finished, Refused
from tfrec_tools.errors import InputError
from tfrec_tools.labels.pbtxt import read_label_map

PERSON = [[16, 8, 2], [32, 8, 1], [0, 0, 0]]
DOG = [[40, 16, 2], [64, 32, 1]]
# At the places of the set: three of a person, then two of a dog.
PLACED = [PERSON + [[0, 0, 0]] * 2, [[0, 0, 0]] * 5, [[0, 0, 0]] * 3 + DOG, [[0, 0, 0]] * 5]
BOTH = ({"id": number, "label": name} for number, name in enumerate((*poses.PERSON, *poses.DOG)))


def converted(folder: Path, source: Path, **options: Any) -> tuple[Finished, list[list[list[float]]] | None]:
    """The finished set, and the keypoints of a.png as its record has them."""
    finished = convert(ConvertOptions(source, folder / "out/new", overwrite=True, **options))
    records = {each.record.filename: each.record for each in parsed(folder / "out")}
    keypoints = records["a.png"].keypoints
    return finished, None if keypoints is None else keypoints.tolist()


def codes(finished: Finished) -> list[str]:
    return [issue.code for issue in finished.issues if issue.code.startswith("keypoint")]


def test_each_box_has_a_value_at_each_place_of_the_set(tmp_path: Path) -> None:
    finished, keypoints = converted(tmp_path, poses.coco(tmp_path))
    assert (keypoints, codes(finished)) == (PLACED, [])
    assert parsed(tmp_path / "out")[0].keypoint_names in ((), (*poses.PERSON, *poses.DOG) * 4)
    labels = read_label_map(tmp_path / "out/new.label_map.pbtxt").labels
    assert [label.keypoints for label in labels] == [
        ((0, "nose"), (1, "left_hand"), (2, "right_hand")),
        (),
        ((3, "nose"), (4, "tail")),
    ]
    manifest = json.loads((tmp_path / "out/new.manifest.json").read_text())
    assert [row for each in manifest["classes"] for row in each["keypoints"]] == list(BOTH)


def test_records_are_read_back_to_the_same_bytes(tmp_path: Path) -> None:
    converted(tmp_path, poses.coco(tmp_path))
    again = tmp_path / "again"
    convert(ConvertOptions(tmp_path / "out/new", again / "new"))
    first, second = contents(tmp_path / "out"), contents(again)
    for name in ("new-00000-of-00001.tfrecord", "new.label_map.pbtxt"):
        assert first[name] == second[name]
    (tmp_path / "out/new.manifest.json").unlink()  # then the label map says it
    convert(ConvertOptions(tmp_path / "out/new-00000-of-00001.tfrecord", again / "new", overwrite=True))
    assert contents(again)["new.label_map.pbtxt"] == second["new.label_map.pbtxt"]
    (tmp_path / "out/new.label_map.pbtxt").unlink()  # then each class that has one has all
    convert(ConvertOptions(tmp_path / "out/new-00000-of-00001.tfrecord", again / "new", overwrite=True))
    by_class = {
        label.name: len(label.keypoints) for label in read_label_map(again / "new.label_map.pbtxt").labels
    }
    assert by_class == {"person": 5, "car": 0, "dog": 5}


@pytest.mark.parametrize("max_side", [None, 32])
def test_keypoints_shrink_with_the_image(tmp_path: Path, max_side: int | None) -> None:
    _, keypoints = converted(tmp_path, poses.coco(tmp_path), max_side=max_side)
    scale = np.array([0.5, 0.5, 1]) if max_side else np.ones(3)
    np.testing.assert_allclose(np.array(keypoints), np.array(PLACED) * scale)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    finished, keypoints = converted(tmp_path, poses.coco(tmp_path), keypoints="none", policy="strict")
    assert (keypoints, codes(finished)) == (None, ["keypoints-left-out"])
    assert "keypoints of 2 annotations" in finished.issues[0].message
    assert finished.manifest.options["keypoints"] == "none"
    converted(tmp_path, poses.coco(tmp_path))
    again = convert(ConvertOptions(tmp_path / "out/new", tmp_path / "again/new", keypoints="none"))
    assert "keypoints of 2 boxes" in next(
        issue.message for issue in again.issues if issue.code == codes(again)[0]
    )
    assert parsed(tmp_path / "again")[0].record.keypoints is None


DAMAGED: list[Any] = [
    [16, 8, 2],
    [16, 8, 2, 32, 8, 3, 0, 0, 0],
    [16, 8, 2, 32, 8, 1.5, 0, 0, 0],
    [16, 8, 2, 32, "eight", 2, 0, 0, 0],
    [16, 8, 2, float("nan"), 8, 2, 0, 0, 0],
    [16, 8, 2, 32, float("inf"), 2, 0, 0, 0],
    [[16, 8, 2], [32, 8, 1], [0, 0, 0]],
    {"nose": [16, 8]},
    [0] * 12,
]


@pytest.mark.parametrize("damaged", DAMAGED)
@pytest.mark.parametrize(("action", "boxes"), [("fix", 2), ("drop-box", 1), ("drop-image", 0), ("error", 0)])
def test_damaged_keypoints_follow_the_policy(tmp_path: Path, damaged: Any, action: str, boxes: int) -> None:
    source = poses.coco(tmp_path, [("person", damaged), ("dog", poses.POINTS[2][1])])
    options = ConvertOptions(source, tmp_path / "out/new", on=f"keypoints-damaged={action}")
    if action == "error":
        with pytest.raises(Refused, match="keypoints-damaged"):
            convert(options)
        return
    finished = convert(options)
    assert (codes(finished), finished.manifest.boxes) == (["keypoints-damaged"], boxes)
    kept = {each.record.filename: each.record.keypoints for each in parsed(tmp_path / "out")}
    if boxes:
        assert kept["a.png"] is not None
        assert kept["a.png"][-1].tolist() == [[0, 0, 0]] * 3 + DOG
        assert boxes == 1 or not kept["a.png"][0].any()


@pytest.mark.parametrize(
    ("action", "expected"),
    [("fix", [[0, 0, 0], [32, 8, 2], [-5, 99, 0]]), ("keep", [[70, 8, 1], [32, 8, 2], [-5, 99, 0]])],
)
def test_keypoints_outside_follow_the_policy(
    tmp_path: Path, action: str, expected: list[list[float]]
) -> None:
    source = poses.coco(tmp_path, [("person", [70, 8, 1, 32, 8, 2, -5, 99, 0])])
    finished, keypoints = converted(tmp_path, source, on=f"keypoint-outside={action}")
    assert codes(finished) == ["keypoint-outside"]
    assert "has its keypoint 0 at [70, 8], outside the image of 64 x 32" in finished.issues[0].message
    assert keypoints is not None
    np.testing.assert_allclose(keypoints[0][:3], expected, rtol=1e-6)


def test_categories_that_name_none_number_them(tmp_path: Path) -> None:
    points = [("person", [1, 1, 2] * 2), ("person", [1, 1, 2] * 2), ("person", [1, 1, 2] * 3)]
    finished, keypoints = converted(tmp_path, poses.coco(tmp_path, points, names={}))
    assert codes(finished) == ["keypoints-damaged"]  # of the box that has three
    assert keypoints == [[[1, 1, 2]] * 2] * 2 + [[[0, 0, 0]] * 2]
    assert finished.manifest.classes[0].keypoints[1].label == "1"


def test_boxes_of_one_file_have_the_keypoints_of_another(tmp_path: Path) -> None:
    """As TFOD joins instances_*.json and person_keypoints_*.json."""
    bare = [(name, None) for name, _ in poses.POINTS]
    instances = poses.coco(tmp_path, bare, names={}, file="instances.json")
    people = [poses.POINTS[0]]
    keypoints = poses.coco(tmp_path, people, names={"person": poses.PERSON})
    for sources in ((instances, keypoints), (keypoints, instances)):
        finished = convert(ConvertOptions(sources, tmp_path / "out/new", overwrite=True))
        records = {each.record.filename: each.record for each in parsed(tmp_path / "out")}
        found = records["a.png"].keypoints
        assert found is not None
        assert found[:, :, 2].tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
        assert finished.manifest.boxes == 4


def test_sources_that_disagree_are_refused(tmp_path: Path) -> None:
    first = poses.coco(tmp_path)
    other = poses.coco(tmp_path, names={"person": ("a", "b", "c")}, file="other.json")
    with pytest.raises(InputError, match=r"keypoints of 'person' are 3 .*--keypoints none"):
        convert(ConvertOptions((first, other), tmp_path / "out/new"))
    labels = tmp_path / "labels.pbtxt"
    items = 'item { id: %d name: "%s" %s }\n'
    rows = [(1, "person", 'keypoints { id: 0 label: "nose" }'), (2, "car", ""), (3, "dog", "")]
    labels.write_text("".join(items % row for row in rows))
    with pytest.raises(InputError, match=r"has no keypoint 'left_hand' of 'person', but 1 .nose."):
        convert(ConvertOptions(first, tmp_path / "out/new", labels=labels))
    labels.write_text("".join(items % row for row in rows).replace("id: 0", "id: 2000000000"))
    with pytest.raises(InputError, match="a keypoint of 'person' has id 2000000000, expected 0 to 9999"):
        convert(ConvertOptions(first, tmp_path / "out/new", labels=labels))


def test_the_label_map_says_the_places(tmp_path: Path) -> None:
    labels = tmp_path / "labels.pbtxt"
    points = "".join(
        f'keypoints {{ id: {number} label: "{name}" }} '
        for number, name in ((4, "nose"), (0, "right_hand"), (1, "left_hand"))
    )
    names = ((1, "dog", ""), (2, "person", points), (3, "car", ""))
    labels.write_text("".join(f'item {{ id: {i} name: "{name}" {more}}}\n' for i, name, more in names))
    _, keypoints = converted(tmp_path, poses.coco(tmp_path), labels=labels)
    zero = [0, 0, 0]
    assert keypoints is not None
    assert keypoints[0] == [PERSON[2], PERSON[1], zero, zero, PERSON[0], zero, zero]
    assert keypoints[2] == [zero] * 5 + DOG
    again = convert(ConvertOptions(tmp_path / "out/new", tmp_path / "again/new", labels=labels))
    assert (
        contents(tmp_path / "again")[again.manifest.shards[0].file]
        == contents(tmp_path / "out")[again.manifest.shards[0].file]
    )


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    source = poses.coco(tmp_path, names={"person": ("a", "a", "b")})
    with pytest.raises(InputError, match=r"keypoints of 'person' are .*expected a list of different names"):
        convert(ConvertOptions(source, tmp_path / "out/new"))
    convert(ConvertOptions(source, tmp_path / "out/new", keypoints="none"))


def test_sets_in_a_folder_have_keypoints_at_their_own_ids(tmp_path: Path) -> None:
    source = poses.coco(tmp_path)
    for name in ("person", "dog"):
        convert(ConvertOptions(source, tmp_path / "sets" / name, only=(name,)))
    finished = convert(ConvertOptions(tmp_path / "sets", tmp_path / "both/new"))
    assert codes(finished) == []
    found = {
        (name, sum(map(bool, points[:, 2])))
        for each in parsed(tmp_path / "both")
        if each.record.keypoints is not None
        for name, points in zip(each.record.names, each.record.keypoints, strict=True)
    }
    assert found == {("person", 2), ("person", 0), ("dog", 2)}
    others = poses.coco(tmp_path, names={"dog": poses.DOG[::-1]}, points=[poses.POINTS[2]])
    convert(ConvertOptions(others, tmp_path / "sets/odd"))
    with pytest.raises(InputError, match="its set has other keypoints of 'dog' than others"):
        convert(ConvertOptions(tmp_path / "sets", tmp_path / "both/new", overwrite=True))
    convert(ConvertOptions(tmp_path / "sets", tmp_path / "both/new", overwrite=True, keypoints="none"))

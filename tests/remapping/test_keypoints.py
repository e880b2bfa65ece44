"""Keypoints of records under another label map: each goes with its class and its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers import poses
from tests.helpers.sets import contents, parsed
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.errors import InputError
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.remapping import remap as remapping
from tfrec_tools.remapping.label_merging import merge_labels, read
from tfrec_tools.remapping.options import MergeLabelsOptions, RemapOptions

ITEM = 'item {{ id: {} name: "{}" {} }}\n'


def made(folder: Path, **options: Any) -> Path:
    convert(ConvertOptions(poses.coco(folder, **options), folder / "set/old"))
    return folder / "set/old"


def remap(records: Any, labels: Path, out: Path, **more: Any) -> Finished:
    return remapping.remap(RemapOptions(records, out / "new", labels=labels, **more))


def merged(folder: Path, *maps: Path, **rules: Any) -> Path:
    out = folder / "merged.pbtxt"
    merge_labels(read(MergeLabelsOptions(maps[0], maps[1:], out=out, **rules)))
    return out


def points_of(folder: Path, filename: str = "a.png") -> dict[str, list[dict[str, list[float]]]]:
    """{class: {keypoint: [x, y, visibility]} of each box}, of those that are labeled, by the label map."""
    labels = {label.name: label.keypoints for label in read_label_map(folder / "new.label_map.pbtxt").labels}
    found: dict[str, list[dict[str, list[float]]]] = {}
    for each in parsed(folder):
        keypoints = each.record.keypoints
        if each.record.filename == filename and keypoints is not None:
            for name, of_box in zip(each.record.names, keypoints.tolist(), strict=True):
                named = {label: of_box[place] for place, label in labels[name] if any(of_box[place])}
                found.setdefault(name, []).append(named)
                assert sum(map(any, of_box)) == len(named)
    return found


PERSON = {"nose": [16, 8, 2], "left_hand": [32, 8, 1]}
DOG = {"nose": [40, 16, 2], "tail": [64, 32, 1]}


def test_an_own_map_changes_nothing(tmp_path: Path) -> None:
    records = made(tmp_path)
    done = remap(records, records.with_name("old.label_map.pbtxt"), tmp_path / "out")
    file = done.manifest.shards[0].file
    assert contents(tmp_path / "out")[file] == contents(records.parent)[file.replace("new", "old")]


@pytest.mark.parametrize("of", ["manifest", "label map"])
def test_sets_with_other_keypoints_become_one(tmp_path: Path, of: str) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    people = made(first, points=[poses.POINTS[0], ("car", None)], names={"person": poses.PERSON})
    dogs = made(second, points=[poses.POINTS[2]], names={"dog": poses.DOG})
    maps = (
        [people, dogs]
        if of == "manifest"
        else [each.with_name("old.label_map.pbtxt") for each in (people, dogs)]
    )
    labels = merged(tmp_path, *maps, rename=["person=human"])
    done = remap([people, dogs], labels, tmp_path / "out")
    counts = {
        None if each.record.keypoints is None else each.record.keypoints.shape[1]
        for each in parsed(tmp_path / "out")
        if each.record.names
    }
    assert (len(counts), None in counts) == (1, False)
    assert points_of(tmp_path / "out") == {"human": [PERSON], "car": [{}], "dog": [DOG]}
    again = convert(ConvertOptions(tmp_path / "out/new", tmp_path / "again/new"))
    assert points_of(tmp_path / "again") == points_of(tmp_path / "out")
    assert again.manifest.boxes == done.manifest.boxes


def test_keypoints_of_classes_that_are_left_out_go_with_them(tmp_path: Path) -> None:
    records = made(tmp_path)
    labels = merged(tmp_path, records, ignore=["person"], renumber=True)
    remap(records, labels, tmp_path / "out")
    assert points_of(tmp_path / "out") == {"car": [{}], "dog": [DOG]}


@pytest.mark.parametrize("more", ["", 'keypoints { id: 7 label: "tail" } keypoints { id: 2 label: "nose" }'])
def test_a_map_with_other_places_or_none(tmp_path: Path, more: str) -> None:
    records, labels = made(tmp_path), tmp_path / "labels.pbtxt"
    rows = [(1, "car", ""), (2, "dog", more), (3, "person", "")]
    labels.write_text("".join(ITEM.format(*row) for row in rows))
    remap(records, labels, tmp_path / "out")
    assert points_of(tmp_path / "out") == {"person": [PERSON, {}], "car": [{}], "dog": [DOG]}


def test_classes_may_share_ids(tmp_path: Path) -> None:
    records, labels = made(tmp_path), tmp_path / "labels.pbtxt"
    rows = [(1, "car", "")]
    for number, (name, points) in enumerate(poses.NAMES.items(), start=2):
        more = " ".join(f'keypoints {{ id: {i} label: "{point}" }}' for i, point in enumerate(points))
        rows.append((number, name, more))
    labels.write_text("".join(ITEM.format(*row) for row in rows))
    remap(records, labels, tmp_path / "out")
    assert points_of(tmp_path / "out") == {"person": [PERSON, {}], "car": [{}], "dog": [DOG]}
    convert(ConvertOptions(records, tmp_path / "converted/new", labels=labels))
    for folder in (tmp_path / "out", tmp_path / "converted"):
        found = next(each for each in parsed(folder) if each.record.names)
        assert found.record.names == ("person", "car", "dog", "person")
        dogs = ("nose", "tail", "right_hand")
        assert found.keypoint_names == (*poses.PERSON, *poses.PERSON, *dogs, *poses.PERSON)


def test_keypoints_are_left_out_where_asked(tmp_path: Path) -> None:
    records = made(tmp_path)
    done = remap(records, records.with_name("old.label_map.pbtxt"), tmp_path / "out", keypoints="none")
    assert {each.record.keypoints is None for each in parsed(tmp_path / "out")} == {True}
    assert [issue.code for issue in done.issues] == ["keypoints-left-out"]


def test_keypoints_of_unknown_classes_are_refused(tmp_path: Path) -> None:
    records = made(tmp_path)
    bare = tmp_path / "bare.pbtxt"
    bare.write_text("".join(ITEM.format(*row) for row in ((1, "person", ""), (2, "car", ""), (3, "dog", ""))))
    labels = records.with_name("old.label_map.pbtxt")
    with pytest.raises(InputError, match=r"has keypoints, and no label map .*--record-labels"):
        remap(records, labels, tmp_path / "out", record_labels=bare)
    other = tmp_path / "other"
    other.mkdir()
    differs = made(other, names={"person": ("a", "b", "c"), "dog": poses.DOG})
    with pytest.raises(InputError, match=r"the keypoints of 'person' are 3 .a, b, c.*--keypoints none"):
        remap([records, differs], bare, tmp_path / "out")

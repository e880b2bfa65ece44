"""What the numbers of YOLO's rows mean: the layout or the user says it, never the count of one row."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small_sets import save_picture
from tests.helpers.sources import faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry, yolo_rows
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.yolo_rows import Row

BOX = [0.3, 0.25, 0.7, 0.75]
XYWH = ".5 .5 .4 .5"
CORNERS = ".3 .25 .7 .25 .7 .75 .3 .75"


def dataset(folder: Path, *rows: str, yaml: str = "") -> Path:
    """A picture for each row, and the data set's data.yaml."""
    for number, row in enumerate(rows):
        save_picture(folder / f"images/train/{number}.jpg")
        text = folder / f"labels/train/{number}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(f"0 {row}\n")
    (folder / "data.yaml").write_text(f"train: images/train\nnames: [a]\n{yaml}")
    return folder


def read(folder: Path, yolo: str | None = None, keypoints: bool = True) -> Source:
    source = registry.read(folder, "yolo", ReadOptions(yolo=yolo, masks=True, keypoints=keypoints))
    assert source.account is not None
    boxes = sum(len(record.names) for record in source.records)
    assert source.account.found == boxes + sum(source.account.dropped.values())
    return source


def all_boxes(source: Source) -> list[list[float]]:
    return np.concatenate([record.boxes_xyxy for record in source.records]).round(9).tolist()


PLACES = [[0.35, 0.3, 2], [0.65, 0.3, 2], [0.65, 0.7, 2], [0.35, 0.7, 2]]
POSES: list[tuple[str, str, list[list[float]], tuple[str, ...]]] = [
    (f"{XYWH} .35 .3 .65 .3 .65 .7 .35 .7", "kpt_shape: [4, 2]", PLACES, ("0", "1", "2", "3")),
    (f"{XYWH} .35 .3 2 .65 .3 0", "kpt_shape: [2, 3]", [[0.35, 0.3, 2], [0.65, 0.3, 0]], ("0", "1")),
    (f"{XYWH} .35 .3", "kpt_shape: [1, 2]\nkpt_names: {0: [tip]}", [[0.35, 0.3, 2]], ("tip",)),
    (f"{XYWH} 0 0 .5 -1", "kpt_shape: [2, 2]\nkpt_names: [l, r]", [[0, 0, 0], [0, 0, 0]], ("l", "r")),
    (f"{XYWH} .35 .3 .65 .3 .9", "kpt_shape: [2, 2]", PLACES[:2], ("0", "1")),  # a prediction
    (f"{XYWH} .35 .3 .65 .3 .9 17", "kpt_shape: [2, 2]", PLACES[:2], ("0", "1")),  # of a track
]


@pytest.mark.parametrize(("row", "yaml", "expected", "names"), POSES)
def test_keypoints_stand_behind_the_box(
    tmp_path: Path, row: str, yaml: str, expected: list[list[float]], names: tuple[str, ...]
) -> None:
    folder = dataset(tmp_path, row, row, yaml=yaml)
    source = read(folder)
    assert (all_boxes(source), source.issues) == ([BOX, BOX], ())
    assert {record.masks for record in source.records} == {(b"[]",)}
    assert source.keypoints == {"a": names}
    for record in source.records:
        assert record.keypoints is not None
        assert record.keypoints.tolist() == [expected]
    without = read(folder, keypoints=False)
    assert (without.keypoints, {record.keypoints is None for record in without.records}) == ({}, {True})
    if any(visibility for *_, visibility in expected):
        assert faults(without) == ["keypoints-left-out"]  # one for all
        assert "keypoints of 2 rows" in without.issues[0].message
    else:
        assert faults(without) == []


def test_boxes_without_keypoints(tmp_path: Path) -> None:
    source = read(dataset(tmp_path, XYWH, yaml="kpt_shape: [1, 3]"))
    assert source.keypoints == {"a": ("0",)}
    assert [record.keypoints for record in source.records] == [None]


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        ("task: pose", "kpt_shape: \\[17, 3\\] to data.yaml, or leave them out with --keypoints none"),
        ("kpt_shape: [2000, 3]", "has 2000 keypoints, expected at most 1000; leave them out"),
        ("kpt_shape: [2, 4]", "expected \\[keypoints, 2 or 3\\]"),
        ("kpt_shape: [2, 2]\nkpt_names: {0: [a, a]}", "kpt_names: is .*expected .*2 different names"),
        ("kpt_shape: [2, 2]\nkpt_names: {0: [a]}", "kpt_names"),
        ("kpt_shape: [2, 2]\nkpt_names: {7: [a, b]}", "kpt_names"),
        ("kpt_shape: [2, 2]\nkpt_names: nose", "kpt_names"),
    ],
)
def test_keypoints_of_unknown_meaning_are_refused(tmp_path: Path, yaml: str, reason: str) -> None:
    folder = dataset(tmp_path, f"{XYWH} .35 .3 .65 .3", yaml=yaml)
    with pytest.raises(InputError, match=reason):
        read(folder)


@pytest.mark.parametrize("extra", ["", " .9", " 1", " 17"])
def test_confidence_and_track_of_predictions(tmp_path: Path, extra: str) -> None:
    source = read(dataset(tmp_path, XYWH + extra, XYWH + extra))
    assert (all_boxes(source), source.issues) == ([BOX, BOX], ())


def test_confidence_and_track_together(tmp_path: Path) -> None:
    assert all_boxes(read(dataset(tmp_path, f"{XYWH} .9 1", f"{XYWH} .8 2", XYWH))) == [BOX] * 3


@pytest.mark.parametrize(
    ("row", "flags"),
    [
        (f"{XYWH} .9 1", "pose|segment|detect"),  # a track of that number, or a corner
        (".3 .25 .7 .25 .7 .75", "pose|segment|detect"),
        (CORNERS, "pose|segment|obb"),
        (f"{CORNERS} .9", "pose|segment|obb"),
        (f"{XYWH} .35 .3 .65 .3 .65 .7 .35 .7", "pose|segment"),
        (f"{XYWH} .3 .3 2", "pose|segment"),
        (f"{XYWH} 37.5", "detect"),  # an angle
        (f"{XYWH} -1.2", "detect"),
        (".9 .5 .5 .4 .5", "detect"),  # the confidence first
    ],
)
@pytest.mark.parametrize("others", [(), (XYWH,)])
def test_what_is_ambiguous_is_refused(tmp_path: Path, row: str, flags: str, others: tuple[str, ...]) -> None:
    with pytest.raises(
        InputError, match=f"data.yaml: .*numbers? after the class.*--yolo {re.escape(flags)}"
    ) as fault:
        read(dataset(tmp_path, *[row] * 3, *others))
    assert "\n" not in str(fault.value)


def test_one_odd_row_does_not_change_what_the_others_mean(tmp_path: Path) -> None:
    pose = f"{XYWH} .35 .3 .65 .3"
    with pytest.raises(InputError, match="in 19 of 20 rows there are 8 numbers"):
        read(dataset(tmp_path, *[pose] * 19, f"{pose} .1 .1"))


@pytest.mark.parametrize(
    ("task", "row", "boxes"),
    [
        ("detect", f"{XYWH} 37.5", [BOX]),
        ("detect", f"{XYWH} .9 1", [BOX]),
        ("pose", f"{XYWH} .35 .3", [BOX]),
        ("segment", CORNERS, [BOX]),
        ("segment", f"{CORNERS} .9", [BOX]),
        ("obb", CORNERS, [BOX]),
        ("obb", f"{CORNERS} .9", [BOX]),
        ("obb", ".5 .25 .7 .5 .5 .75 .3 .5", [BOX]),
    ],
)
@pytest.mark.parametrize("in_yaml", [False, True])
def test_the_user_or_data_yaml_settles_it(
    tmp_path: Path, task: str, row: str, boxes: list[list[float]], in_yaml: bool
) -> None:
    folder = dataset(tmp_path, row, yaml=f"task: {task}" if in_yaml else "")
    source = read(folder, None if in_yaml else task, keypoints=False)
    assert all_boxes(source) == boxes
    assert faults(source) == {"obb": ["box-derived"], "pose": ["keypoints-left-out"]}.get(task, [])
    if task == "obb":
        (issue,) = source.issues
        assert (issue.source, issue.box) == (source.records[0].source, 0)
    assert [record.masks != (b"[]",) for record in source.records] == [task in ("segment", "obb")]


@pytest.mark.parametrize(
    ("task", "wrong"),
    [("detect", CORNERS), ("obb", f"{CORNERS} .1 .1"), ("segment", f"{CORNERS} .1"), ("pose", f"{XYWH} .1")],
)
def test_rows_of_another_kind_are_unread_and_counted(tmp_path: Path, task: str, wrong: str) -> None:
    right = {"detect": XYWH, "obb": CORNERS, "segment": CORNERS, "pose": f"{XYWH} .35 .3"}[task]
    source = read(dataset(tmp_path, right, wrong, right), task, keypoints=False)
    assert all_boxes(source) == [BOX, BOX]
    (issue,) = (issue for issue in source.issues if issue.source == "labels/train/1.txt")
    assert (issue.code, issue.message.split(":")[0]) == ("annotation-unread", "line 1")
    assert source.account is not None
    assert source.account.dropped == {"annotation-unread": 1}
    with pytest.raises(InputError, match=f"in each of 1 row, which is no {task}; .*--yolo"):
        read(dataset(tmp_path / "alone", wrong if task != "segment" else f"{XYWH} .5"), task)


def test_polygons_of_many_lengths_need_no_word(tmp_path: Path) -> None:
    source = read(dataset(tmp_path, CORNERS, f"{CORNERS} .3 .5", XYWH))
    assert (all_boxes(source), source.issues) == ([BOX] * 3, ())


@pytest.mark.parametrize(
    ("yaml", "reason"),
    [
        ("kpt_shape: 17", "kpt_shape: is 17"),
        ("kpt_shape: [17]", "kpt_shape"),
        ("task: classify", "task: is 'classify'"),
    ],
)
def test_a_data_yaml_that_makes_no_sense(tmp_path: Path, yaml: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(dataset(tmp_path, XYWH, yaml=yaml))


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0, 2.0, 7.5]), min_size=4, max_size=12), max_size=12),
    st.sampled_from([None, "detect", "segment", "pose", "obb"]),
    st.sampled_from([0, 2, 6, 8]),
)
def test_a_row_that_is_understood_has_a_box(
    rows: list[list[float]], told: str | None, keypoints: int
) -> None:
    given_rows = [Row(number, 0, tuple(row)) for number, row in enumerate(rows)]
    try:
        meaning = yolo_rows.meaning(Path("data.yaml"), given_rows, told, keypoints)
    except InputError:
        return
    assert meaning.task == told or told is None
    for row in given_rows:
        if meaning.understands(row.numbers):
            corners = meaning.corners(row.numbers)
            if polygon := meaning.polygon(row.numbers):
                assert corners == (
                    min(polygon[::2]),
                    min(polygon[1::2]),
                    max(polygon[::2]),
                    max(polygon[1::2]),
                )
            else:
                middle = ((corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2)
                assert middle == row.numbers[:2]


@pytest.mark.parametrize(
    ("word", "decimals"),
    [("0.250000", 6), (".5", 1), ("1", 0), ("1e-06", 6), ("2.5E-3", 4), ("1e5", 0), ("nan", 0), ("inf", 0)],
)
def test_decimals(tmp_path: Path, word: str, decimals: int) -> None:
    (tmp_path / "a.txt").write_text(f"0 {word} 0 0 0\n")
    assert yolo_rows.read(tmp_path / "a.txt").decimals == decimals
    assert yolo_rows.unit([yolo_rows.read(tmp_path / "a.txt")]) == 10.0 ** -max(3, decimals)

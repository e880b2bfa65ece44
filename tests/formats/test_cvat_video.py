"""CVAT for video: frames, objects that leave, keyframes alone, and damaged tracks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.places import SAMPLE
from tests.helpers.sources import assert_balanced, boxes_by_file, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.images import masks

RANGE = "<start_frame>4</start_frame><stop_frame>8</stop_frame>"
SIZE = "<original_size><width>40</width><height>30</height></original_size>"


def box(frame: object, left: float, outside: int = 0, keyframe: int = 1, more: str = "") -> str:
    edges = f'xtl="{left}" ytl="2" xbr="{left + 10}" ybr="12"'
    said = f'keyframe="{keyframe}" outside="{outside}" occluded="0"'
    return f'<box frame="{frame}" {said} {edges} {more}><attribute name="x">1</attribute></box>'


def track(*shapes: str, said: str = 'label="cat"') -> str:
    return f'<track id="0" source="manual" {said}>{"".join(shapes)}</track>'


def read_video(
    folder: Path, *tracks: str, task: str = RANGE + SIZE, options: ReadOptions | None = None
) -> Source:
    meta = f"<meta><task>{task}<labels><label><name>cat</name></label></labels></task></meta>"
    path = folder / "annotations.xml"
    path.write_text(f"<annotations><version>1.1</version>{meta}{''.join(tracks)}</annotations>")
    assert registry.detect(path) == "cvat"
    source = registry.read(path, None, options or ReadOptions())
    assert_balanced(source)
    return source


def lefts(source: Source) -> dict[int, list[float]]:
    """{frame: left edges of its boxes}."""
    return {
        int(name[-6:]): [edges[0] for edges in boxes] for name, (_, boxes) in boxes_by_file(source).items()
    }


def test_frames_as_cvat_writes_them(tmp_path: Path) -> None:
    shapes = box(5, 1), box(6, 2.5, keyframe=0), box(7, 4), box(8, 4, outside=1)
    source = read_video(tmp_path, track(*shapes), track(box(5, 20), box(6, 20, outside=1)))
    assert lefts(source) == {4: [], 5: [1, 20], 6: [2.5], 7: [4], 8: []}
    record = source.records[1]
    assert (record.filename, record.width, record.height) == ("frame_000005", 40, 30)
    assert record.source == "annotations.xml frame 5"
    assert (source.issues, source.account.found, source.account.images) == ((), 4, 5)


def test_frames_of_a_filter(tmp_path: Path) -> None:
    task = "<start_frame>2</start_frame><stop_frame>10</stop_frame><frame_filter>step=4</frame_filter>"
    source = read_video(tmp_path, track(box(2, 1), box(6, 2), box(10, 2, outside=1)), task=task)
    assert lefts(source) == {2: [1], 6: [2], 10: []}
    assert lefts(read_video(tmp_path, track(box(1, 1)), task="<size>3</size>")) == {0: [], 1: [1], 2: []}
    assert lefts(read_video(tmp_path, track(box(1, 1), box(2, 1, outside=1)), task="")) == {1: [1], 2: []}


def test_keyframes_alone_are_refused_until_it_is_said_what_is_between(tmp_path: Path) -> None:
    tracks = track(box(4, 0), box(6, 4), box(7, 4, outside=1)), track(box(5, 20), box(6, 20, outside=1))
    with pytest.raises(InputError, match=r"annotations.xml: tracks\[0\] \(of 1 .*--keyframes interpolate"):
        read_video(tmp_path, *tracks)
    source = read_video(tmp_path, *tracks, options=ReadOptions(keyframes="interpolate"))
    assert lefts(source) == {4: [0], 5: [2, 20], 6: [4], 7: [], 8: []}
    assert [(issue.code, issue.source, issue.box) for issue in source.issues] == [
        ("box-derived", "annotations.xml frame 5", 0)
    ]
    source = read_video(tmp_path, *tracks, options=ReadOptions(keyframes="alone"))
    assert lefts(source) == {4: [0], 5: [20], 6: [4], 7: []}


def test_gaps_of_deleted_frames_are_none(tmp_path: Path) -> None:
    source = read_video(tmp_path, track(box(4, 0), box(5, 1, keyframe=0), box(8, 4)))
    assert lefts(source) == {4: [0], 5: [1], 6: [], 7: [], 8: [4]}


def test_the_last_keyframe_stays_and_boxes_turn_the_shorter_way(tmp_path: Path) -> None:
    turning = track(box(4, 10, more='rotation="350"'), box(6, 10, more='rotation="10"'))
    source = read_video(tmp_path, turning, options=ReadOptions(keyframes="interpolate"))
    assert lefts(source).keys() == {4, 5, 6, 7, 8}
    by_frame = [record.boxes_xyxy[0].tolist() for record in source.records]
    assert by_frame[1] == [10, 2, 20, 12]
    assert by_frame[2] == pytest.approx(by_frame[0])
    assert by_frame[2] == by_frame[3] == by_frame[4]


def test_skeletons_leave_with_all_their_points(tmp_path: Path) -> None:
    points = "<points label='1' outside='{0}' points='1,2'/><points label='2' outside='{1}' points='5,9'/>"
    shapes = (
        f"<skeleton frame='{4 + n}' keyframe='0'>{points.format(n > 1, int(n > 0))}</skeleton>"
        for n in range(2)
    )
    both = track(*(shape.replace("False", "0").replace("True", "1") for shape in shapes))
    gone = f"<skeleton frame='6' keyframe='1'>{points.format(1, 1)}</skeleton>"
    source = read_video(tmp_path, both, track(gone), options=ReadOptions(boxes_from="keypoints"))
    assert [len(record.names) for record in source.records] == [1, 1, 0, 0, 0]
    assert source.records[0].boxes_xyxy.tolist() == [[1, 2, 5, 9]]
    assert source.records[1].boxes_xyxy.tolist() == [[1, 2, 1, 2]]
    assert source.account.found == 2


@pytest.mark.parametrize("frame", ["", "-1", "1.5", "x", "9" * 5000])
def test_shapes_at_no_frame(tmp_path: Path, frame: str) -> None:
    source = read_video(tmp_path, track(box(4, 1), box(frame, 1)))
    assert faults(source) == ["annotation-unread"]
    assert "tracks[0] shapes[1]: frame is" in source.issues[0].message


def test_only_boxes_are_interpolated(tmp_path: Path) -> None:
    polygon = '<polygon frame="{0}" keyframe="1" outside="0" points="1,2;5,2;5,9"/>'
    shapes = track(polygon.format(4), polygon.format(6))
    with pytest.raises(InputError, match=r"tracks\[0\]: has frames between its keyframes, which only CVAT"):
        read_video(tmp_path, shapes, options=ReadOptions(keyframes="interpolate"))
    whole = track(polygon.format(4), polygon.format(5).replace('keyframe="1"', 'keyframe="0"'))
    assert faults(read_video(tmp_path, whole)) == ["box-derived", "box-derived"]


def test_frames_without_end_are_refused(tmp_path: Path) -> None:
    task = "<start_frame>0</start_frame><stop_frame>999999999</stop_frame>"
    with pytest.raises(InputError, match="a task of 1000000000 frames, expected at most 500000"):
        read_video(tmp_path, track(box(1, 1)), task=task)
    far = track(box(1, 1), box(999999999, 1))
    with pytest.raises(InputError, match=r"tracks\[0\]: has more than 5000000 objects between keyframes"):
        read_video(tmp_path, far, task="", options=ReadOptions(keyframes="interpolate"))


def test_masks_of_a_video_without_its_size_are_damaged(tmp_path: Path) -> None:
    mask = '<mask frame="4" keyframe="0" outside="0" rle="0,4" left="0" top="0" width="2" height="2"/>'
    options = ReadOptions(masks=True)
    (record,) = [of for of in read_video(tmp_path, track(mask), task="", options=options).records if of.masks]
    with pytest.raises(InputError, match="is no mask"):
        masks.to_png(record.masks[0], "a", (40, 30), (40, 30))


def test_tasks_of_a_project(tmp_path: Path) -> None:
    task = f"<task><id>{{0}}</id><start_frame>0</start_frame><stop_frame>1</stop_frame>{SIZE}</task>"
    tasks = f"<tasks>{task.format(3)}{task.format(4)}</tasks>"
    labels = "<labels><label><name>cat</name></label></labels>"
    path = tmp_path / "annotations.xml"
    said = 'label="cat" task_id="{0}" subset="{1}"'
    tracks = [track(box(1, 1), said=said.format(*names)) for names in ((3, "Train"), (4, "Test"))]
    text = f"<annotations><meta><project>{tasks}{labels}</project></meta>{{0}}</annotations>"
    path.write_text(text.format("".join(tracks)))
    records = registry.read(path).records
    assert [(record.filename, record.split, len(record.names), record.width) for record in records] == [
        ("Train/frame_000000", "train", 0, 40),
        ("Train/frame_000001", "train", 1, 40),
        ("Test/frame_000000", "test", 0, 40),
        ("Test/frame_000001", "test", 1, 40),
    ]
    path.write_text(text.format("".join(tracks).replace("Test", "Train")))
    with pytest.raises(
        InputError, match="the frames of tasks 3 and 4, both of subset Train, have the same names"
    ):
        registry.read(path)


def test_the_sample_has_the_same_boxes_frame_by_frame() -> None:
    """A video of images: its frames are they, by name."""
    source = registry.read(SAMPLE / "formats/cvat_video/annotations.xml")
    coco = registry.read(SAMPLE / "formats/coco/instances.json")
    assert_balanced(source)
    names = sorted(record.filename for record in coco.records)
    expected = boxes_by_file(coco)
    found = boxes_by_file(source)
    assert list(found) == [f"frame_{number:06d}" for number in range(4)]
    for name, (labels, boxes) in zip(names, found.values(), strict=True):
        assert sorted(zip(labels, boxes, strict=True)) == sorted(zip(*expected[name], strict=True))

"""CVAT for images: its shapes, its head, and damaged files."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.places import SAMPLE, SHARED
from tests.helpers.sources import assert_balanced, boxes_by_file, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.xml_documents import children_of_root
from tfrec_tools.images import masks

SIZE_WH = (40, 30)
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
LABELS = "<name>cat</name><type>any</type>", "<name>cow</name><type>any</type>"
CUBOID = """xtl1="1" ytl1="2" xbl1="1" ybl1="9" xtr1="5" ytr1="2" xbr1="5" ybr1="9"
    xtl2="4" ytl2="1" xbl2="4" ybl2="7" xtr2="8" ytr2="1" xbr2="8" ybr2="7\""""
BOX = '<box label="cat" occluded="1" xtl="1" ytl="2" xbr="11.5" ybr="22"/>'


def meta(*labels: str, task: str = "") -> str:
    listed = "".join(f"<label>{label}</label>" for label in labels)
    return f"<meta><task>{task}<labels>{listed}</labels></task></meta>"


def image(*shapes: str, said: str = 'id="0" name="a.jpg" width="40" height="30"') -> str:
    return f"<image {said}>{''.join(shapes)}</image>"


def read_cvat(folder: Path, *parts: str, options: ReadOptions | None = None) -> Source:
    path = folder / "annotations.xml"
    path.write_text(HEAD + "".join(parts) + "</annotations>", encoding="utf-8")
    assert registry.detect(path) == "cvat"
    source = registry.read(path, None, options or ReadOptions())
    assert_balanced(source)
    return source


@pytest.mark.parametrize(
    ("shape", "box", "kind"),
    [
        ('<box label="cat" xtl="10" ytl="10" xbr="20" ybr="14" rotation="0.00"/>', (10, 10, 20, 14), ""),
        (
            '<box label="cat" xtl="10" ytl="10" xbr="20" ybr="14" rotation="90.00"/>',
            (13, 7, 17, 17),
            "rotated box",
        ),
        (
            '<box label="cat" xtl="10" ytl="10" xbr="20" ybr="20" rotation="45"/>',
            (15 - 50**0.5, 15 - 50**0.5, 15 + 50**0.5, 15 + 50**0.5),
            "rotated box",
        ),
        ('<polygon label="cat" points="1.5,2;9,2;5,8.25"/>', (1.5, 2, 9, 8.25), "polygon"),
        (
            '<mask label="cat" rle="4, 1, 2, 2, 3" left="10" top="5" width="4" height="3"/>',
            (10, 6, 14, 8),
            "mask",
        ),
        ('<mask label="cat" rle="1,2,5" left="3" top="5" width="4" height="2"/>', (4, 5, 6, 6), "mask"),
        (
            '<ellipse label="cat" cx="20" cy="15" rx="8" ry="3" rotation="90.00"/>',
            (17, 7, 23, 23),
            "ellipse",
        ),
        (
            f'<cuboid label="cat" {CUBOID}/>',
            (1, 1, 8, 9),
            "cuboid",
        ),
    ],
)
def test_boxes_around_shapes(tmp_path: Path, shape: str, box: tuple[float, ...], kind: str) -> None:
    source = read_cvat(tmp_path, meta(*LABELS), image(BOX, shape))
    (record,) = source.records
    np.testing.assert_allclose(record.boxes_xyxy, [(1, 2, 11.5, 22), box], atol=1e-12)
    assert record.occluded.tolist() == [True, False]
    derived = [(issue.box, issue.message) for issue in source.issues]
    assert derived == ([(1, f"shapes[1]: cat: the box around its {kind}")] if kind else [])


KEYPOINTS = (
    '<points label="cat" points="3,4;9.5,7"/>',
    """<skeleton label="cat"><points label="1" outside="0" occluded="1" points="5,5"/>
    <points label="2" outside="1" points="0,0"/><points label="3" outside="0" points="8,2"/>
    <attribute name="age">3</attribute></skeleton>""",
)


def test_keypoints_have_boxes_when_asked_for(tmp_path: Path) -> None:
    source = read_cvat(tmp_path, image(*KEYPOINTS))
    assert faults(source) == ["box-missing"] * 2
    assert all("--boxes-from keypoints" in issue.message for issue in source.issues)
    source = read_cvat(tmp_path, image(*KEYPOINTS), options=ReadOptions(boxes_from="keypoints"))
    assert source.records[0].boxes_xyxy.tolist() == [[3, 4, 9.5, 7], [5, 2, 8, 5]]
    assert faults(source) == ["box-derived"] * 2


def test_classes_are_the_labels_of_the_head(tmp_path: Path) -> None:
    labels = ("<name>person</name>", *LABELS, "<name>1</name><parent>person</parent>", "<name></name>")
    source = read_cvat(tmp_path, meta(*labels), image(BOX, BOX.replace("cat", "ant")))
    assert source.classes == ("person", "cat", "cow", "ant")
    assert source.records[0].labeled == {"person", "cat", "cow", "ant"}


def test_projects_have_subsets(tmp_path: Path) -> None:
    said = 'id="0" name="{0}.jpg" subset="{1}" task_id="3" width="40" height="30"'
    project = "<meta><project><labels><label><name>cat</name></label></labels></project></meta>"
    subsets = ["Train", "Validation", "default", "Test 2"]
    images = [image(BOX, said=said.format("a", subset)) for subset in subsets]
    source = read_cvat(tmp_path, project, *images)
    assert [record.split for record in source.records] == ["train", "val", None, "test_2"]
    assert [record.filename for record in source.records] == [f"{subset}/a.jpg" for subset in subsets]
    source = read_cvat(tmp_path, meta(*LABELS, task="<subset>Test</subset>"), image(BOX))
    assert (source.records[0].split, source.records[0].filename) == ("test", "a.jpg")


def test_attributes_that_voc_and_coco_have(tmp_path: Path) -> None:
    said = {"difficult": "true", "truncated": "1", "is_crowd": "True", "occluded": "false", "colour": "red"}
    attributes = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in said.items())
    (record,) = read_cvat(tmp_path, image(BOX.replace("/>", f">{attributes}</box>"))).records
    flags = (record.difficult, record.truncated, record.crowd, record.occluded)
    assert [flag.tolist() for flag in flags] == [[True]] * 4  # occluded="1" stands in the box itself


def test_masks_are_those_of_the_shapes(tmp_path: Path) -> None:
    shapes = (
        '<mask label="cat" rle="1, 2, 1, 1, 1, 2" left="36" top="27" width="4" height="2"/>',
        '<mask label="cat" rle="0, 12" left="38" top="-1" width="4" height="3"/>',
        '<polygon label="cat" points="2,2;6,2;6,6;2,6"/>',
        BOX,
    )
    (record,) = read_cvat(tmp_path, image(*shapes), options=ReadOptions(masks=True)).records
    pngs = [masks.to_png(mask, "a", SIZE_WH, SIZE_WH) for mask in record.masks]
    pixels = [np.asarray(Image.open(BytesIO(png))) for png in pngs]
    expected = np.zeros((4, 30, 40), np.uint8)
    expected[0, 27, 37:39] = expected[0, 28, 36] = expected[0, 28, 38:40] = 1
    expected[1, 0:2, 38:40] = 1
    expected[2, 2:6, 2:6] = 1
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("shape", "code", "message"),
    [
        ('<polyline label="cat" points="1,2;3,4"/>', "box-missing", "cat: a polyline: has no box"),
        ('<tag label="cat" source="manual"/>', "box-missing", "cat: a tag: has no box"),
        (BOX.replace('label="cat" ', ""), "class-unknown", "names no class"),
        (BOX.replace('"2"', '"two"'), "box-missing", "a box: ytl is 'two', expected a number"),
        (BOX.replace('ytl="2"', ""), "box-missing", "a box: ytl is None, expected a number"),
        (BOX.replace("/>", ' rotation="nan"/>'), "box-missing", "a box: rotation is nan, expected degrees"),
        ('<polygon label="cat" points="1,2;3,4"/>', "box-missing", "has 2 points, expected 3 or more"),
        ('<polygon label="cat" points="1,2;3"/>', "box-missing", "points are '1,2;3', expected x,y;x,y"),
        ('<polygon label="cat"/>', "box-missing", "points are '', expected x,y;x,y"),
        (
            '<mask label="cat" rle="1,2" left="0" top="0" width="2" height="2"/>',
            "box-missing",
            "its runs are 3 pixels, expected 2 x 2",
        ),
        (
            '<mask label="cat" rle="0,9999999999" left="0" top="0" width="99999" height="99999"/>',
            "box-missing",
            "is 99999 x 99999 pixels",
        ),
        (
            '<mask label="cat" rle="a" left="0" top="0" width="2" height="2"/>',
            "box-missing",
            "are not all whole numbers",
        ),
        (
            '<mask label="cat" rle="4" left="0" top="0" width="2" height="2"/>',
            "box-missing",
            "a mask: has no pixels",
        ),
        ('<star label="cat" points="1,2"/>', "annotation-unread", "<star> is no shape that is known"),
    ],
)
def test_what_has_no_box(tmp_path: Path, shape: str, code: str, message: str) -> None:
    source = read_cvat(tmp_path, image(BOX, shape))
    ((found, at, text),) = [(issue.code, issue.source, issue.message) for issue in source.issues]
    assert (found, at) == (code, "annotations.xml image[0]")
    assert text.startswith("shapes[1]: ")
    assert message in text
    assert len(source.records[0].names) == 1


def test_what_is_in_no_image(tmp_path: Path) -> None:
    source = read_cvat(tmp_path, image(BOX), "<tag frame='3'/>", image(BOX, said='name=" /"'), BOX)
    assert faults(source) == ["image-unknown", "annotation-unread", "annotation-unread"]
    assert source.account.found == 4
    assert source.account.images == 2
    assert faults(read_cvat(tmp_path, image(BOX, said="id='1'"))) == ["image-unknown"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + image(BOX)[:-9], r"line 4, column \d+: broken XML"),
        (HEAD + image(BOX) + "<image name='a", r"line 4, column \d+: broken XML"),
        ("", "line 1, column 1: broken XML"),
        ("<annotation></annotation>", "its root is <annotation>, expected <annotations>"),
        (f"<a><annotations>{image(BOX)}</annotations></a>", "its root is <a>, expected <annotations>"),
        (
            f'<!DOCTYPE annotations [<!ENTITY x "1">]><annotations>{image(BOX)}</annotations>',
            "declares a document type",
        ),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(InputError, match=f"annotations.xml: {reason}") as caught:
        registry.read(tmp_path / "annotations.xml", "cvat")
    assert "\n" not in str(caught.value)


def test_a_folder_of_files_is_one_source(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        read_cvat(tmp_path / name, meta(f"<name>{name}</name>"), image(BOX))
    assert registry.detect(tmp_path) == "cvat"
    source = registry.read(tmp_path)
    assert source.classes == ("a", "b", "cat")
    assert list(boxes_by_file(source)) == ["a/a.jpg", "b/a.jpg"]
    assert [record.source for record in source.records] == [
        "a/annotations.xml image[0]",
        "b/annotations.xml image[0]",
    ]


def test_a_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text(HEAD + image(BOX) * 2000 + "</annotations>")
    held = [len(element.getparent()) for element in children_of_root(path, "annotations", ["image"])]
    assert len(held) == 2000 + 1  # with <version>, which was not asked for
    assert max(held) < 500  # what the parser reads ahead: 32 KB


def test_real_files_have_the_boxes_of_the_same_set_in_voc() -> None:
    database = SHARED / "data/voc2012_100/data/database/gts"
    if not database.is_dir():
        pytest.skip("real data sets (../shared) are not on this machine")
    cvat = boxes_by_file(registry.read(database / "cvat_format/annotations.xml"))
    voc = boxes_by_file(registry.read(database / "pascalvoc_format"))
    assert {name: sorted(zip(*boxes, strict=True)) for name, boxes in cvat.items()} == {
        Path(name).name: sorted(zip(*boxes, strict=True)) for name, boxes in voc.items()
    }


def test_the_sample_keeps_the_subset_of_its_task() -> None:
    source = registry.read(SAMPLE / "formats/cvat/annotations.xml")
    assert {record.split for record in source.records} == {"train"}
    assert source.classes == ("apple", "pear", "cherry", "mushroom")
    assert json.dumps(source.account.dropped) == "{}"

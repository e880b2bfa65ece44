"""Pascal VOC: flags, sizes and names as people write them, image sets, and damaged files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.small_sets import voc, voc_xml
from tests.helpers.sources import assert_balanced
from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.policies import parse
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions


def read_voc(path: Path) -> Source:
    return registry.read(path, "voc")


def test_voc_flags_and_raw_coordinates(tmp_path: Path) -> None:
    boxes = [("cat", 1, 2, 30, 40), ("cat", "5.5", " 6 ", "1e1", "12")]
    (tmp_path / "a.xml").write_text(voc_xml("a.jpg", 60, 40, boxes))
    (record,) = read_voc(tmp_path).records
    assert record.boxes_xyxy.tolist() == [[1, 2, 30, 40], [5.5, 6, 10, 12]]
    assert (record.difficult.tolist(), record.truncated.tolist()) == ([False, True], [True, False])


@pytest.mark.parametrize("tag", ["difficult", "truncated", "occluded"])
@pytest.mark.parametrize(
    ("word", "is_set"),
    [
        *((word, True) for word in ("1", "1.0", "0.35", "1e-3", "2", "True", " yes ", "Y", "t")),
        *((word, False) for word in ("", "0", "0.0", "-1", "No", "FALSE", "Unspecified", "nan", "n")),
        *((word, None) for word in ("partly", "0,35", "1 of 2")),
    ],
)
def test_voc_flags_as_tools_write_them(tmp_path: Path, tag: str, word: str, is_set: bool | None) -> None:
    for odd in ("", "<view>left</view>"):  # with it the file is not read the quick way
        inner = f"<object><name>cat</name>{odd}{BOX}<{tag}>{word}</{tag}></object>"
        (tmp_path / "a.xml").write_text(f"<annotation><filename>a.jpg</filename>\n{inner}</annotation>")
        source = read_voc(tmp_path)
        assert getattr(source.records[0], tag).tolist() == [bool(is_set)]
        message = f"line 2: cat: <{tag}> is {word!r}, expected 0 or 1"
        found = [(issue.code, issue.box, issue.message) for issue in source.issues]
        assert found == ([("annotation-unread", 0, message)] if is_set is None else [])
        assert_balanced(source)


@pytest.mark.parametrize(
    ("said", "is_crowd"),
    [
        ("<iscrowd>1</iscrowd>", True),
        ("<iscrowd>0</iscrowd>", False),
        ("<is_crowd>True</is_crowd>", True),
        ("<attributes><attribute><name>is_crowd</name><value>True</value></attribute></attributes>", True),
        ("<attributes><attribute><name>is_crowd</name><value>False</value></attribute></attributes>", False),
    ],
)
def test_voc_crowds(tmp_path: Path, said: str, is_crowd: bool) -> None:
    text = f"<annotation><object><name>cat</name>{BOX}{said}</object></annotation>"
    (tmp_path / "a.xml").write_text(text)
    source = read_voc(tmp_path)
    assert (source.records[0].crowd.tolist(), source.issues) == ([is_crowd], ())


def test_voc_folder_above_annotations_and_single_file(tmp_path: Path) -> None:
    annotations = voc(tmp_path)
    assert registry.detect(tmp_path) == "voc"
    assert len(read_voc(tmp_path).records) == 3
    assert len(read_voc(annotations / "a.xml").records) == 1


def test_voc_without_size_objects_or_names(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation><filename>a.jpg</filename></annotation>")
    (tmp_path / "b.xml").write_text(voc_xml("b.jpg", 0, 0, [("", 1, 2, 3, 4), ("cat", 1, 2, 3, 4)]))
    source = read_voc(tmp_path)
    assert [(record.width, record.names) for record in source.records] == [(0, ()), (0, ("cat",))]
    assert [(issue.code, issue.source) for issue in source.issues] == [("class-unknown", "b.xml")]


def test_voc_entities_are_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    head = f'<!DOCTYPE annotation [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    (tmp_path / "a.xml").write_text(f"{head}<annotation><filename>a.jpg&x;</filename></annotation>")
    with pytest.raises(InputError, match="line 1: declares entities"):
        read_voc(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason", "code"),
    [
        (lambda text: text[: len(text) // 2], r"line \d+, column \d+: broken XML", "annotation-damaged"),
        (lambda _: "", "line 1, column 1: broken XML: Document is empty$", "annotation-damaged"),
        (
            lambda text: text.replace("annotation>", "annotations>"),
            "its root is <annotations>",
            "annotation-unread",
        ),
    ],
)
def test_voc_that_cannot_be_read(
    tmp_path: Path, change: Callable[[str], str], reason: str, code: str
) -> None:
    path = voc(tmp_path) / "a.xml"
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"a.xml: {reason}"):
        read_voc(path)
    source = read_voc(path.parent)
    assert [record.filename for record in source.records] == ["b.jpg", "c.jpg"]
    ((found, at, message),) = [(issue.code, issue.source, issue.message) for issue in source.issues]
    assert (found, at) == (code, str(path))
    assert re.match(reason, message)
    assert_balanced(source)


CORNERS = "<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>20</ymax>"
BOX = f"<bndbox>{CORNERS}</bndbox>"
OTHER = BOX.replace(">1<", ">5<")
ATTRIBUTES = '<bndbox xmin="1" ymin="2" xmax="30" ymax="20"/>'
ROTATED = "<robndbox><cx>50</cx><cy>40</cy><w>40</w><h>20</h><angle>1.5707963267948966</angle></robndbox>"
ROBOFLOW = "<polygon><x1>1</x1><y1>2</y1><x2>30</x2><y2>2</y2><x3>30</x3><y3>20</y3></polygon>"
LABELME = "<polygon><username>me</username><pt><x>30</x><y>2</y></pt><pt><x>1</x><y>20</y></pt></polygon>"
XYXY = (1.0, 2.0, 30.0, 20.0)
UPRIGHT = (40.0, 20.0, 60.0, 60.0)


def turned_by(degrees: str, box: str = BOX) -> str:
    """An object as CVAT exports it."""
    said = ("<name>kind</name><value>old</value>", f"<name>rotation</name><value>{degrees}</value>")
    attributes = "".join(f"<attribute>{attribute}</attribute>" for attribute in said)
    return f"<object><name>cat</name>{box}<attributes>{attributes}</attributes></object>"


@pytest.mark.parametrize(
    ("inner", "boxes", "codes"),
    [
        # Several boxes in an object, lists of objects, other cases, attributes.
        (
            f"<object><name>cat</name>{BOX}{OTHER}</object>",
            [("cat", XYXY), ("cat", (5.0, 2.0, 30.0, 20.0))],
            [],
        ),
        (f"<objects><object><name>cat</name>{BOX}</object></objects>", [("cat", XYXY)], []),
        (f"<Object><Name>cat</Name>{BOX.upper()}</Object>", [("cat", XYXY)], []),
        (f"<object name='cat'>{ATTRIBUTES}</object>", [("cat", XYXY)], []),
        (f"<object name='cat' {ATTRIBUTES[8:]}", [("cat", XYXY)], []),
        (f"<object><name>cat</name>{CORNERS}</object>", [("cat", XYXY)], []),
        # Shapes.
        (f"<object><name>cat</name>{ROTATED}</object>", [("cat", UPRIGHT)], ["box-derived"]),
        (f"<object><name>cat</name>{BOX}{ROTATED}</object>", [("cat", XYXY)], []),
        (f"<object><name>cat</name>{ROBOFLOW}</object>", [("cat", XYXY)], ["box-derived"]),
        (f"<object><name>cat</name>{LABELME}</object>", [("cat", XYXY)], ["box-derived"]),
        ("<object><name>cat</name><points>1,2 30,20;4,5</points></object>", [("cat", XYXY)], ["box-derived"]),
        (
            f"<object><name>cat</name>{BOX}{LABELME}</object>",
            [("cat", XYXY)],
            [],
        ),
        # CVAT's turned boxes.
        (turned_by("90.0"), [("cat", (6.5, -3.5, 24.5, 25.5))], ["box-derived"]),
        (turned_by("270", f"{BOX}{ROTATED}"), [("cat", (6.5, -3.5, 24.5, 25.5))], ["box-derived"]),
        (turned_by("180"), [("cat", XYXY)], ["box-derived"]),
        (turned_by("0.0"), [("cat", XYXY)], []),
        (turned_by("left"), [("cat", XYXY)], []),
        (turned_by("90", ROTATED), [("cat", UPRIGHT)], ["box-derived"]),
        (turned_by("inf"), [], ["box-missing"]),
        (turned_by("90", "<bndbox/>"), [], ["box-missing"]),
        # No box, or none that can be read.
        ("<object><name>cat</name></object>", [], ["box-missing"]),
        ("<object><name>cat</name><bndbox/></object>", [], ["box-missing"]),
        (f"<object><name>cat</name>{BOX.replace('>30<', '>3,0<')}</object>", [], ["box-missing"]),
        (f"<object><name>cat</name>{ROTATED.replace('1.57', '90.57')}</object>", [], ["box-missing"]),
        (f"<object>{BOX}</object>", [], ["class-unknown"]),
        # Said twice: no harm where it is the same.
        (f"<object><name>cat</name>{BOX}<name>bat</name></object>", [], ["annotation-unread"]),
        (f"<object><name>cat</name>{BOX}{OTHER}<Name>b</Name></object>", [], ["annotation-unread"] * 2),
        ("<object><name>cat</name><name>bat</name></object>", [], ["annotation-unread"]),
        (f"<object><name>cat</name>{BOX}<name> cat </name></object>", [("cat", XYXY)], []),
        (f"<object><name>cat</name><bndbox><xmin>7</xmin>{CORNERS}</bndbox></object>", [], ["box-missing"]),
        (f"<object><name>cat</name><bndbox>{CORNERS}<YMAX>7</YMAX></bndbox></object>", [], ["box-missing"]),
        (f"<object><name>cat</name><bndbox><xmin>1</xmin>{CORNERS}</bndbox></object>", [("cat", XYXY)], []),
        (f"<object><name>cat</name>{ROTATED.replace('<h>', '<h>3</h><h>')}</object>", [], ["box-missing"]),
        # Places that are not known.
        (BOX, [], ["annotation-unread"]),
        (CORNERS, [], ["annotation-unread"]),
        (f"<object><name>cat</name><shape>{BOX}</shape></object>", [], ["annotation-unread"]),
        (f"<object><name>cat</name>{BOX}<a>{BOX}</a></object>", [("cat", XYXY)], ["annotation-unread"]),
        (f"<old><object><name>cat</name>{BOX}{ROTATED}</object></old>", [], ["annotation-unread"]),
        ("<old><object><name>cat</name></object></old>", [], ["annotation-unread"]),
        ("<object><name>cat</name><box><x1>1</x1><y1>1</y1><x2>3</x2><y2>3</y2></box></object>", [],
         ["annotation-unread"]),
        # Parts are known, and said of the source.
        (f"<object><name>cat</name>{BOX}<part><name>head</name>{BOX}</part></object>", [("cat", XYXY)], []),
        (f"<object><name>cat</name><part><name>head</name>{BOX}</part></object>", [], ["box-missing"]),
    ],
)  # fmt: skip
def test_voc_of_any_structure(
    tmp_path: Path, inner: str, boxes: list[tuple[str, tuple[float, ...]]], codes: list[str]
) -> None:
    """Before and after it stands a plain object, which nothing disturbs."""
    plain = f"<object><name>dog</name>{BOX}</object>"
    (tmp_path / "a.xml").write_text(
        f"<annotation><filename>a.jpg</filename>\n{plain}\n{inner}\n{plain}</annotation>"
    )
    source = read_voc(tmp_path)
    source = replace(source, issues=tuple(issue for issue in source.issues if "part" not in issue.code))
    (record,) = source.records
    found = [
        (name, tuple(round(edge, 6) for edge in box))
        for name, box in zip(record.names, record.boxes_xyxy.tolist(), strict=True)
    ]
    assert found == [("dog", XYXY), *boxes, ("dog", XYXY)]
    assert [issue.code for issue in source.issues] == codes
    assert all(issue.source == record.source for issue in source.issues)
    line = 1 if codes and inner == CORNERS else 3
    assert all(issue.message.startswith(f"line {line}: ") for issue in source.issues)
    assert [issue.box for issue in source.issues if issue.code == "box-derived"] == [1] * len(
        [code for code in codes if code == "box-derived"]
    )
    assert_balanced(source)


def test_voc_parts_are_said_once_and_end_no_strict_run(tmp_path: Path) -> None:
    part = f"<part><name>head</name>{BOX}</part>"
    files = {"a": part * 2, "b": "", "c": f"<view>left</view>{part.upper()}<parts/><part/>"}
    for name, inner in files.items():
        text = f"<annotation><object><name>cat</name>{BOX}{inner}</object></annotation>"
        (tmp_path / f"{name}.xml").write_text(text)
    source = read_voc(tmp_path)
    (issue,) = source.issues
    assert (issue.code, issue.source) == ("parts-left-out", tmp_path.name)
    assert issue.message.startswith("3 parts of objects left out")
    assert parse("strict", ()).refused(source.issues) == ()
    assert [len(record.names) for record in source.records] == [1, 1, 1]
    assert_balanced(source)


def test_voc_files_beside_folders_are_all_read_and_litter_is_not(tmp_path: Path) -> None:
    xml = voc_xml("1.jpg", 60, 40, [("cat", 1, 2, 3, 4)])
    for name in ("1.xml", "sub/1.xml", "sub/deeper/1.XML", "__MACOSX/1.xml", ".ipynb_checkpoints/1.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(xml)
    (tmp_path / "._1.xml").write_bytes(b"\0\5\x16\7")
    source = read_voc(tmp_path)
    assert [record.source for record in source.records] == ["1.xml", "sub/1.xml", "sub/deeper/1.XML"]
    assert source.account == Account(3, 3, {}, 3, images=3)


@pytest.mark.parametrize("said", [".", "..", "a/", "sub/.", ""])
def test_voc_that_names_a_folder_is_named_by_its_own_file(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.xml").write_text(f"<annotation><filename>{said}</filename></annotation>")
    (record,) = read_voc(tmp_path).records
    assert record.filename == "a"


def test_voc_file_whose_name_is_no_text(tmp_path: Path) -> None:
    voc(tmp_path)
    odd = tmp_path / "Annotations" / os.fsdecode(b"\xff.xml")
    odd_name = "\\xff.xml"
    odd.write_text(voc_xml("1.jpg", 60, 40, [("cat", "one", 2, 3, 4)]))
    source = read_voc(tmp_path)
    assert [issue.code for issue in source.issues] == ["box-missing"]
    assert odd_name in source.issues[0].source
    assert_balanced(source)
    odd.write_text("<annotation>")
    with pytest.raises(InputError, match=re.escape(odd_name)):
        read_voc(odd)


def test_voc_origin_moves_the_minima_only(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(voc_xml("a.jpg", 60, 40, [("cat", 1, 2, 30.5, 40)]))
    (record,) = registry.read(tmp_path, options=ReadOptions(voc_origin=1)).records
    assert record.boxes_xyxy.tolist() == [[0, 1, 30.5, 40]]
    with pytest.raises(InputError, match="--voc-origin: is 2, expected 0 or 1"):
        ReadOptions(voc_origin=2)


def test_voc_pose_and_occluded(tmp_path: Path) -> None:
    text = voc_xml("a.jpg", 60, 40, [("cat", 1, 2, 3, 4), ("dog", 1, 2, 3, 4)])
    text = text.replace("<name>cat</name>", "<name>cat</name><pose>Left</pose><occluded>1</occluded>")
    (tmp_path / "a.xml").write_text(text)
    (record,) = registry.read(tmp_path).records
    assert (record.poses, record.occluded.tolist()) == (("Left", ""), [True, False])


def test_voc_without_filename_is_named_by_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotation/>")
    (record,) = registry.read(tmp_path).records
    assert (record.filename, record.stem) == ("a", "a")


def test_voc_in_subfolders_keeps_them(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "1.xml").write_text(voc_xml("1.jpg", 60, 40, []))
    records = registry.read(tmp_path).records
    assert [(record.filename, record.source) for record in records] == [
        ("test/1.jpg", "test/1.xml"),
        ("train/1.jpg", "train/1.xml"),
    ]


def test_voc_image_sets_are_splits(tmp_path: Path) -> None:
    voc(tmp_path)
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n\n")
    (lists / "val.txt").write_text("b  1\n")
    (lists / "trainval.txt").write_text("a\nb\n")
    (lists / "cat_train.txt").write_text("a -1\nc 1\n")
    source = registry.read(tmp_path)
    assert {record.filename: record.split for record in source.records} == {
        "a.png": "train",
        "b.jpg": "val",
        "c.jpg": None,
    }
    assert source.issues == ()
    (lists / "test.txt").write_text("a\n")
    source = registry.read(tmp_path)
    assert [(issue.code, issue.message) for issue in source.issues] == [
        ("split-conflict", "a is in train.txt and in test.txt")
    ]


@pytest.mark.parametrize(
    ("mark", "is_read"),
    [
        ("<deleted>1</deleted>", False),
        ("<DELETED> true </DELETED>", False),
        ("<deleted>0</deleted><verified>1</verified>", True),
        ("<deleted/>", True),
    ],
)
@pytest.mark.parametrize("shape", ["polygon", "bndbox"])
def test_deleted_objects_of_labelme_online_are_none(
    tmp_path: Path, shape: str, mark: str, is_read: bool
) -> None:
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((1, 2), (30, 2), (30, 40)))
    box = "<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>"
    inside = f"<polygon><username>a</username>{corners}</polygon>" if shape == "polygon" else ""
    inside = inside or f"<bndbox>{box}</bndbox>"
    text = (
        f"<annotation><filename>a.jpg</filename><object><name>cat</name>{mark}{inside}</object></annotation>"
    )
    (tmp_path / "a.xml").write_text(text)
    source = read_voc(tmp_path)
    assert_balanced(source)
    assert source.records[0].boxes_xyxy.tolist() == ([[1, 2, 30, 40]] if is_read else [])
    unread = [issue.message for issue in source.issues if issue.code == "annotation-unread"]
    assert [("marked as <deleted>: cat" in message) for message in unread] == ([] if is_read else [True])

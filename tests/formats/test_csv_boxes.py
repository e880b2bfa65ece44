"""The ways in which a CSV says where boxes are: corners, points with sizes, cells with all numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.sources import assert_balanced, boxes_by_file
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_parts, registry
from tfrec_tools.formats.options import ReadOptions

BOX = [30.0, 20.0, 70.0, 60.0]
CORNERS, CORNER_AND_SIZE, CENTRE_AND_SIZE = "30,20,70,60", "30,20,40,40", "50,40,40,40"


def csv_file(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read_csv(tmp_path: Path, *rows: str, options: ReadOptions | None = None) -> Source:
    source = registry.read(csv_file(tmp_path, *rows), "csv", options or ReadOptions())
    assert_balanced(source)
    return source


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        ("x,y,width,height", CORNER_AND_SIZE),
        ("x,y,w,h", CORNER_AND_SIZE),
        ("bbox_x,bbox_y,bbox_w,bbox_h", CORNER_AND_SIZE),
        ("Box X,Box Y,Box Width,Box Height", CORNER_AND_SIZE),
        ("xmin,ymin,width,height", CORNER_AND_SIZE),
        ("left,top,w,h", CORNER_AND_SIZE),
        ("x_min,y_min,bbox_width,bbox_height", CORNER_AND_SIZE),
        ("cx,cy,w,h", CENTRE_AND_SIZE),
        ("x_center,y_center,width,height", CENTRE_AND_SIZE),
        ("xc,yc,bw,bh", CENTRE_AND_SIZE),
        ("center_x,center_y,w,h", CENTRE_AND_SIZE),
        ("x0,y0,x1,y1", CORNERS),
        ("xtl,ytl,xbr,ybr", CORNERS),
        ("bbox_x1,bbox_y1,bbox_x2,bbox_y2", CORNERS),
    ],
)
@pytest.mark.parametrize("sizes", ["", ",image_width,image_height"])
def test_columns_by_their_names(tmp_path: Path, header: str, numbers: str, sizes: str) -> None:
    source = read_csv(
        tmp_path, f"image_id,class,{header}{sizes}", f"a,cat,{numbers}{',100,80' if sizes else ''}"
    )
    assert boxes_by_file(source) == {"a": (("cat",), [BOX])}
    (record,) = source.records
    assert (record.width, record.height) == ((100, 80) if sizes else (0, 0))


@pytest.mark.parametrize(
    ("columns", "numbers", "box_format"),
    [
        ("cx=a,cy=b,w=c,h=d", CENTRE_AND_SIZE, None),
        ("x=a,y=b,width=c,height=d", CORNER_AND_SIZE, None),
        ("x=a,y=b,w=c,h=d", CENTRE_AND_SIZE, "cxcywh"),
        ("xmin=2,ymin=b,w=c,h=5", CORNER_AND_SIZE, "xywh"),
        ("xmin=a,ymin=b,xmax=c,ymax=d", CORNERS, "xyxy"),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_columns_as_the_user_says(
    tmp_path: Path, columns: str, numbers: str, box_format: str | None, header: bool
) -> None:
    pairs = dict(word.split("=") for word in f"filename=f,class=k,{columns}".split(","))
    rows = ["f,k,a,b,c,d,x,width", f"a.jpg,cat,{numbers},9,10"]
    if not header:
        rows = rows[1:]
        pairs = {name: str("fkabcd".find(at)) if at in "fkabcd" else at for name, at in pairs.items()}
    options = ReadOptions(columns=tuple(pairs.items()), box_format=box_format)
    assert boxes_by_file(read_csv(tmp_path, *rows, options=options)) == {"a.jpg": (("cat",), [BOX])}


@pytest.mark.parametrize(
    ("header", "box_format", "reason"),
    [
        ("x,y,w,h", "xyxy", "its boxes are xywh or cxcywh by their columns .*not --box-format xyxy"),
        ("cx,cy,w,h", "xywh", "its boxes are cxcywh by their columns"),
        ("xmin,ymin,w,h", "cxcywh", "its boxes are xywh by their columns"),
        ("xmin,ymin,xmax,ymax", "xywh", "its boxes are xyxy by their columns"),
    ],
)
def test_a_box_format_that_the_header_denies(
    tmp_path: Path, header: str, box_format: str, reason: str
) -> None:
    with pytest.raises(InputError, match=f"a.csv: line 1: {reason}"):
        read_csv(tmp_path, f"f,class,{header}".replace("f,", "file,", 1), "a,cat,1,2,3,4",
                 options=ReadOptions(box_format=box_format))  # fmt: skip


def test_fractions_of_a_point_and_a_size_are_a_corner_or_a_centre(tmp_path: Path) -> None:
    rows = ("filename,class,x,y,w,h", "a.jpg,cat,.5,.5,.4,.5")
    with pytest.raises(InputError, match="corner or the centre of a box; say --box-format xywh or cxcywh"):
        read_csv(tmp_path, *rows)
    for box_format, box in (("xywh", [0.5, 0.5, 0.9, 1.0]), ("cxcywh", [0.3, 0.25, 0.7, 0.75])):
        (record,) = read_csv(tmp_path, *rows, options=ReadOptions(box_format=box_format)).records
        assert record.relative
        np.testing.assert_allclose(record.boxes_xyxy, [box])
    named = read_csv(tmp_path, "filename,class,x_center,y_center,width,height", rows[1])
    np.testing.assert_allclose(named.records[0].boxes_xyxy, [[0.3, 0.25, 0.7, 0.75]])


@pytest.mark.parametrize(
    ("numbers", "is_clear"),
    [
        ((CORNER_AND_SIZE, "60,40,40,40"), True),
        ((CENTRE_AND_SIZE, "90,60,20,40"), False),
        ((CENTRE_AND_SIZE, "90,60,20,40", "0,0,9,9"), True),
        ((CENTRE_AND_SIZE, "60.5,40.5,40,40"), True),  # over by less than a pixel
        ((CENTRE_AND_SIZE, "90,60,30,50"), True),  # over in both meanings
    ],
)
def test_pixels_that_fit_as_centres_alone(tmp_path: Path, numbers: tuple[str, ...], is_clear: bool) -> None:
    header = "file,class,x,y,w,h,width,height"
    rows = [f"a.jpg,cat,{box},100,80" for box in numbers]
    if is_clear:
        assert len(read_csv(tmp_path, header, *rows).records[0].names) == len(rows)
        return
    with pytest.raises(InputError, match=r"of 1 box x, y can only be the centre, .*, of 0 only"):
        read_csv(tmp_path, header, *rows)
    for box_format in ("xywh", "cxcywh"):
        assert read_csv(tmp_path, header, *rows, options=ReadOptions(box_format=box_format)).records


TURNED, AROUND = "10,20,31,22,30,40,9,38", [9.0, 20.0, 31.0, 40.0]
UPRIGHT, SAME = "30,20,70,20,70,60,30,60", BOX


@pytest.mark.parametrize(
    "header",
    [
        ",".join(f"x{i},y{i}" for i in range(1, 5)),
        ",".join(f"x{i},y{i}" for i in range(4)),
        ",".join(f"BBox X_{i},BBox Y_{i}" for i in range(1, 5)),
        "xtl,ytl,xtr,ytr,xbr,ybr,xbl,ybl",
    ],
)
@pytest.mark.parametrize("columns", [slice(None), slice(None, None, -1)])
def test_four_corners_have_the_box_around_them(tmp_path: Path, header: str, columns: slice) -> None:
    def row(texts: str) -> str:
        return ",".join(texts.split(",")[columns])

    rows = [row(text) for text in (UPRIGHT, TURNED, TURNED, TURNED, ",,,,,,,", "1,2,3,4,5,6,7,")]
    names = ["a", "b", "a", "a", "c", "b"]
    lines = [f"{name},{'cat' if name != 'c' else ''},{text}" for name, text in zip(names, rows, strict=True)]
    source = read_csv(tmp_path, f"file,class,{row(header)}", *lines)
    boxes = {"a": (("cat",) * 3, [SAME, AROUND, AROUND]), "b": (("cat",), [AROUND]), "c": ((), [])}
    assert boxes_by_file(source) == boxes
    *turned, missing = source.issues
    assert (missing.code, missing.message) == ("box-missing", "line 7: cat has no y4")
    assert [(issue.code, issue.source, issue.box, issue.message) for issue in turned] == [
        ("box-derived", "a.csv line 3", 0, "line 3: cat: the box around its four corners"),
        ("box-derived", "a.csv line 2", 1, "line 4: cat: the box around its four corners"),
        ("box-derived", "a.csv line 2", 2, "line 5: cat: the box around its four corners"),
    ]


@pytest.mark.parametrize(
    ("own", "numbers"),
    [
        ("xmin,ymin,xmax,ymax", CORNERS),
        ("x,y,w,h", CORNER_AND_SIZE),
        ("cx,cy,w,h", CENTRE_AND_SIZE),
        ("bbox_x1,bbox_y1,bbox_x2,bbox_y2", CORNERS),
    ],
)
@pytest.mark.parametrize("points", [3, 4, 5])
def test_a_box_of_its_own_beside_points(tmp_path: Path, own: str, numbers: str, points: int) -> None:
    header = ",".join(f"x{i},y{i}" for i in range(1, points + 1))
    values = ",".join("1234567890"[: 2 * points])
    source = read_csv(tmp_path, f"file,class,{header},{own}", f"a,cat,{values},{numbers}")
    assert boxes_by_file(source) == {"a": (("cat",), [BOX])}
    assert {issue.code for issue in source.issues} == {"annotation-unread"}


@pytest.mark.parametrize("points", [3, 5, 8])
@pytest.mark.parametrize("first", [0, 1])
def test_points_that_may_be_a_shape_or_a_box_and_more(tmp_path: Path, points: int, first: int) -> None:
    header = ",".join(f"x{i},y{i}" for i in range(first, first + points))
    rows = (f"file,class,{header}", f"a,cat,{','.join([CORNERS, *['9'] * (2 * points - 4)])}")
    told = f"xmin=x{first},ymin=y{first},xmax=x{first + 1},ymax=y{first + 1}"
    with pytest.raises(InputError, match=f"may be the points of a shape, or .* say --columns {told}$"):
        read_csv(tmp_path, *rows)
    options = ReadOptions(columns=tuple((word[:4], word[5:]) for word in told.split(",")))
    assert boxes_by_file(read_csv(tmp_path, *rows, options=options)) == {"a": (("cat",), [BOX])}


def test_four_corners_without_header(tmp_path: Path) -> None:
    names = ("filename", "class", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
    options = ReadOptions(columns=tuple((name, str(at)) for at, name in enumerate(names)))
    source = read_csv(tmp_path, f"a,cat,{TURNED}", f"b,cat,{UPRIGHT}", options=options)
    assert boxes_by_file(source) == {"a": (("cat",), [AROUND]), "b": (("cat",), [SAME])}
    with pytest.raises(
        InputError, match=r"its boxes are four corners by their columns .*not --box-format xyxy"
    ):
        read_csv(tmp_path, f"a,cat,{TURNED}", options=replace(options, box_format="xyxy"))


@pytest.mark.parametrize(
    ("header", "numbers"),
    [("x,y,w,h", CORNER_AND_SIZE), ("cx,cy,w,h", CENTRE_AND_SIZE), ("xmin,ymin,w,h", CORNER_AND_SIZE),
     ("bbox_xywh", CORNER_AND_SIZE.replace(",", " "))],
)  # fmt: skip
@pytest.mark.parametrize("angle", ["angle", "Theta", "rotation", "bbox_rotation"])
def test_turned_boxes_are_refused(tmp_path: Path, header: str, numbers: str, angle: str) -> None:
    rows = [
        f"file,class,{header},{angle}",
        *(f"a,cat,{numbers},{text}" for text in ("0", "", "-0.00", "nan")),
    ]
    boxes = {"a": (("cat",) * 4, [BOX] * 4)}
    assert boxes_by_file(read_csv(tmp_path, *rows)) == boxes
    told = ReadOptions(columns=(("angle", "none"),))
    for text in ("30", "-0.5", "1e-1", "90 deg"):
        turned = [*rows[:3], f"a,cat,{numbers},{text}", rows[4]]
        with pytest.raises(
            InputError, match=rf"line 4: the angle of a box is '{text}'.* --columns angle=none"
        ):
            read_csv(tmp_path, *turned)
        assert boxes_by_file(read_csv(tmp_path, *turned, options=told)) == boxes


@pytest.mark.parametrize(
    "cell",
    [
        "{'x': 30, 'y': 20, 'width': 40, 'height': 40, 'rotation': %s}",
        "{'cx': 50, 'cy': 40, 'w': 40, 'h': 40, 'angle': %s}",
    ],
)
def test_a_cell_with_an_angle(tmp_path: Path, cell: str) -> None:
    rows = (
        "file,class,annotations",
        *(f'{name},cat,"{cell % angle}"' for name, angle in (("a", 0), ("b", 1))),
    )
    source = read_csv(tmp_path, *rows)
    assert boxes_by_file(source) == {"a": (("cat",), [BOX]), "b": ((), [])}
    assert [issue.message for issue in source.issues] == [
        "line 3: cat: is turned by 1, expected an upright box"
    ]


@pytest.mark.parametrize(
    "cell",
    ['"[30.0, 20.0, 40.0, 40.0]"', '"(30,20,40,40)"', '"{30, 20, 40, 40}"', "30 20 40 40", "30;20;40;40",
     "[30. 20. 40. 40.]", '"[[30, 20, 40, 40]]"', '" 30,20 , 40,40 "', '"30|20|40|40"'],
)  # fmt: skip
def test_a_cell_of_a_box(tmp_path: Path, cell: str) -> None:
    rows = ("image_id,width,height,bbox,source", f"b6ab77fd7,100,80,{cell},usask_1")
    with pytest.raises(InputError, match=r"no column class; .*--class-names"):
        read_csv(tmp_path, *rows)
    with pytest.raises(InputError, match=r"line 2: nothing says what the numbers .*--box-format xywh"):
        read_csv(tmp_path, *rows, options=ReadOptions(class_names=("wheat",)))
    for box_format, box in (("xywh", BOX), ("xyxy", [30, 20, 40, 40]), ("cxcywh", [10, 0, 50, 40])):
        options = ReadOptions(class_names=("wheat",), box_format=box_format)
        source = read_csv(tmp_path, *rows, options=options)
        assert boxes_by_file(source) == {"b6ab77fd7": (("wheat",), [box])}
        assert (source.records[0].width, source.records[0].height) == (100, 80)


@pytest.mark.parametrize(
    "cell",
    ['"[[30, 20, 40, 40], [1, 2, 3, 4]]"', '"30 20 40 40;1 2 3 4"', '"[30 20 40 40] [1 2 3 4]"',
     '"{30,20,40,40},{1,2,3,4}"', '"[[30 20 40 40]\n [1 2 3 4]]"', '"((30, 20, 40, 40), (1, 2, 3, 4))"'],
)  # fmt: skip
@pytest.mark.parametrize("label", ["cat", "\"['cat', 'dog']\"", '"[cat,dog]"'])
def test_a_cell_of_several_boxes(tmp_path: Path, cell: str, label: str) -> None:
    rows = ("filename,label,bboxes_xywh,IsOccluded", f"a.jpg,{label},{cell},1", "b.jpg,cat,1 1 2 2,0")
    source = read_csv(tmp_path, *rows)
    names = ("cat", "cat" if label == "cat" else "dog")
    assert boxes_by_file(source)["a.jpg"] == (names, [BOX, [1, 2, 4, 6]])
    assert [record.occluded.tolist() for record in source.records] == [[True, True], [False]]
    assert source.account.found == 3


@pytest.mark.parametrize(
    "cell",
    ["{'x': 30, 'y': 20, 'width': 40, 'height': 40}", "{'xmin': 30, 'ymin': 20, 'xmax': 70, 'ymax': 60}",
     "{'left': 30, 'top': 20, 'width': 40.0, 'height': 40}", "{'cx': 50, 'cy': 40, 'w': 40, 'h': 40}"],
)  # fmt: skip
@pytest.mark.parametrize("quote", ["'", '""'])
def test_a_cell_that_names_its_numbers(tmp_path: Path, cell: str, quote: str) -> None:
    cells = [f"[{cell}, {cell}]", cell, "[]", f"[{cell}]"]
    rows = [f'{image}.jpg,"{text}"'.replace("'", quote) for image, text in zip("abcd", cells, strict=True)]
    options = ReadOptions(class_names=("starfish",))
    source = read_csv(tmp_path, "image_id,annotations", *rows, options=options)
    assert {record.filename: record.boxes_xyxy.tolist() for record in source.records} == {
        "a.jpg": [BOX, BOX], "b.jpg": [BOX], "c.jpg": [], "d.jpg": [BOX],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("b.jpg,dog,1 2 3", "annotation-unread", "line 3: dog: 3 values (1 2 3) where a box has 4 numbers"),
        ("b.jpg,dog,1 2 3 4 5 6 7 8", "annotation-unread", "line 3: dog: 8 values"),
        ("b.jpg,dog,1 2 3 x", "annotation-unread", "line 3: dog: '1 2 3 x' where 4 numbers are expected"),
        ("b.jpg,dog,[[1 2 3 4] [5 6 7]]", "annotation-unread", "line 3: dog: 3 values"),
        ("b.jpg,dog,\"{'x': 1, 'y': 2}\"", "annotation-unread", "line 3: dog: \"{'x': 1, 'y': 2}\" where"),
        ("b.jpg,dog,a:b:c", "annotation-unread", "line 3: dog: 'a:b:c' where boxes are expected"),
        ("b.jpg,dog," + "[" * 9000 + ":", "annotation-unread", "line 3: dog: '[[[["),
        ('b.jpg,"[dog,cat,cow]",[1 2 3 4] [1 2 3 4]', "annotation-unread", "line 3: [dog,cat,cow]: its"),
        ("b.jpg,dog,", "box-missing", "line 3: dog has no bbox"),
        ("b.jpg,dog,nan", "box-missing", "line 3: dog has no bbox"),
        ("b.jpg,dog,nan nan nan nan", "box-missing", "line 3: dog has no bbox"),
        ("b.jpg,,1 2 3 4", "class-unknown", "class is empty"),
        (",dog,1 2 3 4;5 6 7 8", "image-unknown", "filename is empty"),
    ],
)
def test_odd_cells(tmp_path: Path, row: str, code: str, words: str) -> None:
    rows = ("file,class,bbox", "a.jpg,cat,30 20 40 40", row, "c.jpg,cat,[]", "d.jpg,,", "e.jpg,cat,no_box")
    source = read_csv(tmp_path, *rows, options=ReadOptions(box_format="xywh"))
    assert {issue.code for issue in source.issues} == {code}
    assert source.issues[0].message.startswith(words)
    assert source.account.dropped == {code: len(source.issues)}
    negatives = [record.filename for record in source.records if not record.names]
    assert [name for name in negatives if name != "b.jpg"] == ["c.jpg", "d.jpg", "e.jpg"]


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("['cat, big', 'dog']", ("cat, big", "dog")),
        ("['cat' 'dog']", ("cat", "dog")),
        ("[\"dog's\", 'cat']", ("dog's", "cat")),
        ("[ cat , dog ]", ("cat", "dog")),
        ("['cat', dog]", None),
        ("['cat', 'dog']]", None),
        ("['cat', 'dog', 'cow']", None),
    ],
)
def test_lists_of_classes(tmp_path: Path, label: str, names: tuple[str, ...] | None) -> None:
    cell = label.replace('"', '""')
    rows = ("file;label;bbox", f'a.jpg;"{cell}";1 2 3 4|5 6 7 8')
    source = read_csv(tmp_path, *rows, options=ReadOptions(box_format="xyxy"))
    assert source.records[0].names == (names or ())
    assert [issue.code for issue in source.issues] == ([] if names else ["annotation-unread"] * 2)


def test_cells_without_header(tmp_path: Path) -> None:
    columns = (("filename", "0"), ("bbox", "1"))
    options = ReadOptions(columns=columns, box_format="xywh", class_names=("cat",))
    source = read_csv(tmp_path, "a.jpg,30 20 40 40", "b.jpg,[]", options=options)
    assert boxes_by_file(source) == {"a.jpg": (("cat",), [BOX]), "b.jpg": ((), [])}


def test_eight_numbers_in_each_cell_are_no_two_boxes(tmp_path: Path) -> None:
    rows = ("file,class,bbox", "a.jpg,cat,1 2 3 4 5 6 7 8", "b.jpg,cat,1 2 3 4 5 6 7 8")
    source = read_csv(tmp_path, *rows, options=ReadOptions(box_format="xywh"))
    assert [issue.code for issue in source.issues] == ["annotation-unread"] * 2


def test_without_a_column_of_classes(tmp_path: Path) -> None:
    """As Kaggle's pneumonia challenge has it: rows without a box are images without objects."""
    rows = ("patientId,x,y,width,height,Target", "a,,,,,0", "b,30.0,20.0,40.0,40.0,1", "b,1,2,3,4,1")
    source = read_csv(tmp_path, *rows, options=ReadOptions(class_names=("opacity",)))
    assert boxes_by_file(source) == {"a": ((), []), "b": (("opacity",) * 2, [BOX, [1, 2, 4, 6]])}
    assert source.account.found == 2
    with pytest.raises(InputError, match=r"has a column of classes .* expected none with --class-names c"):
        read_csv(tmp_path, "file,label,x,y,w,h", "a,b,1,2,3,4", options=ReadOptions(class_names=("c",)))


@pytest.mark.parametrize("header", ["id,boxes,label", "id,boxes,name,class"])
def test_a_column_that_is_not_the_class_though_it_is_called_so(tmp_path: Path, header: str) -> None:
    """As Kaggle's SIIM-COVID has it."""
    rows = [
        header,
        """a,"[{'x': 30, 'y': 20, 'width': 40, 'height': 40}]",opacity 1 30 20 70 60""",
        "b,,none 1 0 0 1 1",
    ]
    names, columns = ("opacity",), (("filename", "id"),)
    with pytest.raises(InputError, match=r"has a column of classes \('\w+'\), .* say --columns class=none"):
        read_csv(tmp_path, *rows, options=ReadOptions(class_names=names, columns=columns))
    without = (*columns, ("class", "none"))
    source = read_csv(tmp_path, *rows, options=ReadOptions(class_names=names, columns=without))
    assert boxes_by_file(source) == {"a": (names, [BOX]), "b": ((), [])}
    with pytest.raises(InputError, match=r"no column class; .* say --class-names NAME"):
        read_csv(tmp_path, *rows, options=ReadOptions(columns=without))


@pytest.mark.parametrize("header", [True, False])
def test_what_no_column_is(tmp_path: Path, header: bool) -> None:
    rows = ["file,x1,y1,x2,y2,class,split", "a.jpg,30,20,70,60,7,val"][not header :]
    columns = {"class": "none", "split": "none"}
    if not header:
        columns |= {name: str(at) for at, name in enumerate(("filename", "xmin", "ymin", "xmax", "ymax"))}
    options = ReadOptions(columns=tuple(columns.items()), class_names=("cat",))
    source = read_csv(tmp_path, *rows, options=options)
    assert boxes_by_file(source) == {"a.jpg": (("cat",), [BOX])}
    assert source.records[0].split is None


def test_blocks_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        "image,label,bbox",
        *(f'{i % 3}.jpg,c{i % 2},"[[{i}, 1, 2, 3],\n [4, 5, 6, 7]]"' for i in range(9)),
    ]
    options = ReadOptions(box_format="xywh")
    whole = read_csv(tmp_path, *rows, options=options)
    monkeypatch.setattr(csv_parts, "_BLOCK_BYTES", 50)
    path = tmp_path / "a.csv"
    read = [csv_parts.read(path, block) for block in csv_parts.blocks(path, options)]
    assert len(read) > 3
    for record in whole.records:
        parts = [chunk.parts[record.filename] for chunk in read if record.filename in chunk.parts]
        _, joined, _ = csv_parts.joined(path, record.filename, parts, False)
        assert (joined.names, joined.boxes_xyxy.tolist()) == (record.names, record.boxes_xyxy.tolist())


def test_blocks_number_the_boxes_around_corners_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "file,class,x1,y1,x2,y2,x3,y3,x4,y4"
    rows = [f"{i % 2}.jpg,c,{TURNED if i % 3 else UPRIGHT}" for i in range(9)]
    whole = read_csv(tmp_path, header, *rows)
    monkeypatch.setattr(csv_parts, "_BLOCK_BYTES", 50)
    path = tmp_path / "a.csv"
    read = [csv_parts.read(path, block) for block in csv_parts.blocks(path, ReadOptions())]
    issues = []
    for record in whole.records:
        parts = [chunk.parts[record.filename] for chunk in read if record.filename in chunk.parts]
        issues += csv_parts.joined(path, record.filename, parts, False)[2]
    assert len(issues) == 6
    assert [issue for _, issue in sorted(issues, key=lambda pair: pair[0])] == list(whole.issues)

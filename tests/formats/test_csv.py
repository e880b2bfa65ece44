"""CSV of any make: columns, numbers, negatives, and rows that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.small_sets import csv
from tests.helpers.sources import assert_balanced, boxes_by_file
from tfrec_tools.annotations.accounts import Account
from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import InputError
from tfrec_tools.formats import csv_parts, registry
from tfrec_tools.formats.csv_columns import COLUMNS
from tfrec_tools.formats.options import ReadOptions


def read_csv(path: Path) -> Source:
    return registry.read(path, "csv")


HEADER = ",".join(COLUMNS)


def csv_of(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_csv_columns_in_any_order_and_others(tmp_path: Path) -> None:
    path = csv_of(
        tmp_path, "9,cat,a.jpg,1,2,3,4,60,40", header="x,class , filename,xmin,ymin,xmax,ymax,width,height"
    )
    assert boxes_by_file(read_csv(path)) == {"a.jpg": (("cat",), [[1, 2, 3, 4]])}


def test_csv_numbers_are_pythons_and_names_are_text(tmp_path: Path) -> None:
    numbers = ["0.1", "457.14", "3.0000000000000004", "1e2"]
    path = csv_of(tmp_path, f"007,60,40,NA,{','.join(numbers)}", "a.jpg,60,40,1,inf,nan,3,4", "", "")
    first, second = read_csv(path).records
    assert first.boxes_xyxy.tolist() == [list(map(float, numbers))]
    assert (first.filename, first.names, second.names) == ("007", ("NA",), ("1",))
    np.testing.assert_array_equal(second.boxes_xyxy, [[np.inf, np.nan, 3, 4]])


def test_csv_numbers_are_those_of_python_to_the_bit(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    floats = draw.integers(0, 1 << 62, (300, 4)).view(np.float64)
    texts = [*map(repr, floats[:200].ravel().tolist()), *(f"{n:.25g}" for n in floats[200:].ravel().tolist())]
    texts += ["1e400", "5e-324", "2.4703282292062328e-324", "0.1", "+3", "-0", "007", "1."]
    rows = [f"a.jpg,9,9,c,{','.join(texts[i : i + 4])}" for i in range(0, len(texts), 4)]
    (record,) = read_csv(csv_of(tmp_path, *rows)).records
    assert record.boxes_xyxy.ravel().tolist() == [float(text) for text in texts]
    rows[7] = rows[7].rpartition(",")[0] + ", 1_0 "  # which only Python reads, and so all are read by it
    (again,) = read_csv(csv_of(tmp_path, *rows)).records
    assert again.boxes_xyxy[7, 3] == 10
    assert again.boxes_xyxy[:, :3].tolist() == record.boxes_xyxy[:, :3].tolist()


def test_csv_negatives_missing_sizes_and_missing_names(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "a.jpg,60,40,,,,,", "b.jpg,,,cat,1,2,3,4", "", "c.jpg,60,40,,1,2,3,4")
    source = read_csv(path)
    assert [(record.filename, record.width, record.names) for record in source.records] == [
        ("a.jpg", 60, ()),
        ("b.jpg", 0, ("cat",)),
        ("c.jpg", 60, ()),
    ]
    assert [(issue.code, issue.source) for issue in source.issues] == [("class-unknown", "labels.csv line 5")]


def test_csv_rows_of_an_image_need_not_be_together(tmp_path: Path) -> None:
    path = csv_of(tmp_path, "a.jpg,9,9,x,1,1,2,2", "b.jpg,9,9,y,1,1,2,2", "a.jpg,9,9,z,1,1,2,2")
    assert [record.names for record in read_csv(path).records] == [("x", "z"), ("y",)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "", "is empty, expected a header filename,width"),
        (
            lambda text: text.replace("xmin", "west"),
            "line 1: no column xmin; found filename, width, .*, west, ymin",
        ),
        (
            lambda text: text.replace("\n", ",9\n").replace(",9", "", 1),
            "line 1: the header has fewer columns than the rows",
        ),
        (lambda text: text.replace("3.5", "3;5"), "line 4: xmin is '3;5', expected a number"),
        (lambda text: text.replace("70,90", "wide,90"), "line 4: width is 'wide'"),
        (lambda text: text.replace("3.5", "3,5"), "cannot be read as CSV in UTF-8 .*line 4"),
        (lambda text: text.replace("a.png", '"a.png'), "cannot be read as CSV in UTF-8"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path: Path, change: Callable[[str], str], reason: str) -> None:
    path = csv(tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=f"labels.csv: {reason}"):
        read_csv(path)


def test_csv_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(b"filename,\xff\xfe\n1,2\n")
    with pytest.raises(InputError, match=r"cannot be read as CSV in UTF-8"):
        read_csv(path)


def csv_file(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("filename,cell_type,xmin,xmax,ymin,ymax", "a.jpg,WBC,1,3,2,4"),
        ("image_path;x1;y1;x2;y2;label", "a.jpg;1,0;2,0;3,0;4,0;WBC"),
        ("Image\tLeft\tTop\tRight\tBottom\tClass Name", "a.jpg\t1\t2\t3\t4\tWBC"),
        ("a.jpg,1,2,3,4,WBC", "a.jpg,1,2,3,4,WBC"),
        ('"filename","class","xmin","ymin","xmax","ymax"', '"a.jpg","WBC","1,0",2,3,"4"'),
    ],
)
def test_csv_of_other_makes(tmp_path: Path, header: str, row: str) -> None:
    (record,) = registry.read(csv_file(tmp_path, header, row)).records
    assert (record.filename, set(record.names)) == ("a.jpg", {"WBC"})
    assert record.boxes_xyxy[0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("header", "row", "name", "number"),
    [
        ("filename,class,xmin,ymin,xmax,ymax,class", "a.jpg,WBC,1,2,3,4,RBC", "class", 1),
        ("filename,Class,xmin,ymin,xmax,ymax, class ", "a.jpg,RBC,1,2,3,4,WBC", "class", 6),
        ("filename,class,xmin,ymin,xmax,ymax,x_min", "a.jpg,WBC,1,2,3,4,7", "xmin", 2),
        ("filename,filename,class,xmin,ymin,xmax,ymax", "b.jpg,a.jpg,WBC,1,2,3,4", "filename", 1),
    ],
)
def test_csv_two_columns_of_one_name(tmp_path: Path, header: str, row: str, name: str, number: int) -> None:
    path = csv_file(tmp_path, header, row)
    with pytest.raises(
        InputError, match=rf"line 1: columns \d and \d .*say --columns {name}=\d or the other"
    ):
        registry.read(path)
    (record,) = registry.read(path, options=ReadOptions(columns=((name, str(number)),))).records
    assert (record.filename, record.names) == ("a.jpg", ("WBC",))
    assert record.boxes_xyxy[0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("other", ["name", "Class Name", "label", "category_name"])
def test_csv_two_columns_that_may_be_the_class(tmp_path: Path, other: str) -> None:
    path = csv_file(
        tmp_path, f"image,xmin,ymin,xmax,ymax,confidence,class,{other}", "a.jpg,1,2,3,4,0.9,0,cat"
    )
    assert registry.detect(tmp_path) == "csv"
    with pytest.raises(
        InputError, match=rf"'class' and '{other}' .* --columns class=class or .* class={other}"
    ):
        registry.read(path)
    for column, name in (("class", "0"), (other, "cat")):
        (record,) = registry.read(path, options=ReadOptions(columns=(("class", column),))).records
        assert record.names == (name,)


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize("number", ["1,000", "-12,345", "999,999"])
def test_csv_a_comma_before_three_digits(tmp_path: Path, column: int, number: str) -> None:
    cells = [number if i == column else "7" for i in range(6)]
    header = "filename;class;xmin;ymin;xmax;ymax;width;height"
    with pytest.raises(InputError, match=rf"line 2: \w+ is '{number}', expected .* as it may be either"):
        registry.read(csv_file(tmp_path, header, ";".join(["a.jpg", "cat", *cells])))
    cells[0 if column in (1, 2, 3) else 1 if column == 0 else 9 - column] = "0,5"
    if number[0] != "-":
        (record,) = registry.read(csv_file(tmp_path, header, ";".join(["a.jpg", "cat", *cells]))).records
        assert [*record.boxes_xyxy[0], record.width, record.height] == [
            int(value) if i > 3 else value
            for i, value in enumerate(float(cell.replace(",", ".")) for cell in cells)
        ]


def test_csv_rows_that_state_other_sizes(tmp_path: Path) -> None:
    rows = ["a.jpg,60,40,x,1,1,2,2", "b.jpg,,,y,1,1,2,2", "a.jpg,,,y,1,1,2,2", "a.jpg,120,80,z,1,1,2,2"]
    rows += ["a.jpg,30,20,z,1,1,2,2", "b.jpg,60,40,y,1,1,2,2"]
    source = read_csv(csv_of(tmp_path, *rows))
    assert [(issue.code, issue.source, issue.message) for issue in source.issues] == [
        ("size-mismatch", "labels.csv line 2", "line 5 states 120 x 80 where earlier ones state 60 x 40")
    ]
    assert [(record.width, record.height) for record in source.records] == [(60, 40), (60, 40)]
    assert_balanced(source)
    fractions = [row.replace("1,1,2,2", "0.1,0.1,0.2,0.2") for row in rows]
    assert not read_csv(csv_of(tmp_path, *fractions)).issues


def test_csv_open_images(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf",
        "0001eeaf,x,/m/01,1,0.25,0.5,0,1,1,0,-1",
        "0001eeaf,x,/m/02,1,0.5,1,0.5,1,0,1,1",
    )
    (record,) = registry.read(path).records
    assert record.relative
    assert record.boxes_xyxy.tolist() == [[0.25, 0, 0.5, 1], [0.5, 0.5, 1, 1]]
    assert record.occluded.tolist() == [True, False]
    assert record.truncated.tolist() == record.group_of.tolist() == [False, True]


FLAGGED = "filename,class,xmin,ymin,xmax,ymax,occluded,truncated,Is_Group_Of,difficult"


@pytest.mark.parametrize("flag", ["occluded", "truncated", "group_of", "difficult"])
@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("1.0", "0.0"),
        ("1.0", ""),
        ("0.35", "0.00"),
        ("2", "-1"),
        ("1", "-1.0"),
        ("Y", "N"),
        ("T", "F"),
        ("TRUE", "False"),
        ("yes", "No"),
        ("1e0", "nan"),
        ("0,5", "NA"),
    ],
)
def test_flags_as_people_write_them(tmp_path: Path, flag: str, yes: str, no: str) -> None:
    at = ["occluded", "truncated", "group_of", "difficult"].index(flag)
    rows = [
        "".join((f"{i}.jpg;cat;1;2;3;4", ";" * (at + 1), text, ";" * (3 - at)))
        for i, text in enumerate((yes, no))
    ]
    source = read_csv(csv_file(tmp_path, FLAGGED.replace(",", ";"), *rows))
    assert [getattr(record, flag).tolist() for record in source.records] == [[True], [False]]
    assert source.issues == ()


@pytest.mark.parametrize("digits", [2, 9, 10, 5000])
def test_csv_a_column_of_any_number_that_is_not_there_is_named(tmp_path: Path, digits: int) -> None:
    path = csv_file(tmp_path, FLAGGED, "a.jpg,cat,1,2,3,4,,,,")
    with pytest.raises(InputError, match=r"no column '9.* for class; found"):
        registry.read(path, options=ReadOptions(columns=(("class", "9" * digits),)))


@pytest.mark.parametrize("word", ["perhaps", "1 of 2", "?", "-"])
def test_a_flag_that_is_not_understood_is_said_and_costs_no_box(tmp_path: Path, word: str) -> None:
    rows = [f"a.jpg,cat,1,2,3,4,{text},,0,0" for text in ("1", word, "0")]
    path = csv_file(tmp_path, FLAGGED, *rows, f".,cat,1,2,3,4,{word},,,", f"b.jpg,,,,,,{word},,,")
    source = read_csv(path)
    assert source.records[0].occluded.tolist() == [True, False, False]
    unread = [(one.source, one.message) for one in source.issues if one.code == "annotation-unread"]
    message = f"line 3: occluded is {word!r}, expected 0 or 1, true or false"
    assert unread == ([] if word == "-" else [("labels.csv line 2", message)])
    assert_balanced(source)


def test_csv_retinanet_with_negatives(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "sub/n.jpg,,,,,", "a.jpg,1,2,3,4,cow", "a.jpg,5,6,7,8,bird", "m.jpg,,,,,")
    records = registry.read(path).records
    assert [(record.filename, record.names, record.source) for record in records] == [
        ("sub/n.jpg", (), "labels.csv line 1"),
        ("a.jpg", ("cow", "bird"), "labels.csv line 2"),
        ("m.jpg", (), "labels.csv line 4"),
    ]


def test_csv_columns_as_told(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "n,what,u,v,w,z,class", "a.jpg,cat,1,2,3,4,no")
    columns = {"filename": "n", "class": "what", "xmin": "u", "ymin": "v", "xmax": "w", "ymax": "5"}
    options = ReadOptions(columns=tuple(columns.items()))
    (record,) = registry.read(path, options=options).records
    assert (record.names, record.boxes_xyxy.tolist()) == (("cat",), [[1, 2, 3, 4]])
    for wrong, reason in (
        ({"xmin": "left"}, "no column 'left' for xmin; found n"),
        ({"west": "u"}, "west is none of"),
    ):
        with pytest.raises(InputError, match=reason):
            registry.read(path, options=ReadOptions(columns=tuple((columns | wrong).items())))


def test_csv_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{i % 3}.jpg,60,40,{'ab'[i % 2]},{i},2,{i + 1},4" for i in range(10)]
    path = csv_file(tmp_path, "filename,width,height,class,xmin,ymin,xmax,ymax", *rows)
    whole = registry.read(path).records
    monkeypatch.setattr("tfrec_tools.formats.csv_tables._ROWS", 4)
    pieces = registry.read(path).records
    assert [(one.filename, one.names, one.boxes_xyxy.tolist(), one.source) for one in pieces] == [
        (one.filename, one.names, one.boxes_xyxy.tolist(), one.source) for one in whole
    ]
    assert pieces[0].boxes_xyxy[:, 0].tolist() == [0, 3, 6, 9]
    path.write_text(path.read_text().replace("9.jpg", "").replace(",8,2", ",x,2"))
    with pytest.raises(InputError, match="line 10: xmin is 'x'"):
        registry.read(path)


NUMBERED = {"filename": "0", "class": "1", "xmin": "2", "ymin": "3", "xmax": "4", "ymax": "5"}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    "first", ["a.jpg,cat,1,2,3,4", "2,cat,1,2,3,4", "a.jpg,,,,,", "a.jpg,cat,1e0,2.,nan,4"]
)
def test_csv_without_header_keeps_its_first_row(tmp_path: Path, first: str, rows: int) -> None:
    others = [f"{i}.jpg,dog,1,2,3,4" for i in range(1, rows)]
    options = ReadOptions(columns=tuple(NUMBERED.items()))
    source = registry.read(csv_file(tmp_path, first, *others), "csv", options)
    assert len(source.records) == rows
    assert source.records[0].filename == first.split(",", maxsplit=1)[0]
    assert source.records[0].names == (("cat",) if "cat" in first else ())
    assert_balanced(source)


@pytest.mark.parametrize("header", ["n,what,u,v,w,z", "0,1,2,3,4,ymax"])
def test_csv_with_header_and_numbers_of_columns(tmp_path: Path, header: str) -> None:
    options = ReadOptions(columns=tuple(NUMBERED.items()))
    (record,) = registry.read(csv_file(tmp_path, header, "a.jpg,cat,1,2,3,4"), "csv", options).records
    assert (record.filename, record.boxes_xyxy.tolist()) == ("a.jpg", [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("filename,width,height,class,x,y", "width and height may be the size of the image or of the box"),
        ("filename,width,height,class,xmin,ymin", "for the box say --columns w=1,h=2"),
        ("filename,class,x,width,y,height", "for the box say --columns w=3,h=5"),
        ("filename,xmin,ymin,xmax,ymax,what", "no column class; .* say --class-names NAME where all"),
        ("a.jpg,cat,3,1,2,3,4", "where that is a row of data and there is no header, say --columns"),
    ],
)
def test_csv_hints_that_lead_to_right_boxes(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_csv(csv_file(tmp_path, header, "a.jpg,cat,1,2,3,4"))
    assert "--columns" in str(caught.value)


def test_csv_a_width_is_no_corner(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "filename,class,x,y,width,height", "a.jpg,cat,1,2,3,4")
    told = {"xmin": "x", "ymin": "y", "xmax": "width", "ymax": "height"}
    with pytest.raises(InputError, match="column 'width' is a size or a centre by its name"):
        registry.read(path, options=ReadOptions(columns=tuple(told.items())))


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize(
    "row",
    ["{},,,,,", "{},nan,nan,NaN,nan,nan", "{},No finding,,,,", "{},no finding,nan,nan,nan,nan",
     "{},,0,0,0,0", "{},No Finding,0,0,0.0,0", "{},none,null,null,NULL,null", "{},N/A,N/A,N/A,N/A,N/A"],
)  # fmt: skip
def test_csv_rows_without_finding_are_negatives(tmp_path: Path, row: str, separator: str) -> None:
    rows = ["filename,class,xmin,ymin,xmax,ymax", row.format("n.jpg"), "a.jpg,cat,1,2,3,4"]
    source = read_csv(csv_file(tmp_path, *(line.replace(",", separator) for line in rows)))
    assert [(record.filename, record.names) for record in source.records] == [
        ("n.jpg", ()),
        ("a.jpg", ("cat",)),
    ]
    assert (source.classes, source.issues) == (("cat",), ())
    assert source.account == Account(1, 1, {}, images=2)


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ("b.jpg,dog,,,,", "box-missing", "line 3: dog has no xmin, ymin, xmax, ymax"),
        ("b.jpg,dog,1,2,,4", "box-missing", "line 3: dog has no xmax"),
        ("b.jpg,dog,nan,nan,nan,nan", "box-missing", "line 3: dog has no xmin, ymin, xmax, ymax"),
        ("b.jpg,dog,1,2,3", "box-missing", "line 3: dog has no ymax"),
        ("b.jpg,,1,2,3,4", "class-unknown", "class is empty"),
        (",dog,1,2,3,4", "image-unknown", "filename is empty"),
        (".,dog,1,2,3,4", "image-unknown", "filename is ., expected that of an image"),
        ("images\\,dog,1,2,3,4", "image-unknown", "filename is images"),
    ],
)
def test_csv_one_odd_row_stops_nothing(tmp_path: Path, row: str, code: str, words: str) -> None:
    rows = ["a.jpg,cat,1,2,3,4", row, "c.jpg,cat,1,2,3,4"]
    source = read_csv(csv_file(tmp_path, "filename,class,xmin,ymin,xmax,ymax", *rows))
    ((found, at, message),) = [(issue.code, issue.source, issue.message) for issue in source.issues]
    assert (found, at) == (code, "labels.csv line 3")
    assert message.startswith(words)
    assert source.classes == ("cat",)
    assert source.account == Account(1, 3, {code: 1}, images=len(source.records))
    assert_balanced(source)


def test_csv_spellings_of_a_path_are_one_image(tmp_path: Path) -> None:
    names = [
        "images/a.jpg",
        "images\\a.jpg",
        "./images/a.jpg",
        ".\\images\\a.jpg",
        "images//a.jpg",
        "images/./a.jpg",
    ]
    rows = [f"{name},cat,{i},2,9,9" for i, name in enumerate(names)]
    (record,) = read_csv(csv_file(tmp_path, "filename,class,xmin,ymin,xmax,ymax", *rows)).records
    assert (record.filename, len(record.names)) == ("images/a.jpg", 6)


FRACTIONS = "a.jpg,cat,.1,.2,.3,.4"
PIXELS = "b.jpg,cat,1,2,30.5,40"


@pytest.mark.parametrize(
    ("rows", "relative"),
    [
        ([FRACTIONS] * 5, True),
        ([FRACTIONS, "a.jpg,cat,0,0,1,1", "a.jpg,cat,.5,.5,1.2,1"], True),
        (["a.jpg,cat,0,0,1,1"], True),
        (["a.jpg,cat,0,0,0,0"], False),
        ([PIXELS, "a.jpg,cat,0,0,1,1"], False),
        ([FRACTIONS] * 10 + ["a.jpg,cat,.1,.1,1.6,.9"], None),
        ([FRACTIONS] + [PIXELS] * 10, None),
        ([FRACTIONS, PIXELS], None),
        ([FRACTIONS] * 199 + ["a.jpg,cat,.1,.1,1.6,.9"], True),
        ([FRACTIONS] + [PIXELS] * 199, False),
        ([FRACTIONS, "a.jpg,cat,nan,inf,-inf,.5"], True),
    ],
)
def test_csv_fractions_and_pixels(tmp_path: Path, rows: list[str], relative: bool | None) -> None:
    path = csv_file(tmp_path, "filename,class,xmin,ymin,xmax,ymax", *rows)
    if relative is None:
        with pytest.raises(
            InputError, match=r"like fractions .* \(line \d+\).* --coordinates fractions or pixels"
        ):
            read_csv(path)
    else:
        assert {record.relative for record in read_csv(path).records} == {relative}
    for told in ("fractions", "pixels"):
        source = registry.read(path, options=ReadOptions(coordinates=told))
        assert {record.relative for record in source.records} == {told == "fractions"}
        assert_balanced(source)


def test_csv_columns_with_shapes_are_named(tmp_path: Path) -> None:
    header = "filename,class,xmin,ymin,xmax,ymax,angle,confidence,x3"
    source = read_csv(csv_file(tmp_path, header, "a.jpg,cat,1,2,3,4,45,.9,7"))
    assert [(issue.code, issue.message) for issue in source.issues] == [
        ("annotation-unread", "line 1: column 'angle' is not read"),
        ("annotation-unread", "line 1: column 'x3' is not read"),
    ]
    assert_balanced(source)


SPLIT_ROWS = ("filename,class,xmin,ymin,xmax,ymax,split", *(f"{name},c,1,1,5,5,{split}" for name, split in (
    ("a.jpg", ""), ("b.jpg", "TRAIN"), ("a.jpg", "Validation"), ("c.jpg", "none of these"),
    ("a.jpg", "val"), ("d.jpg", ""), ("a.jpg", "test"), ("a.jpg", "train"), ("b.jpg", "train"),
)))  # fmt: skip
SPLITS = {"a.jpg": "val", "b.jpg": "train", "c.jpg": "none of these", "d.jpg": None}
CONFLICT = ("split-conflict", "labels.csv line 2", "line 8 puts it into test, an earlier one into val")


def test_a_column_of_splits(tmp_path: Path) -> None:
    source = read_csv(csv_of(tmp_path, *SPLIT_ROWS[1:], header=SPLIT_ROWS[0]))
    assert {record.filename: record.split for record in source.records} == SPLITS
    assert [(issue.code, issue.source, issue.message) for issue in source.issues] == [CONFLICT]
    assert source.account.found == 9
    assert not source.account.dropped


@pytest.mark.parametrize("column", ["Subset", "data_split", "of"])
def test_a_column_of_splits_that_is_called_otherwise(tmp_path: Path, column: str) -> None:
    path = csv_of(tmp_path, *SPLIT_ROWS[1:], header=SPLIT_ROWS[0].replace("split", column))
    options = ReadOptions(columns=(("split", column),)) if column == "of" else ReadOptions()
    assert {record.filename: record.split for record in registry.read(path, "csv", options).records} == SPLITS


@pytest.mark.parametrize("block_bytes", [1, 30, 60, 90, 1000])
def test_blocks_give_the_same_splits_and_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    sizes = ("width,height", ",", ",", "9,9", ",", "9,9", "9,9", "8,9", "7,9", "9,9")
    header, *rows = [f"{row},{size}" for row, size in zip(SPLIT_ROWS, sizes, strict=True)]
    path = csv_of(tmp_path, *rows, header=header)
    whole = read_csv(path)
    monkeypatch.setattr(csv_parts, "_BLOCK_BYTES", block_bytes)
    read = [csv_parts.read(path, block) for block in csv_parts.blocks(path, ReadOptions())]
    found = []
    for record in whole.records:
        parts = [chunk.parts[record.filename] for chunk in read if record.filename in chunk.parts]
        _, joined, issues = csv_parts.joined(path, record.filename, parts, False)
        assert (joined.split, joined.width, joined.height) == (record.split, record.width, record.height)
        found += [issue for _, issue in issues]
    assert found == list(whole.issues)
    assert [issue.code for issue in found] == ["size-mismatch", "split-conflict"]

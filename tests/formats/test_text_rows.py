"""KITTI and DOTA: their rows, their folders, damaged texts, and folders of texts told from one another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.small_sets import save_picture, yolo
from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.annotations.records import Source
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions

BEHIND = "1.65 1.67 3.64 -0.65 1.71 46.70 -1.59"
CAR = f"Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 {BEHIND}"
SHIP = "2753 2408 2861 2385 2888 2468 2805 2502 ship 0"
HEADER = "imagesource:GoogleEarth\ngsd:None\n"


def texts(folder: Path, **rows: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rows.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def read_as(kind: str, folder: Path, options: ReadOptions | None = None) -> Source:
    assert registry.detect(folder) == kind
    source = registry.read(folder, None, options or ReadOptions())
    assert_balanced(source)
    return source


def test_rows_of_kitti(tmp_path: Path) -> None:
    rows = [
        CAR,
        f"Person_sitting 0.3 1 0 1 2 3.5 4 {BEHIND} 0.97",
        f"Car 1 2 0 1 2 3 4 {BEHIND}",
        f"Car 0 3 0 1 2 3 4 {BEHIND}",
        "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10",
    ]
    texts(tmp_path / "training/label_2", **{"000001": "\n".join(rows), "000002": "", "readme": "Hello"})
    texts(tmp_path / "training/calib", **{"000001": "P0: 7.07 0 0\n", "000003": "P0: 7.07 0 0\n"})
    source = read_as("kitti", tmp_path)
    first, empty = source.records
    assert first.names == ("Car", "Person_sitting", "Car", "Car")
    assert first.boxes_xyxy[:2].tolist() == [[587.01, 173.33, 614.12, 200.12], [1, 2, 3.5, 4]]
    assert first.truncated.tolist() == [False, True, True, False]
    assert first.occluded.tolist() == [False, True, True, False]
    assert (empty.names, empty.filename) == ((), "training/image_2/000002")
    assert [(issue.code, issue.message) for issue in source.issues] == [
        ("region-ignored", "line 5: a DontCare region is no object")
    ]
    assert (source.account.files, source.account.found) == (2, 5)


def test_many_calibrations_hide_no_labels(tmp_path: Path) -> None:
    texts(tmp_path / "calib", **{f"{number:06d}": "P0: 7.07 0 0\n" for number in range(120)})
    texts(tmp_path / "label_2", a=CAR)
    assert registry.detect(tmp_path) == "kitti"


def test_rows_of_dota(tmp_path: Path) -> None:
    rows = HEADER + f"{SHIP}\n10.5 10 20 10.0 20 15 10.5 15 large-vehicle 1\n1 2 3 2 3 4 1 4 plane\n"
    texts(tmp_path / "labelTxt", a=rows, b=HEADER, c="")
    source = read_as("dota", tmp_path, ReadOptions(masks=True))
    first = source.records[0]
    assert source.classes == ("large-vehicle", "plane", "ship")
    assert first.boxes_xyxy.tolist() == [[2753, 2385, 2888, 2502], [10.5, 10, 20, 15], [1, 2, 3, 4]]
    assert first.difficult.tolist() == [False, True, False]
    assert json.loads(first.masks[2]) == [[1, 2, 3, 2, 3, 4, 1, 4]]
    assert faults(source) == ["box-derived"] * 3
    assert [record.filename for record in source.records] == ["images/a", "images/b", "images/c"]


@pytest.mark.parametrize(
    ("kind", "sound", "text", "line"),
    [
        ("kitti", CAR, f"{CAR}\nCar 0.00 0 -1.58 587.01", "line 2"),
        ("kitti", CAR, CAR.replace("587.01", "left"), "line 1"),
        ("kitti", CAR, f"{CAR} 1 2", "line 1"),
        ("dota", SHIP, f"{SHIP}\n{SHIP[:20]}", "line 2"),
        ("dota", SHIP, SHIP.replace("2861", "x"), "line 1"),
        ("dota", SHIP, f"gsd:1\n{SHIP} 3", "line 2"),
    ],
)
def test_damaged_rows(tmp_path: Path, kind: str, sound: str, text: str, line: str) -> None:
    texts(tmp_path, a=sound, b=text)
    source = read_as(kind, tmp_path)
    ((code, at, message),) = [
        (issue.code, issue.source, issue.message) for issue in source.issues if issue.code != "box-derived"
    ]
    assert (code, at) == ("annotation-damaged", str(tmp_path / "b.txt"))
    assert message.startswith(f"{line}: '")
    assert [record.filename for record in source.records] == ["a"]


def test_texts_that_cannot_be_read(tmp_path: Path) -> None:
    texts(tmp_path, a=CAR)
    (tmp_path / "b.txt").write_bytes(b"Car \xff\xfe")
    (tmp_path / "c.txt").mkdir()
    source = read_as("kitti", tmp_path)
    assert "byte 4 is not UTF-8" in source.issues[0].message
    with pytest.raises(InputError, match=r"no text has a row of DOTA's"):
        registry.read(tmp_path, "dota")


def test_numbers_that_are_none(tmp_path: Path) -> None:
    texts(tmp_path, a=CAR.replace("587.01", "nan"), b=CAR.replace("614.12", "1e999"))
    source = read_as("kitti", tmp_path)
    assert [len(record.names) for record in source.records] == [1, 1]  # box-not-finite is found by the checks


ROWS = {"kitti": CAR, "dota": SHIP, "yolo": "0 .5 .5 .4 .5"}
PAIRS = [(a, b) for a in ROWS for b in ROWS if a < b]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_folder_that_fits_several_is_refused(tmp_path: Path, first: str, second: str) -> None:
    texts(tmp_path, a=ROWS[first], b=ROWS[second])
    with pytest.raises(InputError, match=rf"holds annotations as .*--format {first} or --format {second}"):
        registry.detect(tmp_path)
    assert registry.detect(texts(tmp_path / "one", a=ROWS[first])) == first


@pytest.mark.parametrize(
    "row", ["0 .1 .1 .2 .1 .2 .2 .1 .2", "2753 .1 .1 .2 .1 .2 .2 .1 .2 0", "0 .5 .5 .4 .5 0.97"]
)
def test_rotated_boxes_of_yolo_are_no_rows_of_dota(tmp_path: Path, row: str) -> None:
    yolo(tmp_path)
    text = next(tmp_path.rglob("labels/**/*.txt"))
    text.write_text(row)
    assert registry.detect(tmp_path) == "yolo"


def test_images_of_one_name_in_two_folders(tmp_path: Path) -> None:
    """Training and testing images of KITTI have the same names."""
    texts(tmp_path / "training/label_2", **{"000001": CAR})
    for part in ("training", "testing"):
        save_picture(tmp_path / part / "image_2/000001.png", 1242, 375)
    result = convert(ConvertOptions(tmp_path, tmp_path / "out/set", workers=1))
    assert (result.manifest.images, result.manifest.boxes) == (1, 1)
    assert registry.images_folder(registry.laid_out(tmp_path / "training/label_2")).name == "image_2"


@pytest.mark.parametrize("head", ["'imagesource':GoogleEarth\n'gsd':0.14\n", '"GSD" : null\n', HEADER])
def test_words_above_dotas_rows_may_stand_in_quotes(tmp_path: Path, head: str) -> None:
    source = read_as("dota", texts(tmp_path / "labelTxt", P0=f"{head}{SHIP}\n"))
    assert source.records[0].names == ("ship",)
    assert [issue.code for issue in source.issues] == ["box-derived"]


ROW = {"kitti": CAR, "dota": SHIP}
PLACE = {"kitti": ("label_2", "image_2"), "dota": ("labelTxt-v1.5", "images")}
SHORT = {"kitti": "Car 0.00 0 1.55 10 20 30 40", "dota": "10 20 30 22 28 40 8 38 small vehicle 0"}
LAYOUTS = [
    ("train/{labels}", "val/{labels}", "val/{images}"),
    ("{labels}/train", "{labels}/DOTA-v1.5_val", "{images}/DOTA-v1.5_val"),
    ("{labels}", "more/labels", "more"),
    ("train", "val", "val"),
    ("labels", "label", "nowhere"),
]


@pytest.mark.parametrize("kind", ROW)
@pytest.mark.parametrize(("train", "val", "images"), LAYOUTS)
def test_a_folder_of_labels_without_a_sound_row(
    tmp_path: Path, kind: str, train: str, val: str, images: str
) -> None:
    train, val, images = (
        place.format(labels=PLACE[kind][0], images=PLACE[kind][1]) for place in (train, val, images)
    )
    texts(tmp_path / train, a=ROW[kind])
    texts(tmp_path / "calib", b="P0: 7.07 0 0 0 0", c="")
    texts(tmp_path, notes="what 1 2 3 4 5", hello="")
    lost = texts(tmp_path / val, b=SHORT[kind], c="", d=HEADER if kind == "dota" else "\n")
    for name in "bcd":
        save_picture(tmp_path / images / f"{name}.png", 60, 40)
    source = read_as(kind, tmp_path)
    damaged = [issue for issue in source.issues if issue.code == "annotation-damaged"]
    assert [issue.source for issue in damaged] == [str(lost / "b.txt")]
    assert sorted((record.source, len(record.names)) for record in source.records) == sorted(
        [(f"{train}/a.txt", 1), (f"{val}/c.txt", 0), (f"{val}/d.txt", 0)]
    )


@pytest.mark.parametrize("kind", ROW)
@pytest.mark.parametrize("name", ["test", "train", "val", "valid", "trainval", "obj", "classes", "ReadMe"])
def test_a_label_may_be_called_as_a_list_is(tmp_path: Path, kind: str, name: str) -> None:
    folder = texts(tmp_path / "labels", a=ROW[kind], **{name: ROW[kind]})
    assert {record.filename for record in read_as(kind, tmp_path).records} == {"images/a", f"images/{name}"}
    texts(folder, **{name: SHORT[kind]})
    assert [*dict.fromkeys(faults(read_as(kind, tmp_path)))][-1] == "annotation-unread"
    save_picture(tmp_path / "images" / f"{name}.png", 60, 40)
    for path in (tmp_path, folder):
        assert "annotation-damaged" in faults(read_as(kind, path))
    texts(folder, **{name: ""})
    assert len(read_as(kind, tmp_path).records) == 2


def test_lists_and_prose_beside_labels_are_none(tmp_path: Path) -> None:
    folder = texts(tmp_path / "labels", a=CAR, classes="Car\nVan\n", test="a\nb 1\n", readme="Hello\n")
    assert read_as("kitti", tmp_path).issues == ()
    texts(folder, readme=f"Rows are like this one:\n{CAR}\n")
    (issue,) = read_as("kitti", tmp_path).issues
    assert (issue.code, issue.source) == ("annotation-unread", "labels/readme.txt")


def test_a_folder_of_another_format_is_left_out_by_format(tmp_path: Path) -> None:
    texts(tmp_path / "label_2", a=CAR)
    texts(tmp_path / "labels", a="0 .5 .5 .4 .5", b="")
    save_picture(tmp_path / "images/a.png", 60, 40)
    source = registry.read(tmp_path, "kitti")
    assert ([record.source for record in source.records], source.issues) == (["label_2/a.txt"], ())

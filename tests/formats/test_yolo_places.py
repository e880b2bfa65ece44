"""Where people keep images and labels of YOLO, and that every row of every text is accounted for."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.places import SHARED
from tests.helpers.small_sets import save_picture
from tests.helpers.sources import faults
from tfrec_tools.annotations.box_checks import check
from tfrec_tools.annotations.records import Source, image_record
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.yolo_places import TextFinder
from tfrec_tools.images import lookup

ROW = "0 .5 .5 .4 .5\n"
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def counted(folder: Path) -> int:
    """Lines with anything in them of all texts: what grep would count."""
    texts = [
        path for path in folder.rglob("*") if path.suffix.lower() == ".txt" and path.name != "classes.txt"
    ]
    data = (text.read_bytes().replace(b"\xef\xbb\xbf", b"") for text in texts)
    return sum(len(re.findall(rb"[^\r\n]*[^ \t\v\f\r\n][^\r\n]*", one)) for one in data)


def plain(folder: Path, *files: str, names: str = "cat\ndog\n") -> Path:
    """A folder with classes.txt, pictures, and texts of one row each."""
    folder.mkdir(exist_ok=True)
    for file in files:
        if file.lower().endswith(".txt"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(ROW)
        else:
            save_picture(folder / file)
    (folder / "classes.txt").write_text(names)
    return folder


def pairs(source: Source) -> dict[str, int]:
    return {record.filename: len(record.names) for record in source.records}


def added_up(source: Source) -> bool:
    assert source.account is not None
    issues = Counter(faults(source))
    boxes = sum(len(record.names) for record in source.records)
    assert all(issues[code] for code in source.account.dropped)
    return source.account.found == boxes + sum(source.account.dropped.values())


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        *[("images", "labels"), ("JPEGImages", "labels"), ("img", "lbl"), ("Images", "Labels")],
        *[("imgs", "LABEL"), ("images", "labelTxt"), ("image_2", "label_2"), ("trainImages", "trainLabels")],
        *[
            ("images_train", "labels_train"),
            ("images/train", "labels/Train"),
            ("train/images", "train/labels"),
        ],
        *[
            ("images/a/b", "labels/a/b"),
            ("images/train", "labels"),
            ("photos", "labels"),
            (".", "labels"),
            (".", "."),
        ],
        *[("data", "labels/data"), ("pics/images", "pics/annotations"), ("pics", "texts")],
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".TXT", ".jpg.txt"])
def test_labels_by_the_conventions_that_exist(tmp_path: Path, images: str, labels: str, suffix: str) -> None:
    if (images, suffix) == ("pics", ".jpg.txt"):
        pytest.skip("no convention at all")
    folder = plain(
        tmp_path, f"{images}/a.jpg", f"{labels}/a{suffix}", f"{images}/b.jpg", f"{labels}/b{suffix}"
    )
    source = registry.read(folder)
    assert pairs(source) == {f"{images}/{name}.jpg".removeprefix("./"): 1 for name in "ab"}
    assert source.issues == ()
    assert added_up(source)
    assert all(record.place for record in source.records)


@pytest.mark.parametrize("flat", [False, True])
def test_labels_of_several_splits(tmp_path: Path, flat: bool) -> None:
    for split, name in (("train", "a"), ("val", "b")):
        save_picture(tmp_path / f"images/{split}/{name}.jpg")
        text = tmp_path / "labels" / ("" if flat else split) / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(ROW)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a]\n")
    source = registry.read(tmp_path)
    assert {record.filename: record.split for record in source.records} == {
        "images/train/a.jpg": "train",
        "images/val/b.jpg": "val",
    }
    assert source.issues == ()


def test_images_without_a_text_are_not_images_without_objects(tmp_path: Path) -> None:
    folder = plain(tmp_path, "images/a.jpg", "labels/a.txt", "images/b.jpg", "images/c.jpg")
    (folder / "labels/c.txt").write_text("")
    source = registry.read(folder)
    assert pairs(source) == {"images/a.jpg": 1, "images/b.jpg": 0, "images/c.jpg": 0}
    (issue,) = source.issues
    assert (issue.code, issue.source) == ("image-unannotated", "images/b.jpg")
    assert issue.source in [record.source for record in source.records]


@pytest.mark.parametrize("images", [".", "images", "images/train", "my_pics"])
def test_a_source_without_any_text_is_refused(tmp_path: Path, images: str) -> None:
    folder = plain(tmp_path, f"{images}/a.jpg", f"{images}/b.jpg")
    with pytest.raises(
        InputError, match=r"classes.txt: none of its 2 images has a text .* looked for a.txt in .*labels"
    ):
        registry.read(folder)


def test_two_images_of_one_text_are_ambiguous(tmp_path: Path) -> None:
    folder = plain(tmp_path, "c.jpg", "c.png", "c.txt", "D.jpg", "d.png", "d.txt")
    source = registry.read(folder)
    assert pairs(source) == {"c": 1, "d.png": 1, "D.jpg": 0}
    places, issues = lookup.places(source.records, folder)
    assert [issue.code for issue in issues] == ["image-ambiguous"]
    assert sum(place is None for place in places) == 1
    assert added_up(source)


def test_texts_of_no_image(tmp_path: Path) -> None:
    folder = plain(tmp_path, "images/a.jpg", "labels/a.txt", "labelTxt/a.txt", "labels/lost.txt")
    (folder / "README.roboflow.txt").write_text("Data set 7\n1 2\n")
    source = registry.read(folder)
    assert pairs(source) == {"images/a.jpg": 1, "lost": 1}
    (issue,) = source.issues
    assert (issue.code, issue.source) == ("annotation-unread", "labelTxt/a.txt")
    assert added_up(source)
    assert source.account is not None
    assert source.account.found == 3


def test_a_list_that_leaves_texts_out(tmp_path: Path) -> None:
    folder = plain(tmp_path, "data/a.jpg", "data/a.txt", "data/b.jpg", "data/b.txt")
    (folder / "train.txt").write_text("C:\\me\\data\\a.jpg\n")
    source = registry.read(folder)
    assert pairs(source) == {"data/a.jpg": 1}
    assert [(issue.code, issue.source) for issue in source.issues] == [("annotation-unread", "data/b.txt")]
    assert added_up(source)


@pytest.mark.parametrize(
    "litter", ["images/._a.jpg", "labels/._a.txt", "labels/.ipynb_checkpoints/a.txt", "__MACOSX/labels/a.txt"]
)
def test_litter_is_counted(tmp_path: Path, litter: str) -> None:
    folder = plain(tmp_path, "images/a.jpg", "labels/a.txt", litter)
    source = registry.read(folder)
    assert (pairs(source), source.issues) == ({"images/a.jpg": 1}, ())
    assert source.account is not None
    assert source.account.litter == 1


@pytest.mark.parametrize(
    "test", ["test/images", "../test/images", "/content/x/test/images", "C:\\x\\test\\images"]
)
def test_a_split_that_is_missing_is_a_warning(tmp_path: Path, test: str) -> None:
    save_picture(tmp_path / "train/images/a.jpg")
    (tmp_path / "train/labels").mkdir()
    (tmp_path / "train/labels/a.txt").write_text(ROW)
    yaml = tmp_path / "data.yaml"
    yaml.write_text(f"train: ../train/images\nval:\ntest: '{test}'\nnames: [a]\n")
    source = registry.read(tmp_path)
    assert pairs(source) == {"train/images/a.jpg": 1}
    (issue,) = source.issues
    assert (issue.code, test in str(issue.message) or repr(test) in issue.message) == ("split-missing", True)
    yaml.write_text(f"test: '{test}'\nnames: [a]\n")
    with pytest.raises(InputError, match=r"data.yaml: there is no .* and so no split of it"):
        registry.read(tmp_path)
    (tmp_path / "test/labels").mkdir(parents=True)
    (tmp_path / "test/labels/b.txt").write_text(ROW)  # labels alone are something
    assert pairs(registry.read(tmp_path)) == {"b": 1}


@pytest.mark.parametrize(
    ("root", "train"),
    [
        ("", "/home/me/set/images/train"),
        ("", "D:\\work\\set\\images\\train"),
        ("path: /home/me/set", "images/train"),
        ("path: ../datasets/set", "images/train"),
        ("path: /home/me/below", "images/train"),
        ("", "/elsewhere/lists/train.txt"),
    ],
)
def test_paths_of_other_machines(tmp_path: Path, root: str, train: str) -> None:
    base = tmp_path / "below" if "below" in root else tmp_path
    save_picture(base / "images/train/a.jpg")
    (base / "labels/train").mkdir(parents=True)
    (base / "labels/train/a.txt").write_text(ROW)
    (base / "train.txt").write_text("/home/me/set/images/train/a.jpg\n")
    (tmp_path / "data.yaml").write_text(f"{root}\ntrain: '{train}'\nnames: [a]\n")
    source = registry.read(tmp_path / "data.yaml")
    assert list(pairs(source).values()) == [1]
    assert [record.place is None for record in source.records] == [False]
    assert source.issues == ()


def test_images_of_the_same_name_keep_their_own_ids(tmp_path: Path) -> None:
    for place in ("set/images", "more/images"):
        save_picture(tmp_path / place / "a.jpg")
        labels = tmp_path / place.replace("images", "labels")
        labels.mkdir()
        (labels / "a.txt").write_text(ROW)
    (tmp_path / "set/data.yaml").write_text("train: [images, ../more/images]\nnames: [a]\n")
    source = registry.read(tmp_path / "set")
    assert len({record.image_id for record in source.records}) == 2
    assert added_up(source)


# What stands in texts: rows, blank lines of every kind, what is no row.
LINES = st.sampled_from(
    [
        *("0 .5 .5 .4 .5", "1 .1 .1 .1 .1", "7 .5 .5 .4 .5", "-1 .5 .5 .1 .1", "0 .5 .5 .1 .1 .9"),
        *("0 .1 .1 .9 .1 .9 .9", "0 .1 .1 .9 .1 .9 .9 .1 .9", "0 .5", "cat .5 .5 .1 .1", "0 nan nan 1 1"),
        *("", " ", "\t", "\f", "\u00a0", "\u2028"),
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])
TEXT = st.tuples(st.sampled_from(["", "\ufeff"]), st.lists(st.tuples(LINES, ENDS), max_size=5))
PLACES = st.sampled_from(
    [".", "labels", "images", "labels/train", "images/train", "lbl", "labelTxt", "JPEGImages"]
)
NAMES = st.sampled_from(["a", "b", "A", "c.d"])


@QUICK
@given(
    texts=st.dictionaries(st.tuples(PLACES, NAMES), TEXT, min_size=1, max_size=5),
    images=st.sets(st.tuples(PLACES, NAMES, st.sampled_from([".jpg", ".png"])), max_size=5),
    task=st.sampled_from([None, "detect", "segment", "pose", "obb"]),
)
def test_every_row_is_accounted_for(
    tmp_path: Path,
    texts: dict[tuple[str, str], tuple[str, list[tuple[str, str]]]],
    images: set[tuple[str, str, str]],
    task: str | None,
) -> None:
    folder = tmp_path / "set"
    shutil.rmtree(folder, ignore_errors=True)
    plain(folder, *[f"{place}/{name}{suffix}" for place, name, suffix in images])
    for (place, name), (begin, lines) in texts.items():
        text = folder / place / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_bytes((begin + "".join(line + end for line, end in lines)).encode())
    try:
        source = registry.read(folder, "yolo", ReadOptions(yolo=task, keypoints=False))
    except InputError as fault:
        assert re.search("--yolo|has a text file|no images", str(fault))  # noqa: PT017
        return
    assert added_up(source)
    assert source.account is not None
    readmes = sum(counted_text(text) for text in unseen(folder, source))
    assert source.account.found + readmes == counted(folder)


def counted_text(text: Path) -> int:
    return len(
        re.findall(rb"[^\r\n]*[^ \t\v\f\r\n][^\r\n]*", text.read_bytes().replace(b"\xef\xbb\xbf", b""))
    )


def unseen(folder: Path, source: Source) -> Iterator[Path]:
    """Texts of which nobody speaks: they may have no line that begins like an object."""
    spoken = {record.source for record in source.records} | {
        issue.source.removeprefix(f"{folder}/") for issue in source.issues
    }
    for text in folder.rglob("*.txt"):
        if text.name != "classes.txt" and text.relative_to(folder).as_posix() not in spoken:
            assert not re.search(rb"(?m)^[\d-]+( [\d.nan]+){4}", text.read_bytes())
            yield text


@pytest.mark.parametrize(("path", "texts"), [("voc2012_100/data/database/gts/yolo_format", "obj_train_data")])
def test_real_sets_are_accounted_for(shared: Path, path: str, texts: str) -> None:
    source = registry.read(shared / "data" / path)
    assert source.account is not None
    assert source.account.found == counted(SHARED / "data" / path / texts) > 0
    assert source.account.dropped == {}
    assert added_up(source)


@given(
    box=st.tuples(*[st.integers(0, 999)] * 4),
    size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    decimals=st.integers(4, 8),
)
def test_rounding_to_the_last_decimal_is_no_fault(
    box: tuple[int, int, int, int], size: tuple[int, int], decimals: int
) -> None:
    (x1, x2), (y1, y2) = sorted(box[:2]), sorted(box[2:])
    edges = [x1 / 999, y1 / 999, (x2 + 1) / 1000, (y2 + 1) / 1000]
    if edges[0] >= edges[2] or edges[1] >= edges[3]:
        return
    written = [(edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2, edges[2] - edges[0], edges[3] - edges[1]]
    x, y, width, height = (round(value, decimals) for value in written)
    fractions = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    record = image_record(
        image_id="a",
        filename="a",
        source="a",
        names=("a",),
        boxes_xyxy=[[value * size[i % 2] for i, value in enumerate(fractions)]],
        precision=10.0**-decimals,
    )
    _, issues = check(record, *size)
    assert not {"box-outside", "box-inverted"} & {issue.code for issue in issues}


def test_a_box_that_leans_over_by_more_is_outside(tmp_path: Path) -> None:
    folder = plain(tmp_path, "a.jpg", "a.txt")
    (folder / "a.txt").write_text("0 0.900000 0.5 0.200003 0.5\n")
    (record,) = registry.read(folder).records
    assert record.precision == 1e-6
    pixels = image_record(
        image_id="a",
        filename="a",
        source="a",
        names=("a",),
        boxes_xyxy=record.boxes_xyxy * [1000, 1000, 1000, 1000],
        precision=record.precision,
    )
    assert [issue.code for issue in check(pixels, 1000, 1000)[1]] == ["box-outside"]


def test_folders_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(tmp_path, "images/a.jpg", "labels/a.txt")
    listed: list[Path] = []
    iterdir = Path.iterdir

    def noting(path: Path) -> Iterator[Path]:
        listed.append(path)
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", noting)
    finder = TextFinder()
    names: Sequence[str] = [f"{number}.jpg" for number in range(50)]
    assert [finder.text_of(tmp_path / "images" / name) for name in names] == [None] * 50
    assert finder.text_of(tmp_path / "images/a.jpg") == tmp_path / "labels/a.txt"
    assert len(listed) == len(set(listed))


def outside(source: Source) -> list[str]:
    return [issue.message for issue in source.issues if issue.code == "path-outside"]


def test_a_place_outside_of_the_folder_of_data_yaml_is_said(tmp_path: Path) -> None:
    plain(tmp_path / "other", "images/a.png", "labels/a.txt")
    own = plain(tmp_path / "own", "train/images/b.png", "train/labels/b.txt")
    for train, found in (("../train/images", []), ("train/images", []), ("../other/images", ["a.png"])):
        (own / "data.yaml").write_text(f"names: [cat, dog]\ntrain: {train}\n")
        source = registry.read(own)
        assert [Path(record.filename).name for record in source.records] == (found or ["b.png"])
        assert len(outside(source)) == len(found)
    (own / "data.yaml").write_text("names: [cat, dog]\npath: ../other\ntrain: images\n")
    (said,) = outside(registry.read(own))
    assert said.startswith("train: 'images' is ")
    assert said.endswith(f"outside of {own}; it was read")


def test_a_list_that_names_an_image_outside_is_said(tmp_path: Path) -> None:
    plain(tmp_path / "other", "images/a.png", "labels/a.txt")
    own = plain(tmp_path / "own", "train.txt", "images/b.png", "labels/b.txt")
    (own / "train.txt").write_text("images/b.png\n../other/images/a.png\n../own/images/b.png\n")
    (said,) = outside(registry.read(own))
    assert said.startswith("train.txt: '../other/images/a.png', the first of 1 such images, is ")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (os.mkfifo, "is a FIFO, expected a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a character device, expected a regular file"),
        (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
        (Path.mkdir, "Is a directory"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_a_text_that_is_no_file_says_what_it_is(
    tmp_path: Path, made: Callable[[Path], object], said: str, beside: bool
) -> None:
    folder = plain(tmp_path / "set", "images/a.jpg", "images/b.jpg", "labels/b.txt")
    made(folder / ("images" if beside else "labels") / "a.txt")
    source = registry.read(folder, "yolo")
    assert [(issue.code, issue.message) for issue in source.issues] == [
        ("annotation-damaged", f"cannot be read ({said})")
    ]
    assert pairs(source) == {"images/b.jpg": 1}
    assert added_up(source)


def test_a_file_goes_before_what_is_none(tmp_path: Path) -> None:
    folder = plain(tmp_path / "set", "images/a.jpg", "images/a.txt")
    (folder / "labels/a.txt").mkdir(parents=True)
    assert pairs(registry.read(folder, "yolo")) == {"images/a.jpg": 1}


NAMED = "train: images\nnames: [cat, dog]\n"
OF_A_MODEL = "nc: 80\nbackbone:\n  - [-1, 1, Conv, [64]]\n"


@pytest.mark.parametrize(
    ("files", "boxes"),
    [
        ({"coco8.yaml": NAMED}, 1),
        ({"Custom Data.YML": "\ufeff# a set\n'names': {0: cat, 1: dog}\r\n\"val\": images\r\n"}, 1),
        ({"coco8.yaml": NAMED, "model.yaml": OF_A_MODEL, "hyp.yaml": "lr0: 0.01\n"}, 1),
        ({"a.yaml": NAMED, "b.yaml": NAMED}, None),
        ({"model.yaml": OF_A_MODEL}, None),
    ],
)
def test_data_yaml_may_be_called_after_the_data_set(
    tmp_path: Path, files: dict[str, str], boxes: int | None
) -> None:
    (plain(tmp_path / "set", "images/a.png", "labels/a.txt") / "classes.txt").unlink()
    for name, text in files.items():
        (tmp_path / "set" / name).write_text(text, encoding="utf-8")
    if boxes is None:
        with pytest.raises(InputError, match=r"no names of classes found.* or name its .yaml"):
            registry.read(tmp_path / "set")
    else:
        assert sum(pairs(registry.read(tmp_path / "set")).values()) == boxes


@pytest.mark.parametrize(("inner", "is_read"), [(["data"], True), (["a", "b"], False), ([".hidden"], False)])
def test_the_only_folder_with_data_yaml_is_found(tmp_path: Path, inner: list[str], is_read: bool) -> None:
    (tmp_path / "set").mkdir()
    for name in inner:
        (plain(tmp_path / "set" / name, "images/a.png", "labels/a.txt") / "classes.txt").unlink()
        (tmp_path / "set" / name / "data.yaml").write_text(NAMED)
    if is_read:
        source = registry.read(tmp_path / "set")
        assert pairs(source) == {"data/images/a.png": 1}
        _, issues = lookup.places(source.records, registry.images_folder(registry.laid_out(tmp_path / "set")))
        assert not issues
    else:
        with pytest.raises(InputError):
            registry.read(tmp_path / "set")

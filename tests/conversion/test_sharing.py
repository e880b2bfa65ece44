"""Several sources in one set: labeled sets, images that two of them have, ids that two of them use."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.sets import parsed
from tests.helpers.small_sets import coco, csv, save_picture, voc_xml
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.plan import make_plan
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.identity import distinct_names, unlike_ids
from tfrec_tools.dataset.publish import Refused
from tfrec_tools.errors import InputError
from tfrec_tools.tfrecords.example import Parsed
from tfrec_tools.tfrecords.features import source_id


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders: "shared.jpg" is one picture under two names, the others differ."""
    first, second = tmp_path / "first", tmp_path / "second"
    save_picture(first / "images/a.jpg", 60, 40)
    save_picture(first / "images/shared.jpg", 50, 40)
    save_picture(second / "images/b.jpg", 70, 40)
    shutil.copy(first / "images/shared.jpg", second / "images/copy.jpg")
    return first, second


def two(folders: tuple[Path, Path]) -> tuple[Path, Path]:
    first, second = folders
    one = coco(
        first, [("a.jpg", 60, 40, [("cat", 1, 1, 9, 9)]), ("shared.jpg", 50, 40, [("cat", 2, 2, 30, 30)])]
    )
    boxes = [("cat", 2, 2, 30, 30.2), ("bird", 5, 5, 20, 20)]
    other = csv(second, [("b.jpg", 70, 40, [("bird", 1, 1, 9, 9)]), ("copy.jpg", 50, 40, boxes)])
    return one, other


def by_name(folder: Path) -> dict[str, Parsed]:
    return {one.record.filename: one for one in parsed(folder)}


def test_each_record_says_what_it_was_annotated_for(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    converted = convert(ConvertOptions(two(folders), tmp_path / "out/new"))
    found = by_name(tmp_path / "out")
    assert found["a.jpg"].record.labeled == {"cat", "dog"}
    assert found["b.jpg"].record.labeled == {"bird", "cat"}
    assert converted.manifest.names == ("dog", "cat", "bird")
    assert [source.images for source in converted.manifest.sources] == [2, 2]


def test_the_same_picture_is_joined(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    converted = convert(ConvertOptions(two(folders), tmp_path / "out/new"))
    assert [issue.code for issue in converted.issues] == ["image-shared"]
    assert "shared.jpg" not in converted.issues[0].message.split()[0]
    found = by_name(tmp_path / "out")
    assert sorted(found) == ["a.jpg", "b.jpg", "shared.jpg"]
    joined = found["shared.jpg"].record
    assert joined.names == ("cat", "bird")
    np.testing.assert_allclose(joined.boxes_xyxy, [[2, 2, 30, 30], [5, 5, 20, 20]], rtol=1e-6)
    assert joined.labeled is None  # all of the map


def test_the_same_picture_is_kept_apart_where_asked(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    converted = convert(ConvertOptions(two(folders), tmp_path / "out/new", on="image-shared=keep"))
    assert converted.manifest.images == 4
    assert [(issue.code, issue.fixed) for issue in converted.issues] == [("image-shared", False)]


def test_ids_that_two_sources_use_are_told_apart(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    first, second = folders
    one = coco(first, [("a.jpg", 60, 40, [("cat", 1, 1, 9, 9)])])
    other = coco(second, [("b.jpg", 70, 40, [("cat", 1, 1, 9, 9)])])
    other = other.rename(second / "other.json")
    converted = convert(ConvertOptions((one, other), tmp_path / "out/new"))
    assert [issue.code for issue in converted.issues] == ["image-id-shared"]
    ids = {found.record.image_id for found in parsed(tmp_path / "out")}
    assert len(ids) == 2
    assert all(image_id.isdecimal() for image_id in ids)


SAME_NAMES = [
    ("train/_annotations.coco.json", "valid/_annotations.coco.json"),
    ("x/train/a.json", "x/valid/a.json"),
    ("a.json", "b/a.json"),
    ("x/a/a.json", "y/a/a.json"),
]


@pytest.mark.parametrize("paths", SAME_NAMES)
def test_ids_of_sources_of_one_name_are_told_apart(tmp_path: Path, paths: tuple[str, str]) -> None:
    sources = []
    for number, path in enumerate(paths):
        folder = (tmp_path / path).parent
        save_picture(folder / f"{number}.jpg", 60 + number)
        sources.append(
            coco(folder, [(f"{number}.jpg", 60 + number, 40, [("cat", 1, 1, 9, 9)])]).rename(tmp_path / path)
        )
    finished = convert(
        ConvertOptions(sources, tmp_path / "out/new", images=[path.parent for path in sources])
    )
    assert [(issue.code, issue.fixed) for issue in finished.issues] == [("image-id-shared", True)]
    assert len({one.record.image_id for one in parsed(tmp_path / "out")}) == 2


@pytest.mark.parametrize("named", ["{stem}.jpg", "image.jpg", "IMAGE.JPG", ""])
@pytest.mark.parametrize("folders", [("x", "y"), ("deep/x", "deep/y"), ("x", "x/y")])
def test_an_images_identity_is_its_file(tmp_path: Path, folders: tuple[str, str], named: str) -> None:
    """XML files of one name in several folders, and such as all name one file, each beside its image."""
    annotations = tmp_path / "Annotations"
    expected = {}
    for number, folder in enumerate(folders):
        for stem in ("1", "2"):
            width = 50 + 10 * number + int(stem)
            save_picture(tmp_path / "images" / folder / f"{stem}.jpg", width)
            (annotations / folder).mkdir(parents=True, exist_ok=True)
            box = [(f"c{width}", 1, 1, 30, 30)]
            text = voc_xml(named.format(stem=stem), width, 40, box)
            (annotations / folder / f"{stem}.xml").write_text(text)
            expected[f"{folder}/{stem}.jpg"] = (f"c{width}",)
    finished = convert(ConvertOptions(annotations, tmp_path / "out/new", images=tmp_path / "images"))
    told_apart = set() if named else {"image-id-shared"}  # the numbers 1 and 2 alone
    assert {issue.code for issue in finished.issues} - {"filename-mismatch"} == told_apart
    found = parsed(tmp_path / "out")
    assert {one.record.filename: one.record.names for one in found} == expected
    ids = [int(one.record.image_id) for one in found]
    assert len(set(ids)) == 4
    assert max(ids) < 2**53


def test_the_name_is_the_files_own_path_below_the_images(tmp_path: Path) -> None:
    for name in ("train/A.JPG", "b.png"):
        save_picture(tmp_path / "images" / name, 60 + len(name), format="png")
    scenes = [("a.jpg", 71, 40, [("cat", 1, 1, 9, 9)]), ("..\\x\\b.jpg", 65, 40, [("cat", 1, 1, 9, 9)])]
    convert(ConvertOptions(coco(tmp_path, scenes), tmp_path / "out/new"))
    found = {one.record.filename: one.record.image_id for one in parsed(tmp_path / "out")}
    assert found == {"train/A.JPG": "100", "b.png": "101"}  # COCO's own ids


def test_spellings_of_one_file_in_a_csv_are_one_image(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/sub/a.jpg")
    save_picture(tmp_path / "images/b.jpg", 70)
    spellings = ["sub/a.jpg", "./sub/a.jpg", "sub\\a.jpg", "a.jpg", "A.JPG", "/home/me/images/sub/a.jpg"]
    scenes = [(name, 60, 40, [("cat", 5 * i, 1, 5 * i + 20, 20)]) for i, name in enumerate(spellings)]
    scenes.insert(2, ("b.jpg", 70, 40, [("dog", 1, 1, 9, 9)]))
    finished = convert(ConvertOptions(csv(tmp_path, scenes), tmp_path / "out/new"))
    assert (finished.manifest.images, finished.manifest.boxes, finished.issues) == (2, 7, ())
    found = by_name(tmp_path / "out")
    assert found["sub/a.jpg"].record.names == ("cat",) * 6


def test_what_another_spelling_in_a_csv_says_otherwise_is_reported(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    source = tmp_path / "x.csv"
    source.write_text(
        "filename,class,xmin,ymin,xmax,ymax,width,height,split\n"
        "a.jpg,cat,1,1,9,9,60,40,train\n./a.jpg,cat,2,2,9,9,60,40,train\n"
        "images/a.jpg,cat,3,3,9,9,640,480,test\nA.JPG,cat,4,4,9,9,,,\n"
    )
    finished = convert(ConvertOptions(source, tmp_path / "out/new", split="source"))
    assert [(issue.code, issue.message) for issue in finished.issues] == [
        ("split-conflict", "'images/a.jpg' is put into test, and 'a.jpg' into train: one image"),
        ("size-mismatch", "'images/a.jpg' states 640 x 480, and 'a.jpg' 60 x 40: one image"),
    ]


def test_rows_of_images_that_contradict_each_other_are_not_poured_into_one(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    source = tmp_path / "x.csv"
    rows = "/content/train/a.jpg,cat,1,1,9,9\n/content/test/a.jpg,dog,2,2,9,9\n"
    source.write_text(f"filename,class,xmin,ymin,xmax,ymax\n{rows}")
    with pytest.raises(Refused, match=r"' would be a\.jpg, and so would '/content/test/a\.jpg' of x\.csv"):
        convert(ConvertOptions(source, tmp_path / "out/new"))


def test_one_file_of_two_annotations_is_reported_whatever_they_call_it(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    annotations = tmp_path / "Annotations"
    annotations.mkdir()
    for name, filename in (("a", "a.jpg"), ("b", "x/A.jpg")):
        (annotations / f"{name}.xml").write_text(voc_xml(filename, 60, 40, [("cat", 1, 1, 9, 9)]))
    (issue,) = convert(ConvertOptions(annotations, tmp_path / "out/new")).issues
    assert (issue.code, issue.source) == ("image-duplicate", "b.xml")
    assert issue.message == "a.jpg is the image of a.xml too"


IDS = st.sampled_from(["1", "01", "001", "a.jpg", "b.jpg", "x/a.jpg", "0 x", "1 x"])


@given(ids=st.lists(st.tuples(IDS, st.integers(0, 3)), max_size=12))
def test_no_two_images_have_one_id(ids: list[tuple[str, int]]) -> None:
    """Whatever ids are given, and however little there is to tell them apart by."""
    texts, images = [text for text, _ in ids], [image for _, image in ids]
    unlike, changed = unlike_ids(texts, images, lambda _: ["x"])
    owners: dict[str, set[int]] = {}
    for text, image in zip(unlike, images, strict=True):
        owners.setdefault(source_id(text), set()).add(image)
    assert all(len(of_id) == 1 for of_id in owners.values())
    assert changed == {old for old, new in zip(texts, unlike, strict=True) if old != new}


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.json", "b/y.json"], ["x.json", "y.json"]),
        (["a/x.json", "b/x.json", "c"], ["a/x.json", "b/x.json", "c"]),
        (["c/a/x.json", "d/a/x.json"], ["c/a/x.json", "d/a/x.json"]),
        (["x.json", "x.json"], ["0 x.json", "1 x.json"]),
        (["x.json", "a/x.json"], ["x.json", "a/x.json"]),
    ],
)
def test_sources_are_named_by_what_tells_them_apart(paths: list[str], names: list[str]) -> None:
    assert distinct_names([Path(path) for path in paths]) == names


def test_labeled_once_or_once_a_source(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    sources = two(folders)
    convert(ConvertOptions(sources, tmp_path / "out/new", labeled=["cat", "bird,cat,fox"]))
    found = by_name(tmp_path / "out")
    assert found["a.jpg"].record.labeled == {"cat"}
    assert found["b.jpg"].record.labeled == {"bird", "cat", "fox"}
    with pytest.raises(InputError, match=r"--labeled: given 3 times for 2 sources; give one, or one each"):
        convert(ConvertOptions(sources, tmp_path / "out/two", labeled=["cat"] * 3))


@pytest.mark.parametrize("group_by", ["sha256", "prefix:[a-z]+"])
def test_near_twins_stay_in_one_split(tmp_path: Path, group_by: str) -> None:
    scenes = []
    for i in range(20):
        for copy in range(3):
            name = f"{'abcdefghijklmnopqrst'[i]}{copy}.jpg"
            save_picture(tmp_path / "images" / name, 40 + i, 40)
            scenes.append((name, 40 + i, 40, [("cat", 1, 1, 9, 9)]))
    options = ConvertOptions(
        coco(tmp_path, scenes), tmp_path / "out/new", split="a=0.5,b=0.5", group_by=group_by
    )
    manifest = convert(options).manifest
    letters = [
        {found.record.filename[0] for found in parsed(tmp_path / "out", f"new-{split.name}")}
        for split in manifest.splits
    ]
    assert all(letters)
    assert not letters[0] & letters[1]
    assert {info.split for info in manifest.shards} == {"a", "b"}
    assert [path.name for path in shards.record_files([str(tmp_path / "out/new")])] == [
        "new-a-00000-of-00001.tfrecord",
        "new-b-00000-of-00001.tfrecord",
    ]


def test_group_by_that_is_none(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    for group_by, message in (
        ("name", "expected sha256 or prefix:REGEX"),
        ("prefix:(", "no regular expression"),
    ):
        with pytest.raises(InputError, match=message):
            convert(
                ConvertOptions(two(folders), tmp_path / "out/new", split="a=0.5,b=0.5", group_by=group_by)
            )


def test_spellings_of_a_path_in_a_csv_are_one_image(tmp_path: Path) -> None:
    """Below the folder of images or not, with folders of another system, in another case."""
    for name in ("a.jpg", "b.jpg"):
        save_picture(tmp_path / "images" / name)
    names = ["./a.jpg", "images\\a.jpg", "b.jpg", "a.jpg", "images/a.jpg", "/elsewhere/images/b.jpg", "A.JPG"]
    rows = [f"{name},cat,{i},{i},{i + 20},{i + 20}" for i, name in enumerate(names)]
    source = tmp_path / "labels.csv"
    source.write_text("\n".join(["filename,class,xmin,ymin,xmax,ymax", *rows]))
    plan = make_plan(ConvertOptions(source, tmp_path / "out/set"))
    assert [(item.place.path.name, item.record.boxes_xyxy[:, 0].tolist()) for item in plan.items] == [
        ("a.jpg", [0, 3, 1, 4, 6]),
        ("b.jpg", [2, 5]),
    ]

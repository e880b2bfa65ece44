"""Several sources in one set: labeled sets, images that two of them have, ids that two of them use."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.small_sets import coco, csv, save_picture
from tests.test_convert import parsed
from tfrec_tools.annotations import policies
from tfrec_tools.annotations.box_checks import Checks
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.plan import Options
from tfrec_tools.dataset import shards
from tfrec_tools.errors import InputError


@pytest.fixture
def folders(tmp_path):
    """Two folders: "shared.jpg" is one picture under two names, the others differ."""
    first, second = tmp_path / "first", tmp_path / "second"
    save_picture(first / "images/a.jpg", 60, 40)
    save_picture(first / "images/shared.jpg", 50, 40)
    save_picture(second / "images/b.jpg", 70, 40)
    shutil.copy(first / "images/shared.jpg", second / "images/copy.jpg")
    return first, second


def two(folders):
    first, second = folders
    one = coco(
        first, [("a.jpg", 60, 40, [("cat", 1, 1, 9, 9)]), ("shared.jpg", 50, 40, [("cat", 2, 2, 30, 30)])]
    )
    boxes = [("cat", 2, 2, 30, 30.2), ("bird", 5, 5, 20, 20)]
    other = csv(second, [("b.jpg", 70, 40, [("bird", 1, 1, 9, 9)]), ("copy.jpg", 50, 40, boxes)])
    return one, other


def by_name(folder):
    return {one.record.filename: one for one in parsed(folder)}


def test_each_record_says_what_it_was_annotated_for(tmp_path, folders):
    converted = convert(Options(two(folders), tmp_path / "out/new"))
    found = by_name(tmp_path / "out")
    assert found["a.jpg"].record.labeled == {"cat", "dog"}
    assert found["b.jpg"].record.labeled == {"bird", "cat"}
    assert converted.manifest.names == ("dog", "cat", "bird")
    assert [source.images for source in converted.manifest.sources] == [2, 2]


def test_the_same_picture_is_joined(tmp_path, folders):
    converted = convert(Options(two(folders), tmp_path / "out/new"))
    assert [issue.code for issue in converted.issues] == ["image-shared"]
    assert "shared.jpg" not in converted.issues[0].message.split()[0]
    found = by_name(tmp_path / "out")
    assert sorted(found) == ["a.jpg", "b.jpg", "shared.jpg"]
    joined = found["shared.jpg"].record
    assert joined.names == ("cat", "bird")
    np.testing.assert_allclose(joined.boxes_xyxy, [[2, 2, 30, 30], [5, 5, 20, 20]], rtol=1e-6)
    assert joined.labeled is None  # all of the map


def test_the_same_picture_is_kept_apart_where_asked(tmp_path, folders):
    checks = Checks(policies.parse("default", ["image-shared=keep"]))
    converted = convert(Options(two(folders), tmp_path / "out/new", checks=checks))
    assert converted.manifest.images == 4
    assert [(issue.code, issue.fixed) for issue in converted.issues] == [("image-shared", False)]


def test_ids_that_two_sources_use_are_told_apart(tmp_path, folders):
    first, second = folders
    one = coco(first, [("a.jpg", 60, 40, [("cat", 1, 1, 9, 9)])])
    other = coco(second, [("b.jpg", 70, 40, [("cat", 1, 1, 9, 9)])])
    other = other.rename(second / "other.json")
    converted = convert(Options((one, other), tmp_path / "out/new"))
    assert [issue.code for issue in converted.issues] == ["image-id-shared"]
    ids = {found.record.image_id for found in parsed(tmp_path / "out")}
    assert len(ids) == 2
    assert all(image_id.isdecimal() for image_id in ids)


def test_labeled_once_or_once_a_source(tmp_path, folders):
    sources = two(folders)
    convert(
        Options(
            sources, tmp_path / "out/new", labeled=[frozenset({"cat"}), frozenset({"bird", "cat", "fox"})]
        )
    )
    found = by_name(tmp_path / "out")
    assert found["a.jpg"].record.labeled == {"cat"}
    assert found["b.jpg"].record.labeled == {"bird", "cat", "fox"}
    with pytest.raises(InputError, match=r"--labeled: given 3 times for 2 sources; give one, or one each"):
        convert(Options(sources, tmp_path / "out/two", labeled=[frozenset({"cat"})] * 3))


@pytest.mark.parametrize("group_by", ["sha256", "prefix:[a-z]+"])
def test_near_twins_stay_in_one_split(tmp_path, group_by):
    scenes = []
    for i in range(20):
        for copy in range(3):
            name = f"{'abcdefghijklmnopqrst'[i]}{copy}.jpg"
            save_picture(tmp_path / "images" / name, 40 + i, 40)
            scenes.append((name, 40 + i, 40, [("cat", 1, 1, 9, 9)]))
    options = Options(coco(tmp_path, scenes), tmp_path / "out/new", split="a=0.5,b=0.5", group_by=group_by)
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


def test_group_by_that_is_none(tmp_path, folders):
    for group_by, message in (
        ("name", "expected sha256 or prefix:REGEX"),
        ("prefix:(", "no regular expression"),
    ):
        with pytest.raises(InputError, match=message):
            convert(Options(two(folders), tmp_path / "out/new", split="a=0.5,b=0.5", group_by=group_by))

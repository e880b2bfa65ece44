"""Classes chosen and renamed while annotations are converted, checked or shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import poses
from tests.helpers.sets import contents, parsed
from tests.helpers.small_sets import SCENES, coco, csv, save_pictures
from tfrec_tools.conversion.comparison import verified
from tfrec_tools.conversion.convert import convert, validate
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.dataset.class_choice import choices
from tfrec_tools.dataset.options import ClassOptions, VerifyOptions
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.merge import merge
from tfrec_tools.labels.naming import MergeRules
from tfrec_tools.labels.pbtxt import read_label_map

ALL = {"a.png": ("cat",), "b.jpg": ("dog", "cat"), "c.jpg": ("dog", "dog")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return tmp_path


def names(folder: Path) -> dict[str, tuple[str, ...]]:
    return {each.record.filename: each.record.names for each in parsed(folder / "out")}


def converted(folder: Path, **words: Any) -> Finished:
    return convert(ConvertOptions(coco(folder), folder / "out/new", overwrite=True, **words))


CASES: list[tuple[dict[str, Any], dict[str, tuple[str, ...]], tuple[str, ...]]] = [
    ({"only": "cat,dog"}, ALL, ("dog", "cat")),
    ({"only": "cat"}, {"a.png": ("cat",), "b.jpg": ("cat",), "c.jpg": ()}, ("cat",)),
    ({"ignore": "dog"}, {"a.png": ("cat",), "b.jpg": ("cat",), "c.jpg": ()}, ("cat",)),
    (
        {"only": ["cat", "dog"], "ignore": "dog "},
        {"a.png": ("cat",), "b.jpg": ("cat",), "c.jpg": ()},
        ("cat",),
    ),
    (
        {"rename": "cat=tom"},
        {"a.png": ("tom",), "b.jpg": ("dog", "tom"), "c.jpg": ("dog",) * 2},
        ("dog", "tom"),
    ),
    ({"rename": "cat=dog"}, {"a.png": ("dog",), "b.jpg": ("dog",) * 2, "c.jpg": ("dog",) * 2}, ("dog",)),
    (
        {"alias": "cat=pet,dog=pet"},
        {"a.png": ("pet",), "b.jpg": ("pet",) * 2, "c.jpg": ("pet",) * 2},
        ("pet",),
    ),
    (
        {"rename": ["cat=dog", "dog=cat"]},  # at once: a swap
        {"a.png": ("dog",), "b.jpg": ("cat", "dog"), "c.jpg": ("cat",) * 2},
        ("cat", "dog"),
    ),
    (
        {"rename": ["cat=dog", "dog=cow"]},  # no chain: a cat does not become a cow
        {"a.png": ("dog",), "b.jpg": ("cow", "dog"), "c.jpg": ("cow",) * 2},
        ("cow", "dog"),
    ),
    (
        {"rename": "dog=wolf", "only": "wolf"},
        {"a.png": (), "b.jpg": ("wolf",), "c.jpg": ("wolf",) * 2},
        ("wolf",),
    ),
    ({"rename": "dog=wolf", "ignore": "dog"}, {"a.png": ("cat",), "b.jpg": ("cat",), "c.jpg": ()}, ("cat",)),
]


@pytest.mark.parametrize(("words", "expected", "classes"), CASES)
def test_classes_are_chosen(
    folder: Path, words: dict[str, Any], expected: dict[str, tuple[str, ...]], classes: tuple[str, ...]
) -> None:
    finished = converted(folder, **words)
    assert names(folder) == expected
    assert finished.manifest.names == classes
    assert read_label_map(folder / "out/new.label_map.pbtxt").names == classes
    account = finished.manifest.sources[0].accounting
    assert account is not None
    assert account.adds_up
    left_out = 5 - sum(map(len, expected.values()))
    assert (account.found, account.dropped) == (5, {"class-left-out": left_out} if left_out else {})
    of_code = [issue for issue in finished.issues if issue.code == "class-left-out"]
    assert [f"with {left_out} boxes" in issue.message for issue in of_code] == [True] * bool(left_out)
    checked = validate(ValidateOptions(coco(folder), **words))
    assert (checked.plan.label_map.names, sum(checked.boxes.values())) == (classes, 5 - left_out)
    assert verified(VerifyOptions(folder / "out/new", against=coco(folder)))[0].differences == ()


def test_what_becomes_empty_follows_no_negatives(folder: Path) -> None:
    finished = converted(folder, only="cat", no_negatives=True)
    assert names(folder) == {"a.png": ("cat",), "b.jpg": ("cat",)}
    account = finished.manifest.sources[0].accounting
    assert account is not None
    assert (account.images_dropped, account.adds_up) == ({"no-negatives": 1}, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"only": "cats"}, "--only names 'cats', which is no class of the sources, perhaps 'cat'"),
        ({"only": "cat,dgo"}, "--only names 'dgo', which is no class of the sources"),
        ({"ignore": "Dog"}, "--ignore names 'Dog', which is no class of the sources, perhaps 'dog'"),
        ({"rename": "cta=tom"}, "--alias or --rename names 'cta', which is no class of the sources"),
        ({"alias": "Cat=tom"}, "--alias or --rename names 'Cat', .*perhaps 'cat'"),
    ],
)
def test_a_word_that_is_no_class_is_refused(folder: Path, words: dict[str, Any], reason: str) -> None:
    with pytest.raises(LabelConflict, match=reason):
        converted(folder, **words)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"ignore": "cat,dog"}, r"none of its classes \('dog', 'cat'\) is left by --ignore"),
        ({"rename": "cat"}, "--rename: 'cat' is no pair, expected OLD=NEW"),
        ({"rename": ["cat=a", "cat=b"]}, "'cat' is to become both 'a' and 'b'"),
        ({"labeled": "dog", "ignore": "dog"}, "--labeled: --ignore leaves none of dog"),
    ],
)
def test_words_that_make_no_set_are_refused(folder: Path, words: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        converted(folder, **words)


def test_what_an_image_was_annotated_for_follows(folder: Path) -> None:
    """A class that joined two of its set's was labeled only where both were."""
    other = csv(folder, [SCENES[1]]).rename(folder / "cats.csv")
    sources = (coco(folder, [SCENES[0], SCENES[2]]), other)
    convert(ConvertOptions(sources, folder / "out/new", labeled=("cat,dog", "cat"), rename="cat=pet"))
    labeled = {each.record.filename: each.record.labeled for each in parsed(folder / "out")}
    assert labeled == {"a.png": {"pet"}, "b.jpg": None, "c.jpg": None}
    words: dict[str, Any] = {"alias": "pet=animal", "rename": "dog=animal"}
    again = ConvertOptions(folder / "out/new", folder / "again/new", **words)
    with pytest.raises(InputError, match=r"annotated for pet alone, and so for nothing .*--labeled"):
        convert(again)
    convert(replace(again, labeled="pet,dog"))
    assert {each.record.labeled for each in parsed(folder / "again")} == {None}


def test_issues_are_of_the_boxes_that_are_left(folder: Path) -> None:
    document = json.loads(coco(folder).read_text())
    for annotation in document["annotations"]:
        x, y, width, height = annotation.pop("bbox")
        annotation["segmentation"] = [[x, y, x + width, y, x + width, y + height]]
    (folder / "derived.json").write_text(json.dumps(document))
    finished = convert(ConvertOptions(folder / "derived.json", folder / "out/new", only="cat"))
    derived = [(issue.source[-2], issue.box) for issue in finished.issues if issue.code == "box-derived"]
    assert derived == [("0", None), ("0", 0), ("1", 0), ("2", None), ("2", None)]


def test_images_annotated_for_nothing_else_are_left_out(folder: Path) -> None:
    other = csv(folder, [SCENES[1]]).rename(folder / "cats.csv")
    sources = (coco(folder, [SCENES[0], SCENES[2]]), other)
    convert(ConvertOptions(sources, folder / "out/new", labeled=("cat,dog", "cat")))
    finished = convert(ConvertOptions(folder / "out/new", folder / "again/new", ignore="cat"))
    assert sorted(each.record.filename for each in parsed(folder / "again")) == ["b.jpg", "c.jpg"]
    account = finished.manifest.sources[0].accounting
    assert account is not None
    assert (account.images_dropped, account.dropped) == ({"class-left-out": 1}, {"class-left-out": 2})


def test_names_with_commas_and_blanks_are_replayed(folder: Path) -> None:
    first = converted(folder, rename=["cat=big, red", "dog=the dog"], only=["big, red", "the dog"])
    assert first.manifest.names == ("the dog", "big, red")
    assert verified(VerifyOptions(folder / "out/new", against=coco(folder)))[0].differences == ()
    before = contents(folder / "out")[first.manifest.shards[0].file]
    again = convert(ConvertOptions(folder / "out/new", folder / "again/new", ignore="big, red"))
    assert again.manifest.names == ("the dog",)
    assert before != contents(folder / "again")[again.manifest.shards[0].file]


def test_keypoints_follow_their_class(tmp_path: Path) -> None:
    source = poses.coco(tmp_path)
    finished = convert(ConvertOptions(source, tmp_path / "out/new", ignore="person", rename="dog=hound"))
    assert [[each.label for each in info.keypoints] for info in finished.manifest.classes] == [
        [],
        ["nose", "tail"],
    ]
    found = {each.record.filename: each.record.keypoints for each in parsed(tmp_path / "out")}["a.png"]
    assert found is not None
    np.testing.assert_allclose(found, [[[0, 0, 0]] * 2, [[40, 16, 2], [64, 32, 1]]])
    with pytest.raises(InputError, match=r"keypoints of 'person' are 2 .*--keypoints none"):
        convert(ConvertOptions(source, tmp_path / "two/new", rename="dog=person"))


NAMES = st.sampled_from("abcdef")
PAIRS = st.dictionaries(NAMES, NAMES, max_size=4)


@given(st.lists(st.lists(NAMES, unique=True, min_size=1), min_size=1, max_size=3), PAIRS, st.data())
def test_the_words_mean_what_they_mean_to_merge_labels(
    classes: list[list[str]], pairs: Mapping[str, str], data: st.DataObject
) -> None:
    known = sorted({name for names in classes for name in names})
    renames = {old: new for old, new in pairs.items() if old in known}
    ignore = data.draw(st.frozensets(st.sampled_from(known)))
    only = data.draw(st.none() | st.frozensets(st.sampled_from(known), min_size=1))
    options = ClassOptions(
        rename=[f"{old}={new}" for old, new in renames.items()] or None,
        ignore=",".join(sorted(ignore)) or None,
        only=sorted(only) if only else None,
    )
    rules = MergeRules(renames, {}, ignore, only, "renumber")
    merged = merge(*map(from_names, classes), rules=rules)
    found = choices(options, classes)
    for rows, choice, names in zip(merged.rows, found, classes, strict=True):
        assert {row.name: row.new_name for row in rows} == {name: choice.name(name) for name in names}

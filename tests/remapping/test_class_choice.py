"""Classes of records chosen and renamed without a merge before: what a merge and its tables would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sets import contents, parsed
from tests.helpers.small_sets import SCENES, coco, csv, save_pictures
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.remapping import remap as remapping
from tfrec_tools.remapping.label_merging import merge_labels, read
from tfrec_tools.remapping.options import MergeLabelsOptions, RemapOptions


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """One of dogs (1) and cats (2), one of cats alone."""
    save_pictures(tmp_path / "images")
    convert(ConvertOptions(coco(tmp_path, SCENES[:1]), tmp_path / "a/old"))
    convert(ConvertOptions(csv(tmp_path, SCENES[1:2]), tmp_path / "b/new"))
    return tmp_path / "a/old", tmp_path / "b/new"


def remap(records: Any, out: Path, **words: Any) -> Finished:
    return remapping.remap(RemapOptions(records, out / "new", **words))


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"ignore": "cat"},
        {"ignore": "dog", "renumber": True},
        {"ignore": "dog", "keep_gaps": True},
        {"only": "dog,cat"},
        {"rename": ["cat=dog"]},
        {"rename": ["cat=dog", "dog=cat"]},
        {"alias": "cat=tom,dog=rex"},
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_it_is_a_merge_and_its_tables(
    tmp_path: Path, sets: tuple[Path, Path], words: dict[str, Any], both: bool
) -> None:
    if both and words.get("ignore") == "cat":
        words = {"only": "cat", "renumber": True}  # else the second set has nothing left
    records = list(sets if both else sets[:1])
    labels = tmp_path / "merged/all.pbtxt"
    merge_labels(read(MergeLabelsOptions(records[0], records[1:], out=labels, **words)))
    by_tables = remap(records, tmp_path / "one", labels=labels)
    by_words = remap(records, tmp_path / "two", **words)
    assert by_words.issues == by_tables.issues
    first, second = contents(tmp_path / "one"), contents(tmp_path / "two")
    for name in ("new-00000-of-00001.tfrecord", "new.label_map.pbtxt", "new.issues.jsonl"):
        assert first[name] == second[name]


def test_words_with_a_map_say_what_becomes_of_it(tmp_path: Path, sets: tuple[Path, Path]) -> None:
    labels = tmp_path / "labels.names"
    labels.write_text("tom\nother\n")
    done = remap(sets[0], tmp_path / "out", labels=labels, rename="cat=tom", ignore="dog")
    assert done.manifest.names == ("tom", "other")
    assert [(each.label_ids, each.record.labeled) for each in parsed(tmp_path / "out")] == [((1,), {"tom"})]
    account = done.manifest.sources[0].accounting
    assert account is not None
    assert (account.dropped, account.adds_up) == ({"class-left-out": 1}, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"ignore": "dgo"}, "--ignore names 'dgo', which is no class of the maps"),
        ({"only": "Cat"}, "--only names 'Cat', which is no class of the maps, perhaps 'cat'"),
        ({"ignore": "dog"}, "ids 1 .'dog'. are missing, .*--keep-gaps .*--renumber"),
        ({"table": "none.json"}, "--table: is of a merged map; give that too"),
        ({"renumber": True, "labels": "a.names"}, "--renumber: is for the map that is made without --labels"),
        (
            {"only": "cat", "labels": "a.names", "table": "t"},
            "--table: says what classes become, and so does --only",
        ),
        ({"only": "cow", "labels": "a.names"}, "--only names 'cow', which is no class of the sources"),
        ({"renumber": True, "keep_gaps": True}, "--keep-gaps: excludes --renumber"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    tmp_path: Path, sets: tuple[Path, Path], words: dict[str, Any], reason: str
) -> None:
    (tmp_path / "a.names").write_text("dog\ncat\n")
    words = {name: tmp_path / word if name == "labels" else word for name, word in words.items()}
    with pytest.raises((InputError, LabelConflict), match=reason):
        remap(sets[0], tmp_path / "out", **words)
    assert not (tmp_path / "out").exists()

"""Sets in one folder: the same classes have the same ids, or it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.small_sets import csv, save_picture
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import shards
from tfrec_tools.dataset.neighbours import differing_ids
from tfrec_tools.dataset.publish import Refused

MAPS = st.dictionaries(st.sampled_from(["cat", "dog", "Hund", "no"]), st.integers(1, 4), min_size=1)


def source(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    save_picture(folder / "a.jpg")
    return csv(folder, [("a.jpg", 60, 40, [(name, 1, 1, 30, 30) for name in names])])


def converted(folder: Path, name: str, *classes: str, **options: str | Path) -> list[Issue]:
    path = source(folder / f"source_{name}", *classes)
    finished = convert(ConvertOptions(path, folder / "out" / name, workers=1, **options))  # type: ignore[arg-type]
    return [issue for issue in finished.issues if issue.code == "label-ids-differ"]


def test_the_same_class_under_another_id_is_said_with_the_flag_that_settles_it(tmp_path: Path) -> None:
    assert converted(tmp_path, "train", "cat", "dog") == []
    (issue,) = converted(tmp_path, "test", "dog")
    assert issue.source == "train.manifest.json"
    labels = shards.label_map_path(tmp_path / "out/train")
    assert "'dog' is 2 there and 1 in test" in issue.message
    assert issue.message.endswith(f"--labels {labels}")
    (again,) = converted(tmp_path, "val", "dog", labels=labels)
    assert again.source == "test.manifest.json"


def test_strict_refuses(tmp_path: Path) -> None:
    converted(tmp_path, "train", "cat", "dog")
    with pytest.raises(Refused, match="label-ids-differ: 'dog' is 2 there"):
        converted(tmp_path, "test", "dog", policy="strict")
    assert [path.name for path in shards.prefixes(tmp_path / "out")] == ["train"]


def test_sets_that_have_nothing_in_common_or_no_manifest_are_passed_over(tmp_path: Path) -> None:
    converted(tmp_path, "train", "cat", "dog")
    (tmp_path / "out/odd.manifest.json").write_text("{}")
    assert differing_ids(tmp_path / "out/x", {"car": 1}) == ()
    assert differing_ids(tmp_path / "out/train", {"cat": 2}) == ()
    assert differing_ids(tmp_path / "none/x", {"cat": 2}) == ()
    assert len(differing_ids(tmp_path / "out/x", {"cat": 1, "bird": 2})) == 1
    assert differing_ids(tmp_path / "out/x", {"cat": 1, "dog": 2, "bird": 3}) == ()


@given(new=MAPS)
def test_found_wherever_a_name_or_an_id_means_two_things(
    tmp_path_factory: pytest.TempPathFactory, new: dict[str, int]
) -> None:
    folder = tmp_path_factory.mktemp("n")
    (folder / "out").mkdir()
    converted(folder, "train", "cat", "dog")
    old = {"cat": 1, "dog": 2}
    ids = {name: label_id for label_id, name in {v: k for k, v in new.items()}.items()}
    pairs = [(a, b) for a in old.items() for b in ids.items()]
    wrong = any((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairs) and old.keys() & ids.keys()
    assert bool(differing_ids(folder / "out/x", ids)) == bool(wrong)

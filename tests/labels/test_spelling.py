"""When two class names may be one: the same rule for a set's own names as for those of several maps."""

from __future__ import annotations

import random
import string
import time
from itertools import combinations

import pytest

from tfrec_tools.labels import spelling
from tfrec_tools.labels.conflicts import similar, spellings
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.merge import merge
from tfrec_tools.labels.naming import MergeRules


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ("Cat", "cat", True),
        ("traffic light", "traffic_light", True),
        ("cat\u200b", "cat", True),
        ("\ufeffcat", "cat", True),
        ("ca\u00adt", "cat", True),
        ("cat\u200b", "car", False),
        ("Platelets", "Platelet", True),
        ("aeroplane", "aeroplance", True),
        ("St. Bernard", "St Bernard", True),
        ("dog", "dogs", True),
        ("person", "parson", True),
        ("bicycle", "bycicle", False),
        ("car", "cat", False),
        ("stage1", "stage2", False),
        ("RBC", "WBC", False),
    ],
)
def test_a_set_and_a_merge_find_the_same_names_alike(a: str, b: str, alike: bool) -> None:
    assert spelling.may_be_one(a, b) == spelling.may_be_one(b, a) == alike
    issues = spelling.similar([a, b, "giraffe"], "classes")
    assert [issue.code for issue in issues] == ["class-similar"] * alike
    maps, rules = [from_names([a]), from_names([b, "giraffe"])], MergeRules()
    assert len(spellings(maps, rules)) + len(similar(maps, rules)) == alike


def _misspelled(word: str, draw: random.Random) -> str:
    """The word after up to three edits."""
    letters = list(word)
    for _ in range(draw.randint(0, 3)):
        at = draw.randrange(len(letters))
        edit = draw.choice(("more", "less", "other", "swapped"))
        letters[at : at + 2] = {
            "more": [*letters[at : at + 2], "s"],
            "less": letters[at + 1 : at + 2] or ["z"],
            "other": ["q", *letters[at + 1 : at + 2]],
            "swapped": letters[at : at + 2][::-1],
        }[edit]
    return "".join(letters)


def test_comparing_the_likely_pairs_finds_what_comparing_all_finds() -> None:
    draw = random.Random(7)
    for _ in range(60):
        lengths = draw.choices([2, 3, 4, 7, 8, 9, 15, 22, 23, 24, 25, 26, 27, 40], k=10)
        words = ["".join(draw.choices("abcd1", k=length)) for length in lengths]
        words += [_misspelled(word, draw) for word in words * 3] + [f"{word[:-1]}ies" for word in words]
        names = list(dict.fromkeys(words))
        of_all = [pair for pair in combinations(names, 2) if spelling.may_be_one(*pair)]
        assert list(spelling.alike(names, {})) == of_all


def test_ten_thousand_classes_take_no_time() -> None:
    draw = random.Random(1)
    names = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(6, 14))) for _ in range(10_000)]
    maps = [from_names(dict.fromkeys(names[:6000])), from_names(dict.fromkeys(names[4000:]))]
    start = time.process_time()
    merge(*maps)
    similar(maps, MergeRules())
    spelling.similar(names, "classes")
    assert time.process_time() - start < 6  # a fraction of it; comparing all takes minutes


def test_a_million_names_are_said_not_to_be_compared() -> None:
    (issue,) = spelling.similar([f"class of things {number}" for number in range(200_000)], "classes")
    assert issue.code == "class-similar"
    assert issue.message == "200000 classes are too many to look for similar names among them"

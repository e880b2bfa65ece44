"""When two class names may be one: the same rule for a set's own names as for those of several maps."""

from __future__ import annotations

import pytest

from tfrec_tools.labels import spelling
from tfrec_tools.labels.conflicts import similar, spellings
from tfrec_tools.labels.label_map import from_names
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

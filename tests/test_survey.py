"""What is odd about a set as a whole."""

from __future__ import annotations

import pytest

from tests.test_checks import record_of
from tfrec_tools.annotations import set_checks


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        ("Cat", "cat", True),
        ("traffic light", "traffic_light", True),
        ("Platelets", "Platelet", True),
        ("aeroplane", "aeroplance", True),
        ("bicycle", "bycicle", False),
        ("car", "cat", False),
        ("stage1", "stage2", False),
        ("RBC", "WBC", False),
        ("person", "parson", True),
    ],
)
def test_similar_names(a, b, alike):
    issues = set_checks.similar([a, b, "giraffe"], "classes")
    assert [issue.code for issue in issues] == ["class-similar"] * alike


def test_few_boxes_where_other_classes_have_many():
    issues = set_checks.few({"a": 3, "b": 30, "c": 0, "d": 9}, "classes")
    assert [(issue.code, issue.message.split()[0]) for issue in issues] == [("class-few", "'a'")]
    assert set_checks.few({"a": 3, "b": 4}, "classes") == ()


def test_a_repeated_image_is_reported():
    first, second = record_of(source="a.xml"), record_of(source="b.xml")
    (issue,) = set_checks.repeats([first, second, record_of(filename="other.jpg")])
    assert (issue.code, issue.source, issue.message) == (
        "image-duplicate",
        "b.xml",
        "a.jpg is the image of a.xml too",
    )

"""What is odd about a set as a whole."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.records import record_of
from tfrec_tools.annotations import set_checks
from tfrec_tools.annotations.records import ByteRange


def test_few_boxes_where_other_classes_have_many() -> None:
    issues = set_checks.few({"a": 3, "b": 30, "c": 0, "d": 9}, "classes")
    assert [(issue.code, issue.message.split()[0]) for issue in issues] == [("class-few", "'a'")]
    assert set_checks.few({"a": 3, "b": 4}, "classes") == ()


def test_a_repeated_image_is_reported() -> None:
    first, second = record_of(source="a.xml"), record_of(source="b.xml")
    place, again = ByteRange(Path("images/a.jpg")), ByteRange(Path("images/x/../a.jpg"))
    other = ByteRange(Path("images/a.jpg"), 100, 10)
    records = [record_of(), first, second, record_of()]
    (issue,) = set_checks.repeats(zip(records, (None, place, again, other), strict=True))
    assert (issue.code, issue.source, issue.message) == (
        "image-duplicate",
        "b.xml",
        "a.jpg is the image of a.xml too",
    )

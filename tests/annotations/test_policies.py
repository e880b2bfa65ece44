"""What is done about each issue code: defaults, presets, and words such as box-outside=keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.helpers.records import HEIGHT, WIDTH, record_of
from tfrec_tools.annotations import policies
from tfrec_tools.annotations.box_checks import Checks, _iou, check, twins_of
from tfrec_tools.annotations.issues import CODES
from tfrec_tools.errors import InputError


def checked(
    box: Sequence[float], *words: str, min_side: float = 0.0, first: Sequence[float] = (1, 1, 2, 2)
) -> tuple[list[list[float]] | None, list[tuple[str, bool]]]:
    """The boxes left of `first` and box, and (code, fixed) of the issues; None where the image goes."""
    checks = Checks(policies.parse("default", words), min_side)
    record, issues = check(record_of(first, box), WIDTH, HEIGHT, checks)
    left = None if record is None else record.boxes_xyxy.tolist()[1:]
    return left, [(issue.code, issue.fixed) for issue in issues]


def test_the_table_knows_only_public_codes_and_actions() -> None:
    assert policies.CHOICES.keys() <= CODES.keys()
    for code in CODES:
        assert set(policies.choices(code)) <= {"fix", "drop-box", "drop-image", "error", "keep"}
        assert "error" in policies.choices(code)


@pytest.mark.parametrize(
    ("box", "word", "left", "issue"),
    [
        ([-5, 1, 20, 30], "box-outside=fix", [[0, 1, 20, 30]], ("box-outside", True)),
        ([-5, 1, 20, 30], "box-outside=keep", [[-5, 1, 20, 30]], ("box-outside", False)),
        ([-5, 1, 20, 30], "box-outside=drop-box", [], ("box-outside", True)),
        ([-5, 1, 20, 30], "box-outside=drop-image", None, ("box-outside", True)),
        ([-5, 1, 20, 30], "box-outside=error", [[0, 1, 20, 30]], ("box-outside", False)),
        ([20, 9, 5, 30], "box-inverted=fix", [[5, 9, 20, 30]], ("box-inverted", True)),
        ([20, 9, -5, 30], "box-inverted=fix", [[0, 9, 20, 30]], ("box-inverted", True)),
        ([120, 9, 110, 30], "box-inverted=fix", [], ("box-empty", True)),
        ([5, 5, 5, 9], "box-empty=keep", [[5, 5, 5, 9]], ("box-empty", False)),
        ([5, 5, 5, 9], "box-empty=drop-image", None, ("box-empty", True)),
        ([0, 0, 100, 50], "box-whole=drop-box", [], ("box-whole", True)),
        ([0, 0, 100, 50], "box-whole=keep", [[0, 0, 100, 50]], ("box-whole", False)),
    ],
)
def test_actions_on_boxes(
    box: list[float], word: str, left: list[list[float]] | None, issue: tuple[str, bool]
) -> None:
    assert checked(box, word) == (left, [issue])


def test_tiny_boxes() -> None:
    box = [5, 5, 8, 30]
    assert checked(box, min_side=3, first=(10, 10, 20, 20)) == ([box], [])
    assert checked(box, min_side=4, first=(10, 10, 20, 20)) == ([box], [("box-tiny", False)])
    assert checked(box, "box-tiny=drop-box", min_side=4, first=(10, 10, 20, 20)) == ([], [("box-tiny", True)])


def test_duplicates_are_boxes_of_one_class_that_nearly_agree() -> None:
    def issues_of(
        names: tuple[str, ...], *boxes: Sequence[float]
    ) -> tuple[int, list[tuple[str, int | None]]]:
        record = record_of(*boxes)
        record = type(record)(**{f: getattr(record, f) for f in record.__slots__} | {"names": names})
        left, issues = check(
            record, WIDTH, HEIGHT, Checks(policies.parse("default", ["box-duplicate=drop-box"]))
        )
        assert left is not None
        return len(left.names), [(issue.code, issue.box) for issue in issues]

    a, almost_a, other = [10, 10, 50, 40], [10, 10, 50.5, 40], [10, 10, 50, 44]
    assert issues_of(("x", "x"), a, almost_a) == (1, [("box-duplicate", 1)])
    assert issues_of(("x", "y"), a, almost_a) == (2, [])
    assert issues_of(("x", "x"), a, other) == (2, [])
    assert issues_of(("x", "y", "x", "x"), almost_a, a, a, a) == (
        2,
        [("box-duplicate", 2), ("box-duplicate", 3)],
    )


def test_twins_are_those_of_all_pairs() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        corners = random.uniform(0, 4, (12, 2))
        boxes_xyxy = np.hstack([corners, corners + random.uniform(30, 32, (12, 2))])
        names = tuple(random.choice(["a", "b"], 12))
        expected = {
            j
            for j in range(12)
            for i in range(j)
            if names[i] == names[j] and _iou(boxes_xyxy[i], boxes_xyxy[j]) > 0.95
        }
        assert set(twins_of(names, boxes_xyxy)) == expected


def test_presets() -> None:
    strict = policies.parse("strict", [])
    assert {code for code in CODES if strict.action(code) != "error"} == set(policies.HINTS)
    assert policies.parse("strict", ["box-outside=fix"]).action("box-outside") == "fix"
    assert policies.parse("default", []).chosen == {}
    assert policies.parse("default", ["box-outside=fix"]).chosen == {}
    assert policies.parse("lenient", []).action("image-damaged") == "drop-image"


@pytest.mark.parametrize(
    ("preset", "word", "message"),
    [
        ("mild", "", r"'mild' is none of default, lenient, strict"),
        ("default", "box-odd=fix", r"'box-odd' is no issue code; there are box-outside, "),
        ("default", "box-outsid=fix", r"'box-outsid' is no issue code; did you mean box-outside\?$"),
        ("default", "outside-box=fix", r"'outside-box' is no issue code"),
        ("strict", "class-fews=keep", r"'class-fews' is no issue code; did you mean class-few\?$"),
        ("default", "box-outside", r"names no action; choose fix, keep, drop-box, drop-image, error"),
        ("default", "box-not-finite=keep", r"'keep' cannot be done about box-not-finite; choose drop-box, "),
    ],
)
def test_words_that_are_none(preset: str, word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        policies.parse(preset, [word] if word else [])

"""Two models side by side: the table, what is said, the order of the images, and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import measured, tiny
from tests.helpers.browser import browser
from tests.helpers.pages import cards, data_of
from tfrec_tools.detector.data.index import index_records
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.differences import compare
from tfrec_tools.detector.evaluation.fates import KINDS, Fate, Kind
from tfrec_tools.detector.reports.compare_page import worst_first, write_page
from tfrec_tools.detector.reports.side_by_side import Compared, Side, compared, numbers, summary
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])
BOX = np.zeros(4, np.float32)


def _compared(known_to_a: Sequence[int] = (1, 2), images: int = 30) -> Compared:
    examples, first = measured.case(images)
    random = np.random.default_rng(1)
    second = [measured.found_in(example, random, noise=0.03, misses=0.3) for example in examples]
    first = [_of(detections, known_to_a) for detections in first]
    sides = (
        Side("a", frozenset(known_to_a), first, {1: 0.25}),
        Side("b", frozenset((1, 2, 3)), second, {}),
    )
    return compared(examples, *sides, LABELS, {"pink": 3})


def _of(detections: ImageDetections, ids: Sequence[int]) -> ImageDetections:
    kept = np.isin(detections.ids, ids)
    return ImageDetections(detections.boxes[kept], detections.scores[kept], detections.ids[kept])


def test_the_difference_is_the_paired_bootstraps() -> None:
    result = _compared()
    assert result.shared is not None
    same = compare(result.examples, result.first.detections, result.second.detections, LABELS, (1, 2))
    assert result.shared.change == same
    assert same is not None
    assert same.interval is not None
    total = [sum(line.counts.get(kind, 0) for line in result.lines[:2]) for kind in KINDS]
    assert [result.shared.counts.get(kind, 0) for kind in KINDS] == total


def test_a_class_that_a_cannot_know_is_not_lost() -> None:
    result = _compared()
    red, _, blue = result.lines
    assert (blue.is_won_alone, blue.first, blue.change) == (True, None, None)
    assert (red.scores, blue.scores) == ((0.25, 0.5), (None, 0.5))
    table = numbers(result)
    lost = table.headers.index("lost")
    assert [row.cells[lost] == "" for row in table.rows] == [False, False, True, False]
    assert [row.is_mean for row in table.rows] == [False, False, False, True]
    said = summary(result)
    assert "A is a, B is b, on 30 images." in said
    assert "Known to B alone: blue." in said
    assert "Left out: 3 boxes of classes that neither knows." in said


def test_models_without_a_common_class_have_no_mean() -> None:
    result = _compared()
    strangers = replace(result.second, ids=frozenset({3}))
    result = compared(result.examples, result.first, strangers, LABELS)
    assert result.shared is None
    assert "They have no class in common." in summary(result)


def test_the_worst_mistakes_come_first() -> None:
    def fate(kind: Kind, first: float | None, second: float | None) -> Fate:
        return Fate(kind, 1, BOX, first, second)

    images = [
        (),
        (fate("both", 0.99, 0.99),),
        (fate("won", None, 0.9),),
        (fate("new false alarm", None, 0.7), fate("lost", 0.6, None)),
        (fate("lost", 0.8, None),),
        (fate("new false alarm", None, 0.7),),
        (fate("missed", None, None), fate("false alarm of both", 0.9, 0.95)),
    ]
    assert worst_first(images) == [4, 3, 5, 2, 0, 1, 6]


def _write_page(folder: Path, count: int = 200) -> Path:
    """Three images, annotated for red alone, in which A finds nothing and B red and a false alarm."""
    labels = from_names(["red", "blue"])
    tiny.write_records(folder / "val.tfrecord", labels.names, 3, labeled=frozenset({"red"}))
    examples = index_records([str(folder / "val.tfrecord")], labels)
    boxes = [np.stack([example.boxes[0], [0.9, 0.9, 1.0, 1.0]]).astype(np.float32) for example in examples]
    seen = [
        ImageDetections(of_image, np.array([0.9, 0.6 + place / 10], np.float32), np.array([1, 1], np.int32))
        for place, of_image in enumerate(boxes)
    ]
    nothing = [_of(detections, ()) for detections in seen]
    both = frozenset((1, 2))
    result = compared(examples, Side("a", both, nothing, {}), Side("b", both, seen, {}), labels)
    assert write_page(folder / "compare.html", result, count) == min(count, 3)
    return folder / "compare.html"


@pytest.mark.parametrize("count", [2, 200])
def test_the_page_shows_what_became_of_each_box(tmp_path: Path, count: int) -> None:
    page = _write_page(tmp_path, count).read_bytes()
    shown = cards(page)
    assert [card["name"] for card in shown] == ["2.png", "1.png", "0.png"][:count]
    assert data_of(page)["kinds"] == list(KINDS)
    assert [(KINDS[box[1] >> 3], box[1] & 1, box[6]) for box in shown[0]["boxes"]] == [
        ("won", 0, " won B 0.90"),
        ("new false alarm", 1, " new false alarm B 0.80"),
    ]
    assert shown[0]["labeled"] == ["red"]
    assert (b"the 2 worst of 3 images" in page) == (count == 2)
    assert not (tmp_path / "compare_files").exists()


def test_the_page_in_a_browser(tmp_path: Path) -> None:
    page = _write_page(tmp_path)
    with browser(tmp_path / "profile") as opened:
        opened.open(page, 360, dark=True)
        assert opened.run("document.documentElement.scrollWidth") == 360
        kinds = "[...document.querySelectorAll('#kind option')].map(option => option.value)"
        assert opened.run(kinds) == ["", "won", "new false alarm"]
        opened.open(page, fragment="#kind=won")
        assert opened.run("document.querySelectorAll('g.dim:not(.label)').length") == 3
        opened.run("document.querySelectorAll('th button')[3].click()")  # won, the most first
        assert opened.run("document.querySelector('tbody tr').cells[3].textContent") == "3"
        assert opened.faults == []

"""The numbers of `tfrec evaluate`: pycocotools called by hand, VOC's 11 points and the confusion by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tfrec_tools.detector.data.index import IndexedExample
from tfrec_tools.detector.evaluation import charts, operating_points
from tfrec_tools.detector.evaluation.average_precision import ImageDetections
from tfrec_tools.detector.evaluation.measured import OperatingPoint
from tfrec_tools.detector.evaluation.metrics import confusion, measure, most_confused
from tfrec_tools.detector.evaluation.voc07 import average_precision_11
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])
LEFT, MIDDLE, RIGHT = ([0.1, left, 0.4, left + 0.25] for left in (0.05, 0.35, 0.65))


def annotated(
    boxes: Sequence[Sequence[float]],
    ids: Sequence[int],
    *,
    crowd: Sequence[bool] = (),
    difficult: Sequence[bool] = (),
    labeled: tuple[int, ...] = (1, 2, 3),
    size_px: int = 200,
) -> IndexedExample:
    """A square picture."""
    array = np.array(boxes, np.float32).reshape(-1, 4)
    none = [False] * len(ids)
    areas = np.prod(array[:, 2:].astype(np.float64) - array[:, :2], axis=1) * size_px**2
    return IndexedExample(
        example=b"",
        width=size_px,
        height=size_px,
        boxes=array,
        ids=np.array(ids, np.int32),
        crowd=np.array(crowd or none, bool),
        weights=np.ones(len(ids), np.float32),
        labeled=frozenset(labeled),
        difficult=np.array(difficult or none, bool),
        areas=areas,
    )


def found(boxes: Sequence[Sequence[float]], scores: Sequence[float], ids: Sequence[int]) -> ImageDetections:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return ImageDetections(array, np.array(scores, np.float32), np.array(ids, np.int32))


def _random_boxes(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    corners = random.uniform(0.0, 0.7, (count, 2))
    return np.concatenate([corners, corners + random.uniform(0.05, 0.3, (count, 2))], 1).astype(np.float32)


def _random_case(pictures: int) -> tuple[list[IndexedExample], list[ImageDetections]]:
    """Boxes of every size, some crowds; detections near them, doubled, of wrong classes, or of nothing."""
    random = np.random.default_rng(3)
    examples, seen = [], []
    for _ in range(pictures):
        boxes, ids = _random_boxes(random, 6), random.integers(1, 4, 6)
        crowd = random.uniform(size=6) < 0.2
        examples.append(annotated(boxes.tolist(), ids.tolist(), crowd=crowd.tolist(), size_px=400))
        near = np.concatenate(
            [boxes + random.normal(0, 0.01, (6, 4)), boxes + random.normal(0, 0.03, (6, 4))]
        )
        guesses = np.where(random.uniform(size=12) < 0.2, random.integers(1, 4, 12), np.tile(ids, 2))
        everything = np.concatenate([near, _random_boxes(random, 3)]).clip(0, 1)
        scores = np.sort(random.uniform(size=15))[::-1]
        seen.append(found(everything.tolist(), scores.tolist(), [*guesses, *random.integers(1, 4, 3)]))
    return examples, seen


def _by_hand(examples: Sequence[IndexedExample], seen: Sequence[ImageDetections]) -> list[float]:
    """COCOeval.summarize's six average precisions."""

    def xywh(box: NDArray[np.float32], size: int) -> list[float]:
        ymin, xmin, ymax, xmax = (float(edge) * size for edge in box)
        return [xmin, ymin, xmax - xmin, ymax - ymin]

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (example, one) in enumerate(zip(examples, seen, strict=True)):
        for box, label, crowd in zip(example.boxes, example.ids, example.crowd, strict=True):
            x, y, width, height = xywh(box, example.width)
            row = {"id": len(annotations) + 1, "image_id": image, "category_id": int(label)}
            area = width * height
            annotations.append(row | {"bbox": [x, y, width, height], "area": area, "iscrowd": int(crowd)})
        for box, score, label in zip(one.boxes, one.scores, one.ids, strict=True):
            seen_box = {"image_id": image, "category_id": int(label), "score": float(score)}
            results.append(seen_box | {"bbox": xywh(box, example.width)})
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(len(examples))],
        "categories": [{"id": label.id} for label in LABELS.labels],
        "annotations": annotations,
    }
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[:6].tolist()


def test_scores_are_those_of_pycocotools() -> None:
    examples, seen = _random_case(12)
    metrics = measure(examples, seen, LABELS, min_score=0.5, voc07=False)
    overall = metrics.overall
    ours = [overall.ap, overall.ap50, overall.ap75, overall.small, overall.medium, overall.large]
    assert ours == pytest.approx(_by_hand(examples, seen), abs=1e-9)
    assert all(0.05 < score < 0.95 for score in ours if score is not None)
    assert metrics.overall.ap == pytest.approx(np.mean([one.scores.ap for one in metrics.classes]))
    assert metrics.classes[0].scores.ap50 == pytest.approx(np.mean(metrics.classes[0].precision))
    assert metrics.boxes == sum(int((~example.crowd).sum()) for example in examples)


def test_sizes_go_by_the_records_area_and_are_none_where_there_are_no_such_boxes() -> None:
    example = annotated([LEFT], [1])  # 60 x 50 pixels: medium
    scores = measure([example], [found([LEFT], [0.9], [1])], LABELS, min_score=0.5, voc07=False).overall
    assert (scores.small, scores.medium, scores.large) == (None, pytest.approx(1.0), None)


def test_11_points_by_hand() -> None:
    """Three boxes; right, wrong, right, never the third. Recall 1/3 at precision 1 holds for the levels
    0 to 0.3, recall 2/3 at precision 2/3 for 0.4 to 0.6, and none for the other four."""
    example = annotated([LEFT, MIDDLE, RIGHT], [1, 1, 1])
    nothing = [0.6, 0.6, 0.9, 0.9]
    seen = found([LEFT, nothing, MIDDLE], [0.9, 0.8, 0.7], [1, 1, 1])
    assert average_precision_11([example], [seen], 1) == pytest.approx((4 * 1.0 + 3 * 2 / 3) / 11)


def test_11_points_find_a_box_once_and_leave_difficult_ones_out() -> None:
    example = annotated([LEFT, MIDDLE], [1, 1], difficult=[False, True])
    twice = found([LEFT, LEFT], [0.9, 0.8], [1, 1])
    assert average_precision_11([example], [twice], 1) == pytest.approx(1.0)
    doubled_first = found([MIDDLE, MIDDLE, LEFT], [0.9, 0.8, 0.7], [1, 1, 1])
    assert average_precision_11([example], [doubled_first], 1) == pytest.approx(1.0)
    wrong_first = found([RIGHT, LEFT], [0.9, 0.8], [1, 1])
    assert average_precision_11([example], [wrong_first], 1) == pytest.approx(0.5)


def test_11_points_of_a_class_without_boxes_or_detections() -> None:
    example = annotated([LEFT], [1])
    assert average_precision_11([example], [found([], [], [])], 1) == 0.0
    assert average_precision_11([example], [found([LEFT], [0.9], [2])], 2) is None


def test_11_points_say_nothing_of_a_class_that_a_picture_was_not_annotated_for() -> None:
    examples = [annotated([LEFT], [1]), annotated([], [], labeled=(2,))]
    seen = [found([LEFT], [0.8], [1]), found([LEFT], [0.9], [1])]
    assert average_precision_11(examples, seen, 1) == pytest.approx(1.0)


def test_the_confusion_counts_each_box_and_each_detection_once() -> None:
    example = annotated([LEFT, MIDDLE, RIGHT], [1, 1, 2])
    nothing = [0.6, 0.6, 0.9, 0.9]
    seen = found([LEFT, LEFT, MIDDLE, nothing, RIGHT], [0.9, 0.8, 0.7, 0.6, 0.4], [1, 1, 3, 2, 2])
    expected = np.zeros((4, 4), int)
    expected[0, 0] = 1  # red found
    expected[3, 0] = 1  # and found again
    expected[0, 2] = 1  # red taken for blue
    expected[3, 1] = 1  # green where nothing is
    expected[1, 3] = 1  # green missed, as its score is too low
    assert np.array_equal(confusion([example], [seen], LABELS, {}), expected)


def test_the_confusion_leaves_out_crowds_difficult_ones_and_unknown_classes() -> None:
    example = annotated([LEFT, MIDDLE], [1, 1], crowd=[True, False], difficult=[False, True], labeled=(1,))
    seen = found([LEFT, MIDDLE, MIDDLE, RIGHT], [0.9, 0.8, 0.7, 0.6], [1, 1, 1, 2])
    assert not confusion([example], [seen], LABELS, {}).any()


def test_the_operating_point_is_where_f1_is_best() -> None:
    """Three boxes; right, right, wrong, right, wrong: F1 is 2/4, 4/5, 4/6, 6/7, 6/8."""
    examples = [annotated([LEFT, MIDDLE], [1, 1]), annotated([RIGHT], [1])]
    nothing = [0.6, 0.6, 0.9, 0.9]
    seen = [
        found([LEFT, nothing, MIDDLE, nothing], [0.9, 0.6, 0.375, 0.25], [1, 1, 1, 1]),
        found([RIGHT], [0.8], [1]),
    ]
    point = operating_points.operating_point(examples, seen, 1)
    assert point is not None
    assert astuple(point) == ((0.375 + 0.25) / 2, 0.375, pytest.approx(3 / 4), 1.0)
    assert operating_points.operating_point(examples, seen, 2) is None
    metrics = measure(examples, seen, LABELS, min_score=None, voc07=False)
    assert metrics.confusion[:, 0].tolist() == [3, 0, 0, 1]
    f1 = metrics.classes[0].f1
    assert len(f1) == 101
    assert [f1[0], f1[25], f1[30], f1[50], f1[70], f1[85], f1[95]] == pytest.approx(
        [6 / 8, 6 / 8, 6 / 7, 4 / 6, 4 / 5, 2 / 4, 0.0]
    )


def test_what_is_most_confused_goes_by_the_share_of_the_class() -> None:
    example = annotated([LEFT, MIDDLE, RIGHT], [1, 1, 2])
    seen = found([LEFT, MIDDLE, RIGHT], [0.9, 0.8, 0.7], [1, 3, 1])
    metrics = measure([example], [seen], LABELS, min_score=0.5, voc07=False)
    pairs = [astuple(pair) for pair in most_confused(metrics)]
    assert pairs == [("green", "red", 1, 1.0), ("red", "blue", 1, 0.5)]
    assert len(most_confused(metrics, 1)) == 1


def test_the_operating_point_leaves_out_what_evaluation_leaves_out() -> None:
    examples = [annotated([LEFT, MIDDLE], [1, 1], difficult=[False, True]), annotated([], [], labeled=(2,))]
    seen = [found([MIDDLE, LEFT, LEFT], [0.9, 0.8, 0.7], [1, 1, 1]), found([LEFT], [0.95], [1])]
    point = operating_points.operating_point(examples, seen, 1)
    assert point is not None
    assert astuple(point) == (pytest.approx(0.75), pytest.approx(0.8), 1.0, 1.0)


def test_scores_come_back_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / operating_points.FILE
    assert operating_points.read_scores(file, LABELS) == {}
    file.write_text(operating_points.format_scores({"blue": OperatingPoint(0.25, 0.3, 0.5, 0.5)}))
    assert operating_points.read_scores(file, LABELS) == {3: 0.25}
    seen = found([LEFT, MIDDLE, RIGHT], [0.6, 0.4, 0.3], [1, 1, 3])
    assert operating_points.above_threshold(seen, {3: 0.25}).ids.tolist() == [1, 3]
    for text, reason in (
        ('{"pink": 0.5}', "class 'pink' is not"),
        ("[]", "is no"),
        ('{"blue": "x"}', "is no"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=f"scores.json: {reason}"):
            operating_points.read_scores(file, LABELS)


def test_charts_are_pictures_also_of_nothing(tmp_path: Path) -> None:
    for name, examples, seen in (
        ("some", *_random_case(2)),
        ("none", [annotated([], [])], [found([], [], [])]),
    ):
        metrics = measure(examples, seen, LABELS, min_score=0.5, voc07=True)
        odd = dict(zip(metrics.names, ("$\\frac", "\u732b \u0642\u0637", "\U0001f34e\ud800"), strict=True))
        classes = tuple(replace(of_class, name=odd[of_class.name]) for of_class in metrics.classes)
        metrics = replace(metrics, names=tuple(odd.values()), classes=classes)
        charts.save_precision_recall(metrics, tmp_path / f"{name}_curves.png")
        charts.save_f1(metrics, tmp_path / f"{name}_f1.png")
        charts.save_confusion(metrics, None, tmp_path / f"{name}_confusion.png")
    sizes = [Image.open(io.BytesIO(file.read_bytes())).size for file in tmp_path.iterdir()]
    assert len(sizes) == 6
    assert all(min(size) > 300 for size in sizes)

"""Results under the ids of the user's own annotation file: COCO's evaluation takes them as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.helpers import tiny
from tfrec_tools.detector.evaluation.coco_ids import (
    NamedDetection,
    read_coco_ids,
    results,
    write_results,
)
from tfrec_tools.detector.evaluation.evaluate import evaluate_model
from tfrec_tools.detector.inference.detect import detect_images
from tfrec_tools.detector.options.models import DetectOptions, EvaluateOptions
from tfrec_tools.errors import InputError

Box = tuple[str, str, tuple[float, float, float, float]]  # file, class, [x y width height]


def instances(path: Path, image_ids: dict[str, int], category_ids: dict[str, int], boxes: list[Box]) -> Path:
    document = {
        "images": [
            {"id": image_id, "file_name": name, "width": 64, "height": 64}
            for name, image_id in image_ids.items()
        ],
        "categories": [{"id": number, "name": name} for name, number in category_ids.items()],
        "annotations": [
            {
                "id": number,
                "image_id": image_ids[name],
                "category_id": category_ids[label],
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            for number, (name, label, box) in enumerate(boxes, start=1)
        ],
    }
    path.write_text(json.dumps(document))
    return path


def cocos_ap(truth_path: Path, results_path: Path) -> float:
    truth = COCO(str(truth_path))
    evaluation = COCOeval(truth, truth.loadRes(str(results_path)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def detection(name: str, label: str, box: tuple[float, ...], score: float = 0.9) -> NamedDetection:
    x, y, width, height = box
    return NamedDetection(name, (64, 64), label, (x, y, x + width, y + height), score)


@pytest.mark.parametrize("category_ids", [{"cat": 90, "dog": 17}, {"dog": 2, "cat": 1}, {"cat": 0, "dog": 5}])
@pytest.mark.parametrize("image_ids", [{"a.jpg": 391895, "b.jpg": 7}, {"b.jpg": 1, "a.jpg": 2}])
def test_what_is_found_as_annotated_has_a_precision_of_1(
    tmp_path: Path, category_ids: dict[str, int], image_ids: dict[str, int]
) -> None:
    boxes: list[Box] = [
        ("a.jpg", "cat", (1, 2, 30, 40)),
        ("b.jpg", "cat", (5, 6, 20, 20)),
        ("b.jpg", "dog", (30, 30, 20, 30)),
    ]
    truth = instances(tmp_path / "instances.json", image_ids, category_ids, boxes)
    rows, left_out = results(read_coco_ids(truth), [detection(*box) for box in boxes])
    write_results(tmp_path / "detections.json", rows)
    assert cocos_ap(truth, tmp_path / "detections.json") == pytest.approx(1)
    assert left_out.lines == []


def test_what_the_file_lacks_is_left_out_and_counted(tmp_path: Path) -> None:
    truth = instances(tmp_path / "i.json", {"a.jpg": 3, "x/b.jpg": 4, "y/b.jpg": 5}, {"cat": 9}, [])
    box = (0, 0, 9, 9)
    found = [
        *(detection(*pair, box) for pair in (("a.jpg", "cow"), ("a.jpg", "cow"), ("c.jpg", "cat"))),
        *(detection(name, "cat", box) for name in ("b.jpg", "/z/X/B.JPG", "y\\b.jpg", "z/a.jpg")),
    ]
    rows, left_out = results(read_coco_ids(truth), found)
    assert [row["image_id"] for row in rows] == [4, 5, 3]
    assert left_out.lines == [
        f"left out: 2 detections of 1 class that {truth} lacks, such as 'cow'",
        f"left out: 2 detections of 2 images that {truth} lacks, such as 'c.jpg'",
    ]


def test_boxes_are_scaled_to_the_annotated_image(tmp_path: Path) -> None:
    truth = instances(tmp_path / "i.json", {"a.jpg": 3}, {"cat": 9}, [])
    small = NamedDetection("a.jpg", (32, 16), "cat", (1, 2, 3, 5), 0.5)
    (row,), _ = results(read_coco_ids(truth), [small])
    assert row["bbox"] == [2, 8, 4, 12]


@given(ids=st.lists(st.integers(0, 10**9), min_size=3, max_size=3, unique=True), data=st.data())
def test_ids_go_by_name_whatever_they_are(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], data: st.DataObject
) -> None:
    names = dict(zip(data.draw(st.permutations(["cat", "dog", "1"])), ids, strict=True))
    images = dict(zip(data.draw(st.permutations(["1.jpg", "0/1.jpg", "2.png"])), reversed(ids), strict=True))
    truth = instances(tmp_path_factory.mktemp("i") / "i.json", images, names, [])
    found = [detection(image, name, (0, 0, 1, 1)) for image in images for name in names if "/" in image]
    rows, _ = results(read_coco_ids(truth), found)
    assert [(row["image_id"], row["category_id"]) for row in rows] == [
        (images["0/1.jpg"], number) for number in names.values()
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "expected COCO instances"),
        ("[]", "expected COCO instances"),
        ('{"images": [{"file_name": "a.jpg"}], "categories": []}', "expected COCO instances"),
    ],
)
def test_what_is_no_annotation_file(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "i.json").write_text(text)
    with pytest.raises(InputError, match=f"i.json: {reason}"):
        read_coco_ids(tmp_path / "i.json")
    with pytest.raises(InputError, match=r"none.json: cannot be read \(No such file"):
        read_coco_ids(tmp_path / "none.json")


def test_numbers_that_json_forbids(tmp_path: Path) -> None:
    truth = instances(
        tmp_path / "i.json", {"a.jpg": 3}, {"cat": 9}, [("a.jpg", "cat", (0, 0, float("nan"), 1))]
    )
    assert read_coco_ids(truth).categories == {"cat": 9}


def read_results(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    return rows


def test_detect_and_evaluate_write_the_same_ids(tmp_path: Path) -> None:
    model = tiny.model_folder(tmp_path / "model", "red", "blue")
    records = tiny.write_records(tmp_path / "val.tfrecord", ["red", "blue"], 3)
    images = {f"images/{number}.png": 1000 - number for number in range(3)}
    truth = instances(tmp_path / "i.json", images, {"blue": 17, "cow": 90}, [])
    notes: list[str] = []
    evaluate_model(
        EvaluateOptions(model=model, records=str(records), out=tmp_path / "measured", like=truth),
        notes.append,
    )
    summary = detect_images(
        DetectOptions(str(records), model=model, out=tmp_path / "found", like=truth, score=0.0)
    )
    assert summary.left_out == tuple(notes)
    assert "of 1 class that" in notes[0]
    assert "'red'" in notes[0]
    measured, found = (read_results(tmp_path / name / "detections.json") for name in ("measured", "found"))
    assert {row["category_id"] for row in measured} == {row["category_id"] for row in found} == {17}
    assert {row["image_id"] for row in measured} == {row["image_id"] for row in found} == {998, 999, 1000}
    np.testing.assert_allclose(
        sorted(row["bbox"] for row in measured), sorted(row["bbox"] for row in found), atol=0.02
    )
    cocos_ap(truth, tmp_path / "found/detections.json")


def test_evaluate_has_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--like: its results are written into --out; give --out DIR"):
        evaluate_model(EvaluateOptions(model="x", records="y", like=tmp_path / "i.json"))

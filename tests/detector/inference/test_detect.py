"""`tfrec detect`: inputs of every kind, the files that come out, and what cannot be used."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.helpers import tiny
from tests.helpers.command import without_progress
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import image_record
from tfrec_tools.detector.data.images import decoded
from tfrec_tools.detector.data.inputs import input_images
from tfrec_tools.detector.evaluation.average_precision import ImageDetections, find
from tfrec_tools.detector.evaluation.coco_ids import write_results
from tfrec_tools.detector.inference.detect import detect_images
from tfrec_tools.detector.inference.predictor import finder
from tfrec_tools.detector.inference.result_files import Row, coco_results, rows, write_csv
from tfrec_tools.detector.options.models import DetectOptions
from tfrec_tools.detector.reports import images
from tfrec_tools.errors import InputError
from tfrec_tools.formats.registry import read
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example

LABELS = from_names(["red", "blue"])


def _picture(path: Path, size_wh: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size_wh, (200, 30, 30)).save(path)
    return path


def test_files_folders_and_records_are_read(tmp_path: Path) -> None:
    one = _picture(tmp_path / "one.webp")
    _picture(tmp_path / "folder" / "below" / "two.jpg")
    _picture(tmp_path / "folder" / "three.bmp")
    tiny.write_records(tmp_path / "set.tfrecord", ["red"], 2)
    found = list(input_images([str(one), str(tmp_path / "folder"), str(tmp_path / "set.tfr*")]))
    assert [item.name for item in found] == ["one.webp", "two.jpg", "three.bmp", "0.png", "1.png"]
    assert len({item.image_id for item in found}) == 5
    assert all(item.data.startswith((b"\xff\xd8\xff", b"\x89PNG")) for item in found)
    assert [issue.code for item in found for issue in item.issues] == ["image-transcoded"] * 2


def test_records_keep_their_source_id_where_it_is_a_new_number(tmp_path: Path) -> None:
    encoded = _picture(tmp_path / "a.png").read_bytes()
    examples = [
        encode_example(
            image_record(image_id=name, filename="a.png", source="t", width=40, height=30),
            EncodedImage(encoded, "png", 40, 30),
            {},
        )
        for name in ("7", "9", "7")
    ]
    framing.write(tmp_path / "set.tfrecord", examples)
    assert [one.image_id for one in input_images([str(tmp_path / "set.tfrecord")])] == [7, 9, 10]


def test_a_damaged_picture_has_no_data_but_an_issue(tmp_path: Path) -> None:
    whole = _picture(tmp_path / "cut.jpg", (400, 300)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (one,) = input_images([str(tmp_path / "cut.jpg")])
    assert (one.data, [issue.code for issue in one.issues]) == (b"", ["image-damaged"])


def test_what_cannot_be_read_does_not_keep_the_others_away(tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "c.png")
    (tmp_path / "in" / "a.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "in" / "b.png")
    os.mkfifo(tmp_path / "in" / "d.png")
    found = list(input_images([str(tmp_path / "in")]))
    assert [bool(image.data) for image in found if image.name == "c.png"] == [True]
    issues = [issue for image in found for issue in image.issues]
    assert {issue.code for issue in issues} == {"image-damaged"}
    assert any(issue.message.startswith("a.png: cannot be read (No such file") for issue in issues)


@pytest.mark.parametrize(
    ("word", "found"), [("nowhere", "not found: no image"), ("", "neither images nor record files")]
)
def test_what_names_nothing_is_an_error(tmp_path: Path, word: str, found: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=found):
        list(input_images([str(tmp_path / word)]))


def test_pictures_and_records_of_them_are_seen_alike(tmp_path: Path) -> None:
    """Whatever way a picture comes, the same boxes are found."""
    from tfrec_tools.detector.data.index import index_records

    detector = tiny.detector("red", "blue")
    records = tiny.write_records(tmp_path / "set.tfrecord", ["red", "blue"], 3)
    expected = find(detector, index_records([str(records)], detector.labels), detector.labels)
    arrays = [np.array(Image.open(io.BytesIO(one.data))) for one in input_images([str(records)])]
    for ours, theirs in zip(finder(detector)(arrays), expected, strict=True):
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-6)
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-6)
        assert np.array_equal(ours.ids, theirs.ids)


def _rows() -> list[Row]:
    boxes = np.array([[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0]], np.float32)
    found = ImageDetections(boxes, np.array([0.9, 0.25], np.float32), np.array([2, 1], np.int32))
    return rows(7, "a.jpg", (200, 100), found, LABELS)


def test_cocos_results_are_read_by_pycocotools(tmp_path: Path) -> None:
    write_results(tmp_path / "detections.json", coco_results(_rows()))
    truth = COCO()
    truth.dataset = {"images": [{"id": 7}], "categories": [{"id": 1}, {"id": 2}], "annotations": []}
    truth.createIndex()
    annotations = truth.loadRes(str(tmp_path / "detections.json")).dataset["annotations"]
    assert [(one["bbox"], one["category_id"], one["score"]) for one in annotations] == [
        ([40.0, 10.0, 80.0, 40.0], 2, 0.9),
        ([0.0, 0.0, 200.0, 100.0], 1, 0.25),
    ]


def test_the_csv_is_a_source_for_convert(tmp_path: Path) -> None:
    write_csv(tmp_path / "detections.csv", _rows())
    (record,) = read(tmp_path / "detections.csv").records
    assert (record.filename, record.names) == ("a.jpg", ("blue", "red"))
    np.testing.assert_allclose(record.boxes_xyxy, [[40, 10, 120, 50], [0, 0, 200, 100]])


def test_a_box_is_drawn_where_it_is() -> None:
    picture = Image.new("RGB", (200, 100), "black")
    found = ImageDetections(
        np.array([[0.3, 0.25, 0.9, 0.75]], np.float32), np.ones(1, np.float32), np.ones(1, np.int32)
    )
    images.draw(picture, found, LABELS)
    drawn = np.asarray(picture).max(axis=2) > 0
    assert drawn[32:88, 50:52].all()
    assert drawn[89, 52:148].all()
    assert not drawn[35:87, 55:145].any()
    assert not drawn[:, 155:].any()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.model_folder(tmp_path_factory.mktemp("inputs") / "model", "red", "blue")


def detect(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfrec_tools", "detect", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_of_detections(model: Path, tmp_path: Path) -> None:
    for place in ("a/x.png", "b/x.png", "b/y.jpg"):
        _picture(tmp_path / "in" / place)
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    done = detect(tmp_path / "in", "--model", model, "--out", tmp_path / "out", "--score", 0, "--batch", 2)
    assert done.returncode == 1
    err = without_progress(done.stderr)
    assert err.startswith("tfrec: error: passed over: 1 damaged image: bad.jpg")
    assert len(err.splitlines()) == 1
    assert "boxes in 3 images" in done.stdout
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == [
        "detections.csv", "detections.json", "drawn/x.png", "drawn/x_2.png", "drawn/y.png", "made_of.json"
    ]  # fmt: skip
    (model / "scores.json").write_text('{"red": 0.0, "blue": 1.0}')
    detect_images(DetectOptions(str(tmp_path / "in" / "a"), model=model, out=tmp_path / "again"))
    (model / "scores.json").unlink()
    with (tmp_path / "again" / "detections.csv").open(newline="") as file:
        assert {row["class"] for row in csv.DictReader(file)} == {"red"}
    results = json.loads((tmp_path / "out" / "detections.json").read_text())
    with (tmp_path / "out" / "detections.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(results) == len(table) > 0
    assert {row["file_name"] for row in results} <= {"x.png", "y.jpg"}


def test_nothing_is_left_where_nothing_can_be_done(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    for word, found in (("bad.jpg", "no sound image (bad.jpg"), ("nowhere*", "not found")):
        done = detect(tmp_path / word, "--model", model, "--out", tmp_path / "out")
        assert (done.returncode, len(without_progress(done.stderr).splitlines())) == (1, 1)
        assert found in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jpg"]


def test_a_damaged_image_of_a_record_is_passed_over(tmp_path: Path) -> None:
    """Which only decoding tells, as a record's image is not looked at before."""
    whole = _picture(tmp_path / "a.png").read_bytes()
    record = image_record(image_id="1", filename="a.png", source="t", width=40, height=30)
    examples = [encode_example(record, EncodedImage(data, "png", 40, 30), {}) for data in (b"none", whole)]
    framing.write(tmp_path / "set.tfrecord", examples)
    issues: list[Issue] = []
    ((image, pixels),) = decoded(input_images([str(tmp_path / "set.tfrecord")]), issues)
    assert (image.data, pixels.shape) == (whole, (30, 40, 3))
    ((code, message),) = [(issue.code, issue.message) for issue in issues]
    assert code == "image-damaged"
    assert re.fullmatch(r"a\.png: TensorFlow cannot decode it \([^{]*\)", message)

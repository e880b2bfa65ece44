"""`tfrec export`: each format is run, and gives what the original gives."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from tests.helpers import tiny
from tests.helpers.command import without_progress
from tfrec_tools.annotations.records import image_record
from tfrec_tools.detector.data.images import decode_image
from tfrec_tools.detector.data.inputs import input_images
from tfrec_tools.detector.data.resize import preprocess
from tfrec_tools.detector.export import onnx, saved_model, tflite
from tfrec_tools.detector.export.agreement import Answer, Tolerance, agrees, compare, original
from tfrec_tools.detector.export.entry import Entry
from tfrec_tools.detector.export.export import _sample_images, export_model
from tfrec_tools.detector.export.exported import Agreement
from tfrec_tools.detector.export.labels_file import label_lines
from tfrec_tools.detector.export.pixels import pixels_of
from tfrec_tools.detector.inference.predictor import finder
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import load_detector
from tfrec_tools.detector.options.models import ExportFormat, ExportOptions, ImageInput
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.label_map import Label, LabelMap
from tfrec_tools.tfrecords import framing
from tfrec_tools.tfrecords.example import encode_example

IMAGE = np.random.default_rng(5).integers(0, 255, (48, 80, 3), np.uint8)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    tiny.model_folder(folder / "model", "red", "blue")
    tiny.write_records(folder / "val.tfrecord", ["red", "blue"], 3)
    return folder


def export(inputs: Path, to: ExportFormat, out: Path, *, records: bool = False) -> Agreement:
    patterns = (str(inputs / "val.tfrecord"),) if records else ()
    return export_model(ExportOptions(model=inputs / "model", to=to, out=out, records=patterns)).agreement


def test_the_saved_model_has_tfods_signature(inputs: Path, tmp_path: Path) -> None:
    agreement = export(inputs, "saved_model", tmp_path / "out")
    assert (agreement.lost, agreement.compared) == (0, 10)
    assert agreement.raw_scores < 1e-5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "checkpoint", "label_map.pbtxt", "labels.txt", "made_of.json", "pipeline.config", "saved_model"
    ]  # fmt: skip
    loaded = tf.saved_model.load(str(tmp_path / "out" / "saved_model"))
    signature = loaded.signatures["serving_default"]
    (given,) = signature.structured_input_signature[1].values()
    assert (given.name, given.dtype, given.shape.as_list()) == ("input_tensor", tf.uint8, [1, None, None, 3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
        signature(input_tensor=tf.constant(np.stack([IMAGE, IMAGE])))
    detector = load_detector(inputs / "model")
    expected = original(detector, IMAGE)
    outputs = {
        name: value.numpy() for name, value in signature(input_tensor=tf.constant(IMAGE[None])).items()
    }
    assert all(value.dtype == np.float32 for value in outputs.values())
    anchors, most = len(expected.raw_boxes), tiny.ssd_config(detector.config).nms.max_total
    assert {name: value.shape for name, value in outputs.items()} == {
        "detection_boxes": (1, most, 4),
        "detection_scores": (1, most),
        "detection_classes": (1, most),
        "num_detections": (1,),
        "raw_detection_boxes": (1, anchors, 4),
        "raw_detection_scores": (1, anchors, 3),
        "detection_anchor_indices": (1, most),
        "detection_multiclass_scores": (1, most, 3),
    }
    count = int(outputs["num_detections"][0])
    assert count == len(expected.ids) > 3
    np.testing.assert_allclose(outputs["detection_boxes"][0, :count], expected.boxes, atol=1e-5)
    assert np.array_equal(outputs["detection_classes"][0, :count], expected.ids)
    anchors_of = outputs["detection_anchor_indices"][0, :count].astype(int)
    clipped = np.clip(expected.raw_boxes[anchors_of], 0, 1)
    np.testing.assert_allclose(clipped, expected.boxes, atol=1e-5)
    multiclass = outputs["detection_multiclass_scores"][0, :count]
    np.testing.assert_allclose(multiclass[np.arange(count), expected.ids], expected.scores, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ssd_mobilenet_v2_fpnlite", "faster_rcnn_resnet50", "center_net_mobilenet_v2_fpn"]
)
def test_a_saved_model_gives_what_tfods_own_gives(shared: Path, tmp_path: Path, name: str) -> None:
    folder = shared / "tfod" / name
    saved_model.write(load_detector(folder), tmp_path / "saved_model", Entry())
    expected = np.load(folder / "expected_inference.npz")
    picture = np.array(Image.open(folder / "image1.png").convert("RGB"))
    outputs = tf.saved_model.load(str(tmp_path / "saved_model"))(picture[None])
    theirs = {key.removeprefix("im1/det/"): expected[key] for key in expected if key.startswith("im1/det/")}
    theirs["detection_classes"] = theirs["detection_classes"] + 1  # as TFOD's exporter does
    # TFOD's CenterNet says nothing of what was not detected.
    more = {"raw_detection_boxes", "raw_detection_scores", "detection_anchor_indices"}
    assert outputs.keys() == theirs.keys() | (more if name.startswith("center_net") else set())
    for key, values in theirs.items():
        swapped = np.abs(outputs[key].numpy() - values) > 1e-3
        assert swapped.mean() <= 0.04, key  # scores that differ by less than float32 can tell
    for key in {"raw_detection_scores", "detection_scores", "num_detections"} & theirs.keys():
        np.testing.assert_allclose(outputs[key], theirs[key], atol=1e-3, err_msg=key)


KINDS: tuple[ImageInput, ...] = ("image", "float", "encoded", "tf_example")


def _sent(kind: ImageInput, images: Sequence[NDArray[np.uint8]]) -> tf.Tensor:
    """What clients of TFOD's exports send."""
    if kind in ("image", "float"):
        return tf.constant(np.stack(images).astype(np.uint8 if kind == "image" else np.float32))
    encoded = [tf.io.encode_png(image).numpy() for image in images]
    if kind == "tf_example":
        record = image_record(image_id="1", filename="a.png", source="tests", width=80, height=48)
        encoded = [encode_example(record, EncodedImage(data, "png", 80, 48), {}) for data in encoded]
    return tf.constant(encoded)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batches", [False, True])
def test_whatever_comes_in_the_network_sees_the_same(kind: ImageInput, batches: bool) -> None:
    config = tiny.config()
    images = [IMAGE, IMAGE[:, ::-1]] if batches else [IMAGE]
    entry = Entry(kind, batches)
    canvases = tf.function(lambda sent: entry.canvases(config, sent), input_signature=[entry.spec])
    for row, (canvas, window) in enumerate(zip(*canvases(_sent(kind, images)), strict=True)):
        expected = preprocess(config, tf.constant(images[row]))
        assert np.array_equal(canvas, expected[0])
        assert np.array_equal(window, expected[1])
    assert np.array_equal(canvases(entry.fed(np.stack(images)))[0], canvases(_sent(kind, images))[0])


CLIENT = """
import sys
import numpy as np
import tensorflow as tf
folder = sys.argv[1]
signature = tf.saved_model.load(folder + "/saved_model").signatures["serving_default"]
sent = np.load(folder + "/sent.npy", allow_pickle=True)
outputs = signature(input_tensor=tf.constant(sent.tolist() if sent.dtype == object else sent))
np.savez(folder + "/said.npz", **{name: value.numpy() for name, value in outputs.items()})
"""


def _served(folder: Path, sent: tf.Tensor) -> dict[str, NDArray[np.float32]]:
    """What a SavedModel says in a process that knows nothing of us."""
    np.save(folder / "sent.npy", sent.numpy())
    subprocess.run([sys.executable, "-c", CLIENT, str(folder)], check=True, capture_output=True)
    with np.load(folder / "said.npz") as said:
        return dict(said)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_image_of_a_batch_has_its_own_answer(inputs: Path, tmp_path: Path, kind: ImageInput) -> None:
    detector = load_detector(inputs / "model")
    saved_model.write(detector, tmp_path / "saved_model", Entry(kind, batches=True))
    images = [IMAGE, IMAGE[::-1], IMAGE[:, ::-1]]
    if kind in ("encoded", "tf_example"):
        images[1] = IMAGE[:20, :30]  # of another size
    outputs = _served(tmp_path, _sent(kind, images))
    assert {len(value) for value in outputs.values()} == {3}  # as rows of TensorFlow Serving's REST have to
    for row, expected in enumerate(finder(detector)(images)):
        count = int(outputs["num_detections"][row])
        assert np.array_equal(outputs["detection_classes"][row, :count], expected.ids)
        np.testing.assert_allclose(outputs["detection_scores"][row, :count], expected.scores, atol=1e-5)
        np.testing.assert_allclose(outputs["detection_boxes"][row, :count], expected.boxes, atol=1e-5)
        raw = original(detector, images[row])
        np.testing.assert_allclose(outputs["raw_detection_scores"][row], raw.raw_scores, atol=1e-5)
        anchors = outputs["detection_anchor_indices"][row, :count].astype(int)
        np.testing.assert_allclose(np.clip(raw.raw_boxes[anchors], 0, 1), expected.boxes, atol=1e-5)


@pytest.mark.parametrize(
    ("to", "words", "reason"),
    [
        ("onnx", {"input": "encoded"}, "--input encoded: is for --to saved_model; onnx takes pixels"),
        ("tflite", {"batches": True}, "--batches: is for --to saved_model and onnx; tflite takes one image"),
        ("checkpoint", {"batches": True}, "checkpoint holds no function"),
    ],
)
def test_an_input_that_a_format_has_not_is_refused(
    tmp_path: Path, to: ExportFormat, words: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        export_model(ExportOptions(model=tmp_path, to=to, out=tmp_path / "out", **words))


def _interpreter(path: Path) -> tf.lite.Interpreter:
    with pytest.warns(UserWarning, match="Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    return interpreter


def test_tflite_gives_boxes_classes_from_0_scores_and_a_count(inputs: Path, tmp_path: Path) -> None:
    agreement = export(inputs, "tflite", tmp_path / "out")
    assert agreement.lost == 0
    assert agreement.raw_scores < 1e-5
    path = tmp_path / "out" / "model.tflite"
    interpreter = _interpreter(path)
    (given,) = interpreter.get_input_details()
    assert (given["dtype"], given["shape"].tolist()) == (np.float32, [1, 64, 64, 3])
    canvas = np.random.default_rng(2).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    interpreter.set_tensor(given["index"], canvas)
    interpreter.invoke()
    boxes, classes, scores, count = (
        interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()
    )
    most = 100
    assert (boxes.shape, classes.shape, scores.shape, count.shape) == (
        (1, most, 4),
        (1, most),
        (1, most),
        (1,),
    )
    assert set(np.unique(classes)) == {0.0, 1.0}
    assert np.array_equal(scores, np.sort(scores)[:, ::-1])
    named = interpreter.get_signature_runner()(input=canvas)
    for place, value in enumerate((count, scores, classes, boxes)):  # as TFOD's TF 2 models have them
        np.testing.assert_array_equal(named[f"output_{place}"], value)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.read("labelmap.txt").decode() == "red\nblue\n"
    assert (tmp_path / "out" / "labels.txt").read_text(encoding="utf-8") == "red\nblue\n"
    assert b"TFLITE_METADATA" in path.read_bytes()
    assert b"M001" in path.read_bytes()


@pytest.mark.slow
def test_eight_bits_take_the_bytes_of_a_picture(inputs: Path, tmp_path: Path) -> None:
    agreement = export(inputs, "tflite-int8", tmp_path / "out", records=True)
    assert 0.0 < agreement.raw_scores < 0.3
    interpreter = _interpreter(tmp_path / "out" / "model.tflite")
    (given,) = interpreter.get_input_details()
    assert (given["dtype"], given["quantization"]) == (np.uint8, (1.0, 0))


@pytest.mark.slow
def test_weights_in_float16_keep_what_tflite_has(inputs: Path, tmp_path: Path) -> None:
    detector = load_detector(inputs / "model")
    for name, half in (("whole", False), ("half", True)):
        tflite.write(detector, tmp_path / name, None, half=half)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.7 * sizes[0]
    answers = [tflite.run(tmp_path / name, detector, IMAGE) for name in ("whole", "half")]
    agreement = compare(answers[1], answers[0], Tolerance(1e-2, 1e-3, 1e-2, 0))
    assert 0.0 < agreement.raw_scores < 1e-2
    assert agreement.lost == 0
    data = (tmp_path / "half").read_bytes()
    assert b"use_regular_nms" in data  # suppressed class by class
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["labelmap.txt"]


def test_any_images_calibrate(tmp_path: Path) -> None:
    """Records of classes that the model does not know, image files, and a folder with a damaged one."""
    tiny.write_records(tmp_path / "other.tfrecord", ["green"], 2)
    (tmp_path / "photos").mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "photos/a.jpg")
    (tmp_path / "photos/b.jpg").write_bytes(b"none")
    images = _sample_images([str(tmp_path / "other.tfrecord"), str(tmp_path / "photos")])
    assert [image.shape for image in images] == [(64, 64, 3), (64, 64, 3), IMAGE.shape]
    _damaged_records(tmp_path / "damaged.tfrecord", tmp_path / "photos/a.jpg")
    assert len(_sample_images([str(tmp_path / "damaged.tfrecord")])) == 1
    (tmp_path / "photos/a.jpg").unlink()
    with pytest.raises(InputError, match="photos: holds no sound image"):
        _sample_images([str(tmp_path / "photos")])


def _damaged_records(path: Path, photo: Path) -> None:
    """Three, of which one is whole."""
    whole = photo.read_bytes()
    record = image_record(image_id="1", filename="a.jpg", source="t", width=80, height=48)
    damaged = (b"none", whole, whole[:200])
    framing.write(path, [encode_example(record, EncodedImage(data, "jpeg", 80, 48), {}) for data in damaged])


def test_images_that_calibrate_are_spread_over_all(tmp_path: Path) -> None:
    tiny.write_records(tmp_path / "many.tfrecord", ["red"], 450)
    images = _sample_images([str(tmp_path / "many.tfrecord")])
    pixels = [
        decode_image(image.data, "").tobytes() for image in input_images([str(tmp_path / "many.tfrecord")])
    ]
    numbers = [pixels.index(image.tobytes()) for image in images]
    assert (len(numbers), numbers[0]) == (100, 0)
    assert np.all((np.diff(numbers) > 0) & (np.diff(numbers) <= 8))
    assert numbers[-1] > 440


def test_onnx_runs_in_onnxruntime(inputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    agreement = export(inputs, "onnx", tmp_path / "out")
    assert agreement.lost == 0
    assert agreement.raw_scores < 1e-5
    session = runtime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    (given,) = session.get_inputs()
    assert (given.name, given.type) == ("input_tensor", "tensor(uint8)")
    assert len(session.run(["detection_anchor_indices"], {"input_tensor": IMAGE[None]})[0][0]) == 100


@pytest.mark.slow
def test_onnx_answers_for_each_image_of_a_batch(inputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    detector = load_detector(inputs / "model")
    onnx.write(detector, tmp_path / "model.onnx", Entry(batches=True))
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    assert {value.shape[0] for value in (*session.get_inputs(), *session.get_outputs())} == {"batch"}
    names = ["num_detections", "detection_classes", "detection_scores", "detection_boxes"]
    images = [IMAGE, IMAGE[::-1], IMAGE[:, ::-1]]
    rows = zip(*session.run(names, {"input_tensor": np.stack(images)}), strict=True)
    for (count, classes, scores, boxes), expected in zip(rows, finder(detector)(images), strict=True):
        assert np.array_equal(classes[: int(count)], expected.ids)
        np.testing.assert_allclose(scores[: int(count)], expected.scores, atol=1e-5)
        np.testing.assert_allclose(boxes[: int(count)], expected.boxes, atol=1e-5)


def test_a_checkpoint_is_the_model_itself(inputs: Path, tmp_path: Path) -> None:
    assert export(inputs, "checkpoint", tmp_path / "out") == Agreement(0.0, 0.0, 0.0, 0, 10)
    before, after = (load_detector(path) for path in (inputs / "model", tmp_path / "out"))
    values = [detectors.values(one.network) for one in (before, after)]
    assert all(np.array_equal(values[0][path], values[1][path]) for path in values[0])


def test_a_normalisation_is_found_from_what_it_does() -> None:
    config = tiny.config()
    pixels = pixels_of(config)
    np.testing.assert_allclose([*pixels.mean, *pixels.std], [127.5] * 6, rtol=1e-6)
    values = np.array([[0.0, 100.0, 255.0]], np.float32)
    np.testing.assert_allclose(pixels.normalised(values), [[-1.0, 100 / 127.5 - 1, 1.0]], atol=1e-6)
    np.testing.assert_allclose(pixels.bytes_of(np.asarray(pixels.normalised(values))), values, atol=1e-4)


def test_label_lines_keep_the_place_of_ids_that_no_class_has() -> None:
    labels = LabelMap((Label(3, "blue"), Label(1, "red")), "t")
    assert label_lines(labels) == "red\n???\nblue\n"


@pytest.mark.parametrize("name", ["a\nb", "a\r", "a\u2028b", "a\x85", "a\x0bb"])
def test_a_name_of_several_lines_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"t: id 1: 'a\\.*' has a line break, which labels.txt cannot say"):
        label_lines(LabelMap((Label(1, name),), "t"))


def _answer(scores: list[float], ids: list[int], left: float = 0.1, raw: float = 0.5) -> Answer:
    boxes = np.array([[0.1, left, 0.4, left + 0.3]] * len(ids), np.float32)
    return Answer(boxes, np.array(scores, np.float32), np.array(ids, np.int32), boxes, np.full((2, 2), raw))


@pytest.mark.parametrize(
    ("ours", "lost"),
    [
        (_answer([0.9, 0.8], [1, 2]), 0),
        (_answer([0.8, 0.9], [2, 1]), 0),  # another order of like scores is no difference
        (_answer([0.9, 0.8], [1, 1]), 1),
        (_answer([0.9], [1]), 1),
        (_answer([0.9, 0.7], [1, 2]), 1),
        (_answer([0.9, 0.8], [1, 2], left=0.2), 2),
    ],
)
def test_what_counts_as_the_same_detections(ours: Answer, lost: int) -> None:
    tolerance = Tolerance(raw_scores=1e-3, raw_mean=1e-4, box=5e-3, lost=0)
    found = compare(ours, _answer([0.9, 0.8], [1, 2]), tolerance)
    assert found.lost == lost
    assert agrees(found, tolerance) == (lost == 0)


def test_other_scores_before_suppression_are_no_agreement() -> None:
    tolerance = Tolerance(raw_scores=1e-3, raw_mean=1e-4, box=5e-3, lost=0)
    found = compare(_answer([0.9], [1], raw=0.51), _answer([0.9], [1]), tolerance)
    assert (found.lost, found.raw_scores) == (0, pytest.approx(0.01))
    assert not agrees(found, tolerance)


def test_nothing_is_left_where_there_is_nothing_to_calibrate_with(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(TfrecError, match="needs --records"):
        export(inputs, "tflite-int8", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def run_cli(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfrec_tools", "export", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command_says_how_near_the_copy_is(inputs: Path, tmp_path: Path) -> None:
    words = ("--model", inputs / "model", "--to", "tflite", "--out", tmp_path / "out")
    done = run_cli(*words)
    assert (done.returncode, without_progress(done.stderr)) == (0, "")
    assert "Beside the original, scores differ by at most" in done.stdout
    again = run_cli(*words)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[0].startswith("Finished before, by the same command")
    assert again.stdout.splitlines()[1:] == done.stdout.splitlines()
    other = run_cli(*words[:3], "tflite-fp16", *words[4:])
    assert (other.returncode, len(other.stderr.splitlines())) == (1, 1)
    assert "out: is there already, of other options (--to was tflite, is tflite-fp16)" in other.stderr

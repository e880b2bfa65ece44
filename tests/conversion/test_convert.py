"""Conversion as a whole: exact boxes in TensorFlow, the same bytes from any number of workers, sets that
are whole or not there."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import google_crc32c
import numpy as np
import pytest

from tests.helpers.sets import contents, parsed
from tests.helpers.small_sets import SCENES, WRITERS, Box, Scene, coco, csv, save_picture, save_pictures, voc
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.publish import Refused
from tfrec_tools.dataset.shards import record_files
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map
from tfrec_tools.tfrecords import example, features, framing


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A COCO file with its images beside it."""
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


def spec_of(tf: Any) -> dict[str, Any]:
    """The parsing specification that the table of features describes."""
    kinds = {"bytes": tf.string, "float": tf.float32, "int64": tf.int64}
    return {
        key: tf.io.FixedLenFeature([], kinds[feature.kind])
        if feature.shape == "()"
        else tf.io.RaggedFeature(kinds[feature.kind])
        for key, feature in features.FEATURES.items()
    }


@pytest.mark.parametrize("kind", WRITERS)
def test_tensorflow_reads_exactly_the_boxes_that_went_in(tmp_path: Path, kind: str) -> None:
    tf = pytest.importorskip("tensorflow")
    save_pictures(tmp_path / "images")
    out = tmp_path / "out"
    convert(ConvertOptions(WRITERS[kind](tmp_path), out / "new", shards=2))
    spec = spec_of(tf)
    data_set = tf.data.TFRecordDataset([str(path) for path in record_files([f"{out}/new-*"])])
    ids = read_label_map(out / "new.label_map.pbtxt").id_by_name
    scenes = {scene[0]: scene for scene in SCENES}
    for found in data_set.map(lambda data: tf.io.parse_single_example(data, spec)):
        name = found[features.IMAGE_FILENAME].numpy().decode()
        _, width, height, boxes = scenes.pop(name)
        for key, at, size in (
            (features.BOX_XMIN, 0, width),
            (features.BOX_YMIN, 1, height),
            (features.BOX_XMAX, 2, width),
            (features.BOX_YMAX, 3, height),
        ):
            np.testing.assert_array_equal(
                found[key], np.array([box[1:][at] / size for box in boxes], np.float32)
            )
        assert found[features.BOX_TEXT].numpy().tolist() == [box[0].encode() for box in boxes]
        assert found[features.BOX_LABEL].numpy().tolist() == [ids[box[0]] for box in boxes]
        data = (tmp_path / "images" / name).read_bytes()
        assert found[features.IMAGE_ENCODED].numpy() == data
        assert found[features.IMAGE_SHA256].numpy().decode() == hashlib.sha256(data).hexdigest()
        assert tf.io.decode_image(found[features.IMAGE_ENCODED]).shape[:2] == (height, width)
        assert int(found[features.IMAGE_SOURCE_ID].numpy()) >= 0
    assert not scenes


def record_tick(
    ticks: list[tuple[int, int | None]], step: str, done: int, total: int | None, note: str = ""
) -> None:
    assert (step, note) == ("converting images", "")
    ticks.append((done, total))


def test_the_same_bytes_from_any_number_of_workers(tmp_path: Path) -> None:
    scenes = [(f"{i:02d}.jpg", 60, 40, [("cat", i - 2, 1, 30 + i, 39)] * (i % 3)) for i in range(11)]
    for name, *_ in scenes:
        save_picture(tmp_path / "images" / name)
    source = coco(tmp_path, scenes)
    for workers in (1, 2, 3):
        ticks: list[tuple[int, int | None]] = []
        progress = partial(record_tick, ticks)
        out = tmp_path / f"{workers}" / "new"
        converted = convert(ConvertOptions(source, out, shards=4, workers=workers, progress=progress))
        assert ticks[-1] == (11, 11)
        assert ticks == sorted(ticks)
    first = contents(tmp_path / "1")
    assert [info.records for info in converted.manifest.shards] == [2, 3, 3, 3]
    assert contents(tmp_path / "2") == first
    assert contents(tmp_path / "3") == first


def test_the_manifest_tells_what_is_there(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    manifest = convert(ConvertOptions(source, out / "new", shards=2)).manifest
    assert sorted(contents(out)) == [
        "dataset_info.json",
        "features.json",
        "image.object.class.label.labels.txt",
        "new-00000-of-00002.tfrecord",
        "new-00001-of-00002.tfrecord",
        "new.issues.html",
        "new.issues.jsonl",
        "new.label_map.pbtxt",
        "new.manifest.json",
    ]
    for info in manifest.shards:
        data = (out / info.file).read_bytes()
        assert info.bytes == len(data)
        assert info.crc32c == google_crc32c.value(data)
        assert info.records == len(list(framing.read(out / info.file)))
    counted = Counter(name for one in parsed(out) for name in one.record.names)
    assert {item.name: item.boxes for item in manifest.classes} == counted
    assert [(item.id, item.name, item.images) for item in manifest.classes] == [(1, "dog", 2), (2, "cat", 2)]
    assert (manifest.images, manifest.negatives, manifest.boxes) == (3, 0, 5)
    assert manifest.sources[0].labeled == ("dog", "cat")
    assert manifest.sources[0].category_ids == {"dog": 3, "cat": 17}


def test_faults_are_fixed_and_reported(tmp_path: Path) -> None:
    boxes: list[Box] = [
        ("cat", -5, 1, 20, 30),
        ("cat", 7, 7, 7, 7),
        ("dog", 30, 9, 20, 10),
        ("cat", 1, 1, 2, float("nan")),
    ]
    scenes: list[Scene] = [("a.jpg", 60, 40, boxes), ("b.jpg", 60, 40, [("dog", 1, 2, 3, 4)])]
    save_picture(tmp_path / "images/a.jpg")
    save_picture(tmp_path / "images/b.jpg", 120, 80)
    out = tmp_path / "out"
    converted = convert(ConvertOptions(csv(tmp_path, scenes), out / "new"))
    codes = ["box-outside", "box-empty", "box-inverted", "box-not-finite", "size-mismatch"]
    assert [issue.code for issue in converted.issues] == codes
    lines = [json.loads(line) for line in (out / "new.issues.jsonl").read_text().splitlines()]
    assert [(line["code"], line["source"], line["box"], line["fixed"]) for line in lines] == [
        ("box-outside", "labels.csv line 2", 0, True),
        ("box-empty", "labels.csv line 2", 1, True),
        ("box-inverted", "labels.csv line 2", 2, True),
        ("box-not-finite", "labels.csv line 2", 3, True),
        ("size-mismatch", "labels.csv line 6", None, False),
    ]
    assert converted.manifest.issues == dict.fromkeys(sorted(codes, key=codes.index), 1)
    first, second = sorted(parsed(out), key=lambda one: one.record.filename)
    np.testing.assert_array_equal(first.record.boxes_xyxy.round(4), [[0, 1, 20, 30]])
    assert (second.record.width, second.record.height) == (120, 80)
    np.testing.assert_array_equal(second.record.boxes_xyxy.round(4), [[1, 2, 3, 4]])


def test_images_without_boxes_are_kept(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    scenes = [*SCENES[:1], ("a.png", 70, 90, [])]
    manifest = convert(ConvertOptions(coco(tmp_path, scenes), tmp_path / "out/new")).manifest
    assert (manifest.images, manifest.negatives) == (2, 1)
    assert sorted(len(one.record.names) for one in parsed(tmp_path / "out")) == [0, 2]


def test_a_given_label_map_gives_the_ids_and_says_what_was_annotated(tmp_path: Path, source: Path) -> None:
    labels = tmp_path / "map.pbtxt"
    labels.write_text(format_label_map(from_names(["bird", "cat", "dog"])))
    out = tmp_path / "out"
    manifest = convert(ConvertOptions(source, out / "new", labels=labels)).manifest
    assert [(item.id, item.name, item.boxes) for item in manifest.classes] == [
        (1, "bird", 0),
        (2, "cat", 2),
        (3, "dog", 3),
    ]
    assert manifest.sources[0].labeled == ("dog", "cat")
    for one in parsed(out):
        assert one.record.labeled == {"cat", "dog"}
        assert one.labeled_ids == (2, 3)
    assert read_label_map(out / "new.label_map.pbtxt").labels == read_label_map(labels).labels


def test_a_label_map_that_lacks_classes(tmp_path: Path, source: Path) -> None:
    labels = tmp_path / "map.pbtxt"
    labels.write_text(format_label_map(from_names(["bird"])))
    with pytest.raises(InputError, match=r"lacks 'cat', 'dog' of .*--rename OLD=NEW.*merge-labels"):
        convert(ConvertOptions(source, tmp_path / "out/new", labels=labels))
    assert not (tmp_path / "out").exists()


def test_a_finished_set_is_not_overwritten_unless_asked(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    convert(ConvertOptions(source, out / "new", shards=3))
    before = contents(out)
    with pytest.raises(InputError, match=r"new.manifest.json: exists already, .*--overwrite"):
        convert(ConvertOptions(source, out / "new"))
    assert contents(out) == before
    convert(ConvertOptions(source, out / "other"))
    convert(ConvertOptions(source, out / "new", shards=1, overwrite=True))
    assert [name for name in sorted(contents(out)) if name.startswith("new")] == [
        "new-00000-of-00001.tfrecord",
        "new.issues.html",
        "new.issues.jsonl",
        "new.label_map.pbtxt",
        "new.manifest.json",
    ]


def test_shards_of_others_are_not_overwritten(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "new-00000-of-00001.tfrecord").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"exists already"):
        convert(ConvertOptions(source, out / "new"))
    assert contents(out) == {"new-00000-of-00001.tfrecord": b"precious"}


def test_the_label_map_of_a_set_can_be_given_for_itself(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    labels = out / "new.label_map.pbtxt"
    labels.write_text(format_label_map(from_names(["cat", "dog"])))
    convert(ConvertOptions(source, out / "new", labels=labels))
    assert read_label_map(labels).names == ("cat", "dog")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_in_the_middle_leaves_nothing(tmp_path: Path, source: Path, workers: int) -> None:
    (tmp_path / "images/c.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(Refused, match=r"c.jpg: the image ends inside its header, after 3 bytes"):
        convert(ConvertOptions(source, tmp_path / "out/new", shards=2, workers=workers))
    assert contents(tmp_path / "out") == {}


def test_a_failed_overwrite_keeps_the_old_set(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    convert(ConvertOptions(source, out / "new"))
    before = contents(out)
    (tmp_path / "images/c.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(Refused):
        convert(ConvertOptions(source, out / "new", overwrite=True))
    assert contents(out) == before


def test_after_an_interrupt_the_same_call_does_the_rest(tmp_path: Path, source: Path) -> None:
    def interrupt(step: str, done: int, total: int | None, note: str = "") -> NoReturn:  # noqa: ARG001
        raise KeyboardInterrupt

    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            convert(
                ConvertOptions(
                    source, tmp_path / f"{workers}/new", shards=2, workers=workers, progress=interrupt
                )
            )
        assert [path.name for path in (tmp_path / f"{workers}").iterdir()] == [".new.part"]
        convert(ConvertOptions(source, tmp_path / f"{workers}/new", shards=2, workers=workers))
    convert(ConvertOptions(source, tmp_path / "0/new", shards=2))
    assert contents(tmp_path / "0") == contents(tmp_path / "1") == contents(tmp_path / "2")


def test_what_cannot_be_converted(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"4 shards for 3 images"):
        convert(ConvertOptions(source, out / "new", shards=4))
    with pytest.raises(InputError, match=r"is a folder; --out is DIR/NAME"):
        convert(ConvertOptions(source, tmp_path))
    with pytest.raises(InputError, match=r"has no images"):
        convert(ConvertOptions(coco(tmp_path, []), out / "new"))
    empty = tmp_path / "e.json"
    empty.write_text('{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}')
    with pytest.raises(InputError, match=r"has no classes$"):
        convert(ConvertOptions(empty, out / "new"))
    assert not out.exists()


def test_no_images_names_what_was_found_instead(tmp_path: Path) -> None:
    annotations = tmp_path / "Annotations"
    annotations.mkdir()
    for name, text in (("a", "<annotation>"), ("b", "<x/>"), ("c", "")):
        (annotations / f"{name}.xml").write_text(text)
    with pytest.raises(
        InputError, match=r"no images that can be used; .*a.xml: annotation-damaged: .*line 1"
    ) as caught:
        convert(ConvertOptions(annotations, tmp_path / "out/new"))
    assert str(caught.value).endswith("(and 2 more issues)")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"no images with boxes, and --no-negatives leaves out the others"):
        convert(ConvertOptions(coco(empty, [("a.png", 70, 90, [])]), tmp_path / "out/new", no_negatives=True))


FLAW_OF = {
    "box-outside": ("a.png", (-1, 1, 9, 9)),
    "box-empty": ("a.png", (300, 1, 9, 9)),
    "image-missing": ("none.png", (1, 1, 9, 9)),
    "box-tiny": ("a.png", (1, 1, 0.5, 9)),
}


@pytest.mark.parametrize("policy", ["default", "strict"])
@pytest.mark.parametrize(
    "codes", [["image-missing"], ["box-outside", "box-empty", "image-missing", "box-tiny"]]
)
def test_a_refusal_names_the_flags_that_go_on(tmp_path: Path, policy: str, codes: list[str]) -> None:
    save_pictures(tmp_path / "images")
    path = coco(tmp_path)
    document = json.loads(path.read_text())
    for number, code in enumerate(codes, start=900):
        name, box = FLAW_OF[code]
        if name != "a.png":
            document["images"].append({"id": number, "file_name": name})
        row = {"id": number, "image_id": number if name != "a.png" else 101, "category_id": 3, "bbox": box}
        document["annotations"].append(row)
    path.write_text(json.dumps(document))
    with pytest.raises(Refused) as caught:
        convert(ConvertOptions(path, tmp_path / "out/new", policy=policy))  # type: ignore[arg-type]
    flags = re.findall(r"--on (\S+)", str(caught.value))
    assert flags
    convert(ConvertOptions(path, tmp_path / "out/new", policy=policy, on=flags))  # type: ignore[arg-type]


def test_an_image_named_twice_is_reported_and_kept(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    annotations = voc(tmp_path)
    shutil.copy(annotations / "a.xml", annotations / "z.xml")
    converted = convert(ConvertOptions(annotations, tmp_path / "out/new"))
    (issue,) = [issue for issue in converted.issues if issue.code != "box-whole"]
    assert (issue.code, issue.source) == ("image-duplicate", "z.xml")
    assert converted.manifest.images == 4


@pytest.mark.parametrize(
    ("source", "images", "counts", "issues"),
    [
        (
            "coco_tiny_38/annotations/instances_val2017.json",
            None,
            (6, 0, 136, 80),
            {"box-whole": 1, "class-few": 6},
        ),
        (
            "roboflow_rbc_wbc_coco/test/_annotations.coco.json",
            None,
            (10, 0, 221, 2),
            {"class-superfluous": 1},
        ),
        (
            "roboflow_rbc_wbc_coco/valid/_annotations.coco.json",
            None,
            (20, 0, 470, 2),
            {"class-superfluous": 1},
        ),
        ("playing_cards/images/test_labels.csv", None, (67, 0, 143, 6), {}),
        ("playing_cards/images/test", None, (67, 0, 143, 6), {}),
        ("raccoon/data/test_labels.csv", None, (40, 0, 44, 1), {}),
        ("bccd/BCCD/Annotations", None, (364, 0, 4886, 3), {"box-empty": 2}),
        ("voc2012_100/data/database/gts/pascalvoc_format", "images", (100, 0, 273, 20), {"class-few": 10}),
        ("voc2012_100/data/database/gts/imagenet_format", "images", (100, 0, 273, 20), {"class-few": 10}),
        (
            "voc2012_100/data/database/gts/coco_format_v1/instances_default.json",
            "images",
            (100, 0, 273, 20),
            {"class-few": 10},
        ),
    ],
)
def test_real_data_converts_and_its_faults_are_found(
    tmp_path: Path,
    shared: Path,
    source: str,
    images: str | None,
    counts: tuple[int, int, int, int],
    issues: dict[str, int],
) -> None:
    folder = shared / "data/voc2012_100/data/database" / images if images else None
    manifest = convert(ConvertOptions(shared / "data" / source, tmp_path / "new", images=folder)).manifest
    assert (manifest.images, manifest.negatives, manifest.boxes, len(manifest.classes)) == counts
    assert manifest.issues == issues


def test_our_records_equal_tfods_own(tmp_path: Path, shared: Path) -> None:
    """The boxes of TFOD's script for the same CSV, bit for bit."""
    folder = shared / "data/raccoon/data"
    convert(ConvertOptions(folder / "test_labels.csv", tmp_path / "new"))
    theirs = [example._read_features(data, "theirs") for data in framing.read(folder / "test.record")]
    ours = [
        example._read_features(data, "ours")
        for data in framing.read(tmp_path / "new-00000-of-00001.tfrecord")
    ]
    by_name = {tuple(one[features.IMAGE_FILENAME]): one for one in ours}
    assert len(theirs) == len(ours)
    for one in theirs:
        mine = by_name[tuple(one[features.IMAGE_FILENAME])]
        for key in (
            features.BOX_XMIN,
            features.BOX_YMIN,
            features.BOX_XMAX,
            features.BOX_YMAX,
            features.BOX_TEXT,
        ):
            assert mine[key] == one[key]
        assert mine[features.IMAGE_ENCODED] == one[features.IMAGE_ENCODED]


CATEGORIES = [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "bird"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "cat\nbird\ndog\n"),
        ("labels.json", '{"dog": 3, "cat": 1, "bird": 2}'),
        ("data.yaml", "names: [cat, bird, dog]\n"),
        ("coco.json", f'{{"annotations": [], "categories": {json.dumps(CATEGORIES)}}}'),
    ],
)
def test_labels_of_any_kind(tmp_path: Path, source: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    manifest = convert(ConvertOptions(source, tmp_path / "out/new", labels=tmp_path / name)).manifest
    assert manifest.names == ("cat", "bird", "dog")
    again = convert(ConvertOptions(source, tmp_path / "out/again", labels=tmp_path / "out/new")).manifest
    assert again.names == manifest.names


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        ("<object><name></name></object>", "a.xml: class-unknown: "),
        ("<object><name>cat</name><name>bat</name></object>", "a.xml: annotation-unread: .*: cat, bat$"),
        ("<object><name>cat</name></object><object><name>cat</name></object>", r"\(and 1 more issue\)$"),
    ],
)
def test_why_there_are_no_classes_is_said(tmp_path: Path, xml: str, why: str) -> None:
    save_picture(tmp_path / "images/a.jpg")
    (tmp_path / "xmls").mkdir()
    (tmp_path / "xmls/a.xml").write_text(
        f"<annotation><filename>a.jpg</filename>{xml}</annotation>", encoding="utf-8"
    )
    with pytest.raises(InputError, match=f"xmls: has no classes; .*{why}"):
        convert(ConvertOptions(tmp_path / "xmls", tmp_path / "out/new"))

"""What an extraction leaves on the disk, whatever happens to it, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.command import fault, tfrec
from tests.helpers.extracting import IDS, converted, encoded, extracted, records_file
from tests.helpers.places import ROOT
from tests.helpers.small_sets import coco, save_picture, save_pictures
from tfrec_tools.annotations.records import ImageRecord, image_record
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset.manifest import read_manifest
from tfrec_tools.errors import InputError
from tfrec_tools.extraction import extract as story
from tfrec_tools.extraction.extract import extract
from tfrec_tools.extraction.jobs import ExtractJob
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.formats.writers import WRITERS
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.system.options import declarations
from tfrec_tools.tfrecords.example import encode_example
from tfrec_tools.tfrecords.framing import write

YOLO = {"data.yaml", "labels/train/a.txt", "images/train/a.png", "labels/val/b.txt"}
LAYOUTS = {
    "coco": {"annotations/instances_train.json", "annotations/instances_val.json", "images/a.png"},
    "voc": {"Annotations/a.xml", "ImageSets/Main/train.txt", "ImageSets/Main/val.txt", "JPEGImages/a.png"},
    "yolo": YOLO,
    "yolo-segment": YOLO,
    "csv": {"train.csv", "val.csv", "images/a.png"},
}


def record(number: int, **options: Any) -> tuple[ImageRecord, EncodedImage]:
    image = encoded(96, 64, number)
    fields: dict[str, Any] = {
        "image_id": str(number),
        "filename": f"{number}.jpg",
        "source": "s",
        "boxes_xyxy": [(1, 2, 30, 40), (5, 6, 90, 60)],
        "names": ("cat", "zebra"),
    }
    return image_record(**fields | options), image


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return records_file(tmp_path / "records", [record(number) for number in range(5)])


@pytest.fixture
def few_images_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfrec_tools.extraction.jobs._IMAGES", 2)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("kind", WRITERS)
def test_splits_and_images_lie_where_the_format_has_them(tmp_path: Path, kind: str) -> None:
    images = save_pictures(tmp_path / "images")
    convert(ConvertOptions(coco(tmp_path), tmp_path / "rec/set", split="train=0.5,val=0.5", workers=1))
    done = extracted(tmp_path / "rec/set", kind, tmp_path / "out")
    there = content(tmp_path / "out")
    assert LAYOUTS[kind] | {"label_map.pbtxt", "extraction.json"} <= there.keys()
    assert done.summary.splits == {"train": 2, "val": 1}
    pictures = {Path(name).name: data for name, data in there.items() if name.endswith((".jpg", ".png"))}
    assert pictures == content(images)
    assert json.loads(there["extraction.json"])["boxes"] == done.summary.boxes == 5


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo", "csv"])
def test_splits_come_back(tmp_path: Path, kind: str) -> None:
    scenes = [(f"folder/of {i} b.jpg", 60 + i, 40, [("dog", 1, 2, 30, 30)]) for i in range(4)]
    for name, width, height, _ in scenes:
        save_picture(tmp_path / "images" / name, width, height)
    source = coco(tmp_path, scenes)
    before = convert(ConvertOptions(source, tmp_path / "rec/set", split="train=0.5,val=0.5", workers=1))
    done = extracted(tmp_path / "rec/set", kind, tmp_path / "out")
    assert done.convert[-2:] == ("--split", "source")
    converted(done, tmp_path / "again/set")
    after = read_manifest(tmp_path / "again/set.manifest.json")
    assert {split.name: split.images for split in after.splits} == {
        split.name: split.images for split in before.manifest.splits
    }
    odd = convert(ConvertOptions(source, tmp_path / "odd/set", split="a=0.5,b=0.5", workers=1)).manifest
    done = extracted(tmp_path / "odd/set", kind, tmp_path / "out2")
    by_name = WRITERS[kind].splits is None  # and so --split source does not find them, but they are said
    assert done.summary.unsaid.get("split", 0) == (0 if by_name else odd.images)
    assert "--split" not in done.convert
    assert len(converted(done, tmp_path / "again2/set")) == 4


@pytest.mark.parametrize("kind", ["coco", "csv"])
def test_splits_are_not_taken_from_the_folders_of_images(tmp_path: Path, kind: str) -> None:
    save_picture(tmp_path / "images/val/a.jpg", 60, 40)
    save_picture(tmp_path / "images/val/b.jpg", 50, 40)
    scenes = [("val/a.jpg", 60, 40, [("dog", 1, 2, 30, 30)]), ("val/b.jpg", 50, 40, [])]
    source = coco(tmp_path, scenes)
    convert(ConvertOptions(source, tmp_path / "rec/set", split="train=0.5,val=0.5", workers=1, seed=3))
    done = extracted(tmp_path / "rec/set", kind, tmp_path / "out")
    assert "--split" not in done.convert
    assert len(converted(done, tmp_path / "again/set")) == 2  # of which one has no boxes, and no classes


@pytest.mark.usefixtures("few_images_a_job")
@pytest.mark.parametrize("kind", WRITERS)
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    tmp_path: Path, records: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracted(records, kind, tmp_path / "whole")
    performed, dies = list[int](), [1]
    perform = ExtractJob.perform

    def dying(self: ExtractJob, *args: Any) -> None:
        performed.append(self.number)
        if self.number in dies:
            (args[1] / "half").write_bytes(b"written")
            raise KeyboardInterrupt
        perform(self, *args)

    monkeypatch.setattr(ExtractJob, "perform", dying)
    with pytest.raises(KeyboardInterrupt):
        extracted(records, kind, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / ".out.part/content/half").unlink()
    dies[:] = [2]
    with pytest.raises(KeyboardInterrupt):
        extracted(records, kind, tmp_path / "out")
    (tmp_path / ".out.part/content/half").unlink()
    first = next((tmp_path / ".out.part/content").rglob("3.jpg"))
    first.write_bytes(b"")  # as after a power failure
    dies.clear()
    extracted(records, kind, tmp_path / "out")
    assert performed == [0, 1, 1, 2, 1, 2]
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "records", "whole"]


@pytest.mark.usefixtures("few_images_a_job")
def test_what_was_left_of_other_records_is_not_gone_on_with(
    tmp_path: Path, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(*args: Any) -> Iterator[Any]:  # noqa: ARG001
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(story, "_documents", dying)
        with pytest.raises(KeyboardInterrupt):
            extracted(records, "csv", tmp_path / "out")
    assert (tmp_path / ".out.part/content/images/0.jpg").exists()
    other = records_file(tmp_path / "records", [record(7)])
    done = extracted(other, "csv", tmp_path / "out")
    assert {name for name in content(done.folder) if "images" in name} == {"images/7.jpg"}


@pytest.mark.usefixtures("few_images_a_job")
def test_workers_write_the_same(tmp_path: Path, records: Path) -> None:
    for workers in (1, 3):
        extracted(records, "coco", tmp_path / f"out{workers}", workers=workers)
    assert content(tmp_path / "out1") == content(tmp_path / "out3")


def test_only_an_extraction_is_overwritten(tmp_path: Path, records: Path) -> None:
    extracted(records, "csv", tmp_path / "out")
    line = (
        r"is there already, of other options \(--to was csv, is yolo\); replace it with --if-changed or --ov"
    )
    with pytest.raises(InputError, match=line):
        extracted(records, "yolo", tmp_path / "out")
    extracted(records, "yolo", tmp_path / "out", overwrite=True)
    assert not (tmp_path / "out/labels.csv").exists()
    with pytest.raises(InputError, match="is there already, and is no extraction"):
        extracted(records, "csv", tmp_path / "records", overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(InputError, match="is no folder"):
        extracted(records, "csv", tmp_path / "link", overwrite=True)
    (tmp_path / "out/set.tfrecord").write_bytes(records.read_bytes())
    with pytest.raises(InputError, match=r"holds set\.tfrecord, which is to be read"):
        extracted(tmp_path / "out/set.tfrecord", "csv", tmp_path / "out", overwrite=True)
    assert not (tmp_path / ".out.part").exists()


def test_a_box_without_numbers_is_left_out_and_counted(tmp_path: Path) -> None:
    boxes = [(1, 2, 30, 40), (np.nan, 1, 2, 3), (1, 2, 3, np.inf)]
    path = records_file(tmp_path / "records", [record(0, boxes_xyxy=boxes, names=("cat",) * 3)])
    for kind in WRITERS:
        done = extracted(path, kind, tmp_path / kind)
        account = done.summary.accounting
        assert (account.found, account.written, account.dropped) == (3, 1, {"box-not-finite": 2})
        assert [issue.box for issue in done.issues if issue.code == "box-not-finite"] == [1, 2]


def test_what_a_format_cannot_say_is_counted(tmp_path: Path) -> None:
    odd = record(
        0,
        crowd=[True, False],
        difficult=[True, True],
        occluded=[False, True],
        group_of=[True, True],
        area=[3, np.nan],
        poses=("Left", ""),
        labeled=frozenset({"cat", "zebra"}),
    )
    path = records_file(tmp_path / "records", [odd, record(1)])
    unsaid = {kind: extracted(path, kind, tmp_path / kind).summary.unsaid for kind in WRITERS}
    odd_boxes = {"crowd": 1, "pose": 1, "area": 1, "source_id": 2}
    of_yolo = odd_boxes | {"difficult": 2, "occluded": 1, "group_of": 2, "filename": 2, "labeled": 1}
    assert unsaid == {
        "coco": {"difficult": 2, "occluded": 1, "group_of": 2, "pose": 1},
        "voc": {"crowd": 1, "group_of": 2, "area": 1, "source_id": 2, "labeled": 2},
        "yolo": of_yolo,
        "yolo-segment": of_yolo,
        "csv": odd_boxes | {"labeled": 2},
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"masks": (b"\x89PNG no", b"\x89PNG no")}, "set.tfrecord record 0: segmentation: is no mask"),
        ({"names": ("cat\x01", "zebra")}, "has a name that cannot stand in XML"),
    ],
)
def test_what_cannot_be_written_ends_it(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = records_file(tmp_path / "records", [record(0, **change)], IDS | {"cat\x01": 20})
    kind = "coco" if "masks" in change else "voc"
    with pytest.raises(InputError, match=reason):
        extracted(path, kind, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_records_that_cannot_be_used_are_named_in_one_line(tmp_path: Path, records: Path) -> None:
    words = ("extract", "--to", "coco", "--out", tmp_path / "out")
    assert "no record files found" in fault(*words, tmp_path / "nothing")
    damaged = tmp_path / "damaged.tfrecord"
    damaged.write_bytes(records.read_bytes()[:-9])
    assert "the file ends inside its data" in fault(*words, damaged)
    one, image = record(0)
    write(damaged, [b"no Example"])
    assert fault(*words, damaged) == "damaged.tfrecord record 0: is no tf.train.Example"
    write(damaged, [encode_example(one, replace(image, data=b""), IDS)])
    assert "record 0: holds no image" in fault(*words, damaged)
    write(damaged, [])
    assert "hold no examples" in fault(*words, damaged)
    assert not (tmp_path / "out").exists()


def test_ids_are_those_of_the_records_where_nothing_else_has_them(tmp_path: Path, records: Path) -> None:
    records.with_suffix(".pbtxt").unlink()
    done = extracted(records, "coco", tmp_path / "a")
    labels = read_label_map(done.folder / "label_map.pbtxt")
    assert labels.id_by_name == {"zebra": 1, "cat": 3}
    clashing = tmp_path / "clashing.tfrecord"
    pairs = [record(0), record(1, names=("dog", "cow"))]
    ids = {"cat": 2, "zebra": 5, "dog": 2, "cow": 5}
    write(clashing, [encode_example(each, image, ids) for each, image in pairs])
    done = extracted(clashing, "coco", tmp_path / "b")
    assert read_label_map(done.folder / "label_map.pbtxt").id_by_name == {
        "cat": 2,
        "zebra": 5,
        "dog": 6,
        "cow": 7,
    }
    assert done.summary.issues == {"class-conflict": 2}


def test_sets_of_other_ids_are_not_mixed(tmp_path: Path, records: Path) -> None:
    other = records_file(tmp_path / "other", [record(9)], {"cat": 1, "zebra": 2})
    with pytest.raises(
        InputError, match=r"set\.pbtxt: gives other ids than .*set\.pbtxt; make one set of them"
    ):
        extract(ExtractOptions([records, other], to="csv", out=tmp_path / "out"))
    labels = records.with_suffix(".pbtxt")
    done = extract(ExtractOptions([records, other], to="csv", out=tmp_path / "out", record_labels=labels))
    assert (done.summary.images, done.summary.issues) == (6, {"class-mismatch": 2, "class-conflict": 3})


def test_every_format_can_be_chosen() -> None:
    (choices,) = (declared.choices for declared in declarations(ExtractOptions) if declared.name == "to")
    assert choices == tuple(WRITERS)


def test_the_command(tmp_path: Path, records: Path) -> None:
    out, _ = tfrec("extract", records, "--to", "csv", "--out", tmp_path / "a", cwd=ROOT)
    assert "10 annotated objects in 1 file = 10 written; 5 images = 5 written" in out
    assert "csv cannot say: source_id of 5 images" in out
    assert f"Back to records: tfrec convert {tmp_path / 'a'}/labels.csv --labels" in out
    out, _ = tfrec("extract", records, "--to", "yolo", "--out", tmp_path / "b", "--json", cwd=ROOT)
    document = json.loads(out)
    assert (document["images"], document["boxes"], document["format"]) == (5, 10, "yolo")
    assert document["convert"] == [str(tmp_path / "b"), "--labels", str(tmp_path / "b/label_map.pbtxt")]
    assert document["classes"]["Plättchen"] == 0

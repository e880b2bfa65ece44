"""YOLO in its three layouts, with polygons and faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.small_sets import save_picture, yolo
from tests.helpers.sources import faults, fitted
from tfrec_tools.errors import InputError
from tfrec_tools.formats import registry
from tfrec_tools.formats.options import ReadOptions


def test_yolo_of_ultralytics(tmp_path: Path) -> None:
    path = yolo(tmp_path)
    save_picture(tmp_path / "images/train/none.jpg")
    (tmp_path / "labels/train/lost.txt").write_text("0 0.5 0.5 1 1\n")
    assert registry.detect(path) == registry.detect(tmp_path) == "yolo"
    source = registry.read(path)
    assert source.classes == ("dog", "cat")
    split = {record.filename: (record.split, record.place is not None) for record in source.records}
    assert split == {
        "images/train/b.jpg": ("train", True),
        "images/train/none.jpg": ("train", True),
        "lost": ("train", False),
        "images/val/a.png": ("val", True),
        "images/val/c.jpg": ("val", True),
    }
    for names in ("['dog', 'cat']", "{0: dog, 1: cat}", "\n  0: dog\n  1: cat\n", "\n- dog\n- cat"):
        path.write_text(f"train: ../images/train\nnames: {names}\n")  # Roboflow's ../
        assert registry.read(path).classes == ("dog", "cat")


def test_yolo_of_darknet(tmp_path: Path) -> None:
    folder = tmp_path / "obj_train_data"
    save_picture(folder / "a.jpg")
    (folder / "a.txt").write_text("1 0.5 0.5 0.5 0.25\n")
    (folder / "b.txt").write_text("0 0.5 0.5 1 1 0.9\n")
    (tmp_path / "obj.names").write_text("dog\ncat\n")
    (tmp_path / "valid.txt").write_text("data/obj_train_data/a.jpg\n")
    (tmp_path / "train.txt").write_text("data/obj_train_data/b.jpg\n")
    source = registry.read(tmp_path)
    assert [(one.filename, one.names, one.split) for one in source.records] == [
        ("data/obj_train_data/b.jpg", ("dog",), "train"),
        ("obj_train_data/a.jpg", ("cat",), "val"),
    ]
    assert source.records[1].boxes_xyxy.tolist() == [[0.25, 0.375, 0.75, 0.625]]


def test_yolo_of_roboflows_darknet(tmp_path: Path) -> None:
    """Images, texts and names side by side in the folder of each split."""
    for split, row in {"train": "1 0.5 0.5 0.5 0.25", "valid": "0 0.5 0.5 1 1", "test": ""}.items():
        save_picture(tmp_path / split / "a.jpg")
        (tmp_path / split / "a.txt").write_text(row)
        (tmp_path / split / "_darknet.labels").write_text("dog\ncat\n")
    assert registry.detect(tmp_path) == registry.detect(tmp_path / "train") == "yolo"
    source = registry.read(tmp_path)
    assert source.classes == ("dog", "cat")
    assert [(one.filename, one.names, one.split) for one in source.records] == [
        ("train/a.jpg", ("cat",), "train"),
        ("valid/a.jpg", ("dog",), "val"),
        ("test/a.jpg", (), "test"),
    ]
    assert [one.names for one in registry.read(tmp_path / "valid").records] == [("dog",)]
    assert registry.read(tmp_path / "train/_darknet.labels").classes == ("dog", "cat")
    (tmp_path / "test/_darknet.labels").write_text("cat\ndog\n")
    with pytest.raises(InputError, match=r"test/_darknet.labels: names cat, dog, expected .* dog, cat"):
        registry.read(tmp_path)


def test_yolo_plain_folder_with_polygons_and_faults(tmp_path: Path) -> None:
    for name, text in {
        "a": "0 0.1 0.2 0.5 0.2 0.5 0.6",
        "b": "0 0.5 0.5",
        "c": "7 0.5 0.5 1 1",
        "d": "0.5 0.5 0.5 1 1",
        "e": "cat 0.5 0.5 1 1",
    }.items():
        save_picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    (tmp_path / "classes.txt").write_text("cat\ncat\n")
    source = registry.read(tmp_path, options=ReadOptions(masks=True, yolo="segment"))
    assert (
        faults(source)
        == ["class-duplicate", *["annotation-damaged"], "class-unknown"] + ["annotation-damaged"] * 2
    )
    assert (
        source.issues[1].message
        == "line 1: 2 numbers after the class, expected x y width height or a polygon"
    )
    record = source.records[0]
    assert record.boxes_xyxy.tolist() == [[0.1, 0.2, 0.5, 0.6]]
    masked, _ = fitted(record, record.place)
    assert masked.masks[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names: is missing, expected a list"),
        ("names: [a", "line 1: broken YAML"),
        ("names: {1: a}", "name 0 is missing"),
        ("names: {0: a, 2: b}", "name 1 is missing"),
        ("names: {0: a, 0: b}", "name 1 is missing"),
        ("names: [a]\nnc: 1\nnames: [b]", "line 3: broken YAML: the key 'names' stands more than once"),
        ("train: x\ntrain: y\nnames: [b]", "line 2: broken YAML: the key 'train' stands more than once"),
        ("names: 3", "is '3', expected a list"),
        ("names: ['']", "name 0 is empty"),
        ("names: []", "names no classes"),
        ("names: [a]", "no images"),
        ("names: [a]\ntrain: nowhere", "there is no 'nowhere'"),
    ],
)
def test_yolo_that_cannot_be_read(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(InputError, match=f"data.yaml: .*{reason}"):
        registry.read(tmp_path)

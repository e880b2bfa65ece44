"""TensorFlow Datasets opens the folder of a set."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import tfrec
from tests.helpers.small_sets import SCENES, coco, save_pictures
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import tfds
from tfrec_tools.dataset.manifest import ClassInfo


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("split", [None, "train=0.5,val=0.5"])
def test_tfds_opens_the_folder(tmp_path: Path, source: Path, split: str | None) -> None:
    pytest.importorskip("tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, at import and while reading
        theirs = pytest.importorskip("tensorflow_datasets")
        manifest = convert(ConvertOptions(source, tmp_path / "out/my-set", split=split)).manifest
        builder = theirs.builder_from_directory(tmp_path / "out")
        assert builder.name == "my_set"
        names = [one.name for one in manifest.splits] or ["train"]
        assert sorted(builder.info.splits) == sorted(names)
        as_stored = {"image/encoded": theirs.decode.SkipDecoding()}
        found, bare = {}, {}
        for name in names:
            for one in builder.as_dataset(split=name).as_numpy_iterator():
                found[one["image/filename"].decode()] = one
            for one in builder.as_dataset(split=name, decoders=as_stored).as_numpy_iterator():
                bare[one["image/filename"].decode()] = one["image/encoded"]
    assert sorted(found) == sorted(scene[0] for scene in SCENES)
    assert builder.info.features["image/object/class/label"].names == ["background", "dog", "cat"]
    for name, width, height, boxes in SCENES:
        one = found[name]
        assert (one["image/width"], one["image/height"]) == (width, height)
        assert one["image/object/class/text"].tolist() == [box[0].encode() for box in boxes]
        assert one["image/object/class/label"].tolist() == [["dog", "cat"].index(box[0]) + 1 for box in boxes]
        assert one["image/encoded"].shape == (height, width, 3)
        assert bare[name] == (tmp_path / "images" / name).read_bytes()


@pytest.mark.slow
def test_tfds_draws_every_set_of_a_folder(tmp_path: Path, source: Path) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("matplotlib").use("Agg")
    for name, split in (("old", None), ("new", "train=0.5,val=0.5")):
        convert(ConvertOptions(source, tmp_path / f"out/{name}", split=split))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("tensorflow_datasets")
        builder = theirs.builder_from_directory(tmp_path / "out")
        images = {name: split.num_examples for name, split in builder.info.splits.items()}
        assert images == {"old": 3, "new_train": 2, "new_val": 1}
        figure = theirs.show_examples(builder.as_dataset(split="old"), builder.info)
        assert len(figure.axes) == 3
        assert len(list(builder.as_dataset(split="new_train"))) == 2


def described(folder: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((folder / "dataset_info.json").read_text())
    return info


def test_sets_of_a_folder_are_splits_whatever_came_first(tmp_path: Path, source: Path) -> None:
    infos = []
    for folder, names in (("a", ["one", "two"]), ("b", ["two", "one"])):
        for name in names:
            convert(ConvertOptions(source, tmp_path / folder / name, workers=1))
        infos.append(described(tmp_path / folder))
    assert infos[0] == infos[1]
    assert [split["name"] for split in infos[0]["splits"]] == ["one", "two"]
    convert(ConvertOptions(source, tmp_path / "a/one", split="a=0.5,b=0.5", overwrite=True, workers=1))
    assert [split["name"] for split in described(tmp_path / "a")["splits"]] == ["one_a", "one_b", "two"]
    for path in (tmp_path / "a").glob("two*"):
        path.unlink()
    convert(ConvertOptions(source, tmp_path / "a/one", overwrite=True, workers=1))
    assert [split["name"] for split in described(tmp_path / "a")["splits"]] == ["train"]


def test_a_set_that_tfds_cannot_have_is_told(tmp_path: Path, source: Path) -> None:
    packed = convert(ConvertOptions(source, tmp_path / "out/one", compression="gzip", workers=1)).manifest
    assert tfds.left_out(tmp_path / "out/one", packed) == "it reads no gzip"
    assert not (tmp_path / "out/dataset_info.json").exists()
    (tmp_path / "out/dataset_info.json").write_text('{"name": "coco", "description": "", "splits": []}')
    plain = convert(ConvertOptions(source, tmp_path / "out/two", workers=1)).manifest
    assert "of another data set" in tfds.left_out(tmp_path / "out/two", plain)
    assert described(tmp_path / "out")["name"] == "coco"
    out, _ = tfrec("convert", source, "--out", tmp_path / "out/three", "--workers", "1")
    assert "tfds.builder_from_directory does not have three: dataset_info.json in its folder is of" in out
    alone = convert(ConvertOptions(source, tmp_path / "else/one", workers=1)).manifest
    assert tfds.left_out(tmp_path / "else/one", alone) == ""


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ([["cat", "dog"]], ["background", "cat", "dog"]),
        ([["cat", "dog"], ["cat"]], ["background", "cat", "dog"]),
        ([["cat", "dog"], ["dog"]], ["", "", ""]),
        ([["background", "a  b\nc"]], ["id 0", "background", "a b c"]),
        ([["a b", "a  b"]], ["", "", ""]),
    ],
)
def test_classes_have_names_by_id(
    tmp_path: Path, source: Path, maps: list[list[str]], expected: list[str]
) -> None:
    manifest = convert(ConvertOptions(source, tmp_path / "out/one", workers=1)).manifest
    manifests = [
        replace(manifest, classes=tuple(ClassInfo(i, name, 0, 0) for i, name in enumerate(names, 1)))
        for names in maps
    ]
    assert tfds._class_names(manifests) == expected
    sparse = replace(manifest, classes=(ClassInfo(2**31 - 1, "cat", 0, 0),))
    assert tfds._class_names([sparse]) == []

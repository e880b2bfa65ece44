"""TensorFlow Datasets opens the folder of a set."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from tests.helpers.small_sets import SCENES, coco, save_pictures
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions


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
        tfds = pytest.importorskip("tensorflow_datasets")
        manifest = convert(ConvertOptions(source, tmp_path / "out/my-set", split=split)).manifest
        builder = tfds.builder_from_directory(tmp_path / "out")
        assert builder.name == "my_set"
        names = [one.name for one in manifest.splits] or ["train"]
        assert sorted(builder.info.splits) == sorted(names)
        found = {}
        for name in names:
            for one in builder.as_dataset(split=name).as_numpy_iterator():
                found[one["image/filename"].decode()] = one
    assert sorted(found) == sorted(scene[0] for scene in SCENES)
    for name, width, height, boxes in SCENES:
        one = found[name]
        assert (one["image/width"], one["image/height"]) == (width, height)
        assert one["image/object/class/text"].tolist() == [box[0].encode() for box in boxes]
        assert one["image/encoded"] == (tmp_path / "images" / name).read_bytes()


def test_a_second_set_in_the_folder_leaves_the_first_ones_files(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/one"))
    before = (tmp_path / "out/dataset_info.json").read_bytes()
    assert json.loads(before)["name"] == "one"
    convert(ConvertOptions(source, tmp_path / "out/two"))
    assert (tmp_path / "out/dataset_info.json").read_bytes() == before
    convert(ConvertOptions(source, tmp_path / "out/one", split="a=0.5,b=0.5", overwrite=True))
    splits = json.loads((tmp_path / "out/dataset_info.json").read_text())["splits"]
    assert [split["name"] for split in splits] == ["a", "b"]

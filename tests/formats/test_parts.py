"""Sources in parts, as Roboflow and COCO offer them: one set, whose splits are those of folders and files."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import poses
from tests.helpers.small_sets import coco, csv, save_pictures, tfrecord, voc
from tests.helpers.sources import assert_balanced, faults
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.conversion.plan import make_plan
from tfrec_tools.errors import InputError
from tfrec_tools.formats import evidence, registry
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.split_names import split_named
from tfrec_tools.recognition.recognize import recognize


def _of_coco(folder: Path) -> None:
    coco(folder).rename(folder / "_annotations.coco.json")


def _of_voc(folder: Path) -> None:
    for file in voc(folder).glob("*.xml"):
        file.rename(folder / file.name)


def _of_csv(folder: Path) -> None:
    csv(folder).rename(folder / "_annotations.csv")


def _of_records(folder: Path) -> None:
    tfrecord(folder)


WRITERS: dict[str, Callable[[Path], None]] = {
    "coco": _of_coco,
    "voc": _of_voc,
    "csv": _of_csv,
    "tfrecord": _of_records,
}


def download(folder: Path, kind: str, splits: tuple[str, ...] = ("train", "valid", "test")) -> Path:
    """As Roboflow's: a folder a split, the images beside their annotations; all have the same scenes."""
    for number, split in enumerate(splits):
        (folder / split).mkdir(parents=True)
        WRITERS[kind](folder / split)
        save_pictures(folder / split)
        for image in (folder / split).glob("*.[jp]*g"):  # so that no image is another's twin
            image.write_bytes(image.read_bytes() + bytes(number))
    (folder / "README.roboflow.txt").write_text("This dataset was exported via roboflow.com\n")
    return folder


@pytest.mark.parametrize("look", [lambda path: make_plan(ConvertOptions(path, "set")), recognize])
def test_a_folder_is_looked_into_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: Callable[[str], object]
) -> None:
    folder = download(tmp_path / "download", "coco")
    looked, files_of = list[Path](), evidence.files_of

    def noting(path: Path, kind: str) -> list[Path]:
        looked.append(path)
        return files_of(path, kind)

    monkeypatch.setattr(evidence, "files_of", noting)
    look(str(folder))
    assert looked == [folder]


@pytest.mark.parametrize("kind", WRITERS)
def test_folders_of_splits_are_one_source(tmp_path: Path, kind: str) -> None:
    folder = download(tmp_path / "images", kind)  # a name that folders of images have
    (tmp_path / "JPEGImages").mkdir()  # another's
    assert registry.detect(folder) == kind
    source = registry.read(folder)
    assert_balanced(source)
    assert source.account.images == len(source.records) == 9
    assert sorted(source.classes) == ["cat", "dog"]
    if kind != "tfrecord":
        assert registry.images_folder(registry.laid_out(folder)) == folder
    done = convert(ConvertOptions(folder, tmp_path / "out/set", split="source", shards=1, workers=1))
    assert {split.name: split.images for split in done.manifest.splits} == {"test": 3, "train": 3, "val": 3}
    assert {record.split for record in source.records} <= {"train", "val", "test", None}


def test_images_are_those_of_their_own_split(tmp_path: Path) -> None:
    folder = download(tmp_path / "a", "coco")
    source = registry.read(folder)
    assert Counter(record.filename for record in source.records)["valid/a.png"] == 1
    assert source.records[0].source == "test/_annotations.coco.json images[0]"
    assert len({record.image_id for record in source.records}) == 9
    plain = registry.read(download(tmp_path / "b", "coco", ("train",)) / "train")
    assert [record.image_id for record in plain.records] == ["100", "101", "102"]


def test_parts_without_lists_of_classes_are_annotated_for_all(tmp_path: Path) -> None:
    folder = download(tmp_path, "csv")
    text = (folder / "test/_annotations.csv").read_text()
    (folder / "test/_annotations.csv").write_text(text.replace("dog", "cat"))
    assert {record.labeled for record in registry.read(folder).records} == {frozenset({"cat", "dog"})}


def _official(folder: Path) -> Path:
    """As COCO offers it: instances and other tasks of two years' splits, and folders of images."""
    for split in ("train2017", "val2017"):
        save_pictures(folder / split)
        data = json.loads(coco(folder / split).read_text())
        (folder / split / "instances.json").unlink()
        (folder / "annotations").mkdir(exist_ok=True)
        for task in ("instances", "person_keypoints", "captions"):
            (folder / f"annotations/{task}_{split}.json").write_text(json.dumps(data))
    return folder


def test_cocos_own_layout(tmp_path: Path) -> None:
    source = registry.read(_official(tmp_path))
    assert_balanced(source)
    assert faults(source) == ["annotation-unread"] * 4
    assert {record.filename for record in source.records} == {
        f"{split}/{name}" for split in ("train2017", "val2017") for name in ("a.png", "b.jpg", "c.jpg")
    }
    assert Counter(record.split for record in source.records) == {"train": 3, "val": 3}


def test_parts_have_keypoints_of_their_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        poses.coco(tmp_path, file=f"person_keypoints_{split}2017.json")
    source = registry.read(tmp_path)
    assert source.keypoints == poses.NAMES
    assert sum(record.keypoints is not None for record in source.records) == 2
    assert registry.read(tmp_path, None, ReadOptions(keypoints=False)).keypoints == {}
    poses.coco(tmp_path, names={"person": ("a", "b", "c")}, file="person_keypoints_val2017.json")
    with pytest.raises(InputError, match=r"val2017\.json: the keypoints of 'person' are 3 \(a, b, c\)"):
        registry.read(tmp_path)


def test_a_folder_with_one_file_is_that_file(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    file = coco(tmp_path)
    by_file = convert(ConvertOptions(file, tmp_path / "out/a", shards=1, workers=1))
    by_folder = convert(ConvertOptions(tmp_path, tmp_path / "out/b", shards=1, workers=1))
    shards = [item.manifest.shards[0].records_sha256 for item in (by_file, by_folder)]
    assert shards[0] == shards[1]


@pytest.mark.parametrize(
    "names", [("a.json", "b.json"), ("train.json", "b.json"), ("train_1.json", "train_2.json")]
)
def test_files_of_which_nothing_says_how_they_belong_together(tmp_path: Path, names: tuple[str, str]) -> None:
    file = coco(tmp_path)
    for name in names:
        shutil.copy(file, tmp_path / name)
    file.unlink()
    listed = ", ".join(sorted(names))
    with pytest.raises(InputError, match=rf"holds 2 files of COCO \({listed}\).*name those") as caught:
        registry.read(tmp_path)
    assert "\n" not in str(caught.value)


SPLITS = {
    "instances_train2017.json": "train",
    "data/valid/a.xml": "val",
    "test_set/training": "train",
    "train_labels.csv": "train",
    "validation": "val",
    "latest/contest.json": None,
    "evaluated": None,
    "": None,
}


@pytest.mark.parametrize("text", SPLITS)
def test_the_split_that_a_path_speaks_of(text: str) -> None:
    assert split_named(text) == SPLITS[text]


def test_the_name_of_an_image_says_nothing(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    folder = voc(tmp_path)
    for file in folder.glob("*.xml"):
        file.rename(file.with_name(f"train_{file.name}"))
    with pytest.raises(
        InputError, match="is in no split that its source, a file or a folder is called after"
    ):
        convert(ConvertOptions(folder, tmp_path / "out/set", split="source", workers=1))


@pytest.mark.parametrize("split", ["../x", "fold 1", "a/b", "été", "a-b", "."])
def test_a_split_that_no_file_is_called_after(tmp_path: Path, split: str) -> None:
    save_pictures(tmp_path / "images")
    path = tmp_path / "labels.csv"
    path.write_text(f"filename,class,xmin,ymin,xmax,ymax,split\na.png,cat,1,1,9,9,{split}\n")
    asked = ConvertOptions(path, tmp_path / "out/set", split="source", workers=1)
    with pytest.raises(InputError) as caught:
        convert(asked)
    reason = f"labels.csv line 2 is in split {split!r}; a split is named by letters, digits and _ only"
    assert str(caught.value) == f"--split: source: {reason}"
    assert not list((tmp_path / "out").glob("*"))
    convert(replace(asked, split=None))


def test_sources_that_are_called_after_splits(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images")
    file = csv(tmp_path)
    for name in ("train_labels.csv", "test_labels.csv"):
        shutil.copy(file, tmp_path / name)
    text = (tmp_path / "test_labels.csv").read_text().splitlines()
    (tmp_path / "test_labels.csv").write_text("\n".join([text[0], text[1]]) + "\n")
    (tmp_path / "train_labels.csv").write_text("\n".join([text[0], *text[3:]]) + "\n")
    sources = (tmp_path / "train_labels.csv", tmp_path / "test_labels.csv")
    done = convert(ConvertOptions(sources, tmp_path / "out/set", split="source", shards=1, workers=1))
    assert {split.name for split in done.manifest.splits} == {"train", "test"}

"""Images without labels become records: of folders as convert stores them, of records without their boxes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import tiny
from tfrec_tools.detector.data.index import index_records, read_image
from tfrec_tools.detector.data.unlabelled import index_unlabelled, write_unlabelled
from tfrec_tools.errors import InputError
from tfrec_tools.labels.label_map import from_names

LABELS = from_names(["red", "green", "blue"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg", "deeper/c.bmp")):
        Image.fromarray(np.full((12, 16 + number, 3), 50 * number, np.uint8)).save(folder / name)
    return folder


def written(tmp_path: Path, *words: object) -> tuple[Path, list[str]]:
    notes: list[str] = []
    write_unlabelled(tmp_path / "run/unlabelled/images.tfrecord", list(map(str, words)), notes.append)
    return tmp_path / "run/unlabelled/images.tfrecord", notes


def test_a_folder_of_images(folder: Path, tmp_path: Path) -> None:
    file, notes = written(tmp_path, folder)
    examples = index_unlabelled(file, LABELS)
    assert [(example.width, example.height) for example in examples] == [(16, 12), (17, 12), (18, 12)]
    assert all(example.labeled == frozenset() and not len(example.ids) for example in examples)
    assert read_image(examples[0]) == (folder / "a.png").read_bytes()
    assert read_image(examples[2])[:4] == b"\x89PNG"
    assert notes == []
    again, _ = written(tmp_path / "again", folder)
    assert again.read_bytes() == file.read_bytes()


def test_of_records_only_the_images_are_taken(tmp_path: Path) -> None:
    """Even those of classes that the label map lacks."""
    records = tiny.write_records(tmp_path / "old.tfrecord", ["red", "green"], 3)
    file, (note,) = written(tmp_path, records)
    examples = index_unlabelled(file, from_names(["blue"]))
    assert [len(example.ids) for example in examples] == [0, 0, 0]
    assert note.startswith("--unlabelled: 6 annotated boxes are not looked at")
    before = index_records([str(records)], LABELS)
    assert list(map(read_image, examples)) == list(map(read_image, before))


def test_what_is_damaged_is_left_out_and_counted(folder: Path, tmp_path: Path) -> None:
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:40])
    (folder / "no.png").write_text("no image")
    os.mkfifo(folder / "pipe.png")
    file, (note,) = written(tmp_path, folder)
    assert len(index_unlabelled(file, LABELS)) == 3
    assert note.startswith("--unlabelled: 3 images are left out (3 image-damaged), the first: cut.jpg: ")


def test_nothing_that_can_be_used_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither images nor record files in it"):
        written(tmp_path, tmp_path / "empty")
    (tmp_path / "empty/no.png").write_text("no image")
    with pytest.raises(InputError, match=r"--unlabelled: .*empty holds no image that can be read, the first"):
        written(tmp_path, tmp_path / "empty")
    assert not list((tmp_path / "run/unlabelled").iterdir())

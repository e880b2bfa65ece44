"""What is no regular file is refused at once, wherever it may be named: it is neither waited for nor read."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.contained import contained
from tests.helpers.small_sets import save_picture
from tfrec_tools.errors import InputError
from tfrec_tools.system import regular_files

FIFO = "is a FIFO, expected a regular file"
ZERO = "is a character device, expected a regular file"


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def link_to_zero(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def link_to_fifo(path: Path) -> Path:
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    return path


def bound_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    return path


MAKERS = [(fifo, FIFO), (link_to_zero, ZERO), (link_to_fifo, FIFO)]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    save_picture(tmp_path / "a.jpg")
    path = tmp_path / "a.json"
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 20, 20], "area": 400, "iscrowd": 0}
    image = {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}
    path.write_text(
        json.dumps({"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]})
    )
    return path


@pytest.mark.parametrize(("make", "said"), [*MAKERS, (bound_socket, "is a socket, expected a regular file")])
@pytest.mark.parametrize("read", [regular_files.read_bytes, regular_files.read_text])
def test_special_files_are_not_opened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], Path],
    said: str,
    read: Callable[[Path], object],
) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = make(tmp_path / "x")
    with pytest.raises(regular_files.NotRegularError, match=said) as caught:
        read(path)
    assert caught.value.filename == str(path)
    with pytest.raises(InputError, match=said):
        regular_files.require_regular(path)


def test_regular_files_and_folders_are_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbfx\r\n")
    assert regular_files.read_bytes(path) == b"\xef\xbb\xbfx\r\n"
    assert regular_files.read_text(path, "utf-8-sig") == "x\n"
    regular_files.require_regular(path)
    with pytest.raises(IsADirectoryError):
        regular_files.read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        regular_files.read_bytes(tmp_path / "nothing")


@pytest.mark.parametrize(("make", "said"), MAKERS)
def test_an_image_is_damaged(coco: Path, tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    (tmp_path / "a.jpg").unlink()
    make(tmp_path / "a.jpg")
    out = tmp_path / "out" / "set"
    done = contained("convert", coco, "--images", tmp_path, "--out", out, "--workers", "1")
    assert done.returncode == 1
    assert f"image-damaged: a.jpg: {said}" in done.stderr
    done = contained("convert", coco, "--images", tmp_path, "--out", out, "--on", "image-damaged=drop-image")
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("coco")
@pytest.mark.parametrize(("make", "said"), MAKERS)
@pytest.mark.parametrize(
    "words",
    [
        "convert {x}.json --images {folder} --out {folder}/o/s",
        "convert {x}.json --format coco --images {folder} --out {folder}/o/s",
        "convert {x}.csv --images {folder} --out {folder}/o/s",
        "convert {x}.csv --format csv --images {folder} --out {folder}/o/s",
        "convert {x}.xml --format voc --images {folder} --out {folder}/o/s",
        "convert {x}.tfrecord --format tfrecord --out {folder}/o/s",
        "convert {x}.tfrecord --out {folder}/o/s",
        "convert {x}.yaml --out {folder}/o/s",
        "convert {folder}/a.json --labels {x}.pbtxt --images {folder} --out {folder}/o/s",
        "convert {folder}/a.json --labels {x}.txt --images {folder} --out {folder}/o/s",
        "convert --config {x}.toml",
        "inspect {x}.tfrecord",
        "preview {x}.tfrecord --out {folder}/o.png",
        "verify {x}",
        "merge-labels {x}.pbtxt {folder}/a.json --out {folder}/m.pbtxt",
    ],
)
def test_whatever_is_named_is_refused_in_a_line(
    tmp_path: Path, make: Callable[[Path], Path], said: str, words: str
) -> None:
    suffix = next((word for word in words.split() if word.startswith("{x}")), "{x}")[3:]
    name = f"x{suffix}" if suffix else "x.manifest.json"
    make(tmp_path / name)
    done = contained(*(word.format(x=tmp_path / "x", folder=tmp_path) for word in words.split()))
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert said in done.stderr
    assert name in done.stderr


@pytest.mark.parametrize(("make", "said"), MAKERS)
def test_a_folder_that_holds_some_is_walked(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    for number, suffix in enumerate((".json", ".csv", ".xml", ".txt", ".yaml", ".tfrecord", ".jpg")):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / f"x{suffix}")
        done = contained("validate", folder)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        if suffix == ".xml":
            assert said in done.stderr

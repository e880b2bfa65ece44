"""`tfrec convert` from outside: what it prints, and one line for each hostile input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from tests.helpers.command import fault, tfrec, without_progress, write_map
from tests.helpers.small_sets import SCENES, coco, csv, save_picture, save_pictures, voc
from tfrec_tools.conversion.options import Format
from tfrec_tools.formats.table import FORMATS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the scenes as images, to which a test adds annotations."""
    save_pictures(tmp_path / "images")
    return tmp_path


def convert(source: Path, folder: Path, *words: object) -> tuple[str, str]:
    return tfrec("convert", source, "--out", folder / "out/new", *words)


def convert_fault(source: Path, folder: Path, *words: object) -> str:
    found = fault("convert", source, "--out", folder / "out/new", *words)
    assert not list((folder / "out").glob("*") if (folder / "out").exists() else ())
    return found


def test_the_summary(folder: Path) -> None:
    scenes = [*SCENES, ("d.png", 60, 40, [("cat", -3, 1, 9, 9), ("cat", -3, 1, 9, 9), ("dog", 5, 5, 5, 5)])]
    save_picture(folder / "images/d.png")
    out, err = convert(coco(folder, scenes), folder, "--shards", "2", "--workers", "2")
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith(f"{folder}/out/new: 4 images (0 without boxes), 7 boxes, 2 shards, ")
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert ["1", "dog", "2", "3"] in cells
    assert ["2", "cat", "3", "4"] in cells
    assert any(row[:2] == ["box-outside", "2"] for row in cells)
    assert "5 issues, all of them in" in out
    assert "annotated for" not in out


def test_no_issues_and_partly_annotated(folder: Path) -> None:
    labels = write_map(folder / "map.pbtxt", "bird", "cat", "dog")
    scenes = [(name, width, height, boxes[:1]) for name, width, height, boxes in SCENES]
    out, _ = convert(voc(folder, scenes), folder, "--labels", labels)
    assert "No issues found." in out
    assert "Annotations is annotated for cat, dog only" in out


def test_json_is_the_manifest(folder: Path) -> None:
    out, _ = convert(csv(folder), folder, "--json")
    manifest = json.loads((folder / "out/new.manifest.json").read_text())
    assert json.loads(out) == manifest | {"outcome": "made", "changed": []}
    assert json.loads(out)["boxes"] == 5


def test_the_formats_on_offer_are_those_that_are_read() -> None:
    assert get_args(Format) == tuple(FORMATS)


def test_a_missing_image(folder: Path) -> None:
    (folder / "images/c.jpg").unlink()
    source = coco(folder)
    found = convert_fault(source, folder)
    assert found.startswith("instances.json images[2]: image-missing: image 'c.jpg' is nowhere in ")


def test_xml_cut_in_half(folder: Path) -> None:
    path = voc(folder) / "b.xml"
    path.write_text(path.read_text()[:120])
    assert f"{path}: annotation-damaged: line 4, column 15: broken XML" in convert_fault(path.parent, folder)


def test_json_cut_in_half(folder: Path) -> None:
    path = coco(folder)
    path.write_text(path.read_text()[:120])
    assert f"{path}: line 1, column " in convert_fault(path, folder)


def test_csv_without_a_column(folder: Path) -> None:
    path = csv(folder)
    path.write_text(path.read_text().replace("class", "what"))
    assert convert_fault(path, folder).startswith(f"{path}: line 1: no column class; found filename, ")


def test_a_label_map_with_a_double_id(folder: Path) -> None:
    labels = folder / "map.pbtxt"
    labels.write_text("item{id:1 name:'cat'} item{id:1 name:'dog'}")
    found = convert_fault(coco(folder), folder, "--labels", labels)
    assert found == f"{labels}: id 1 stands 2 times ('cat', 'dog')"


def test_a_damaged_image_in_a_worker(folder: Path) -> None:
    (folder / "images/c.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    words = ("convert", coco(folder), "--out", folder / "out/new", "--shards", "3", "--workers", "2")
    out, err = tfrec(*words, code=1)
    assert out == ""
    assert "c.jpg: the image ends inside its header" in err
    assert err.count("\n") == 1
    assert not list((folder / "out").iterdir())


def test_a_source_or_images_that_do_not_exist(folder: Path) -> None:
    assert "no such file" in convert_fault(folder / "none.json", folder)
    assert "No such file" in convert_fault(folder / "none.json", folder, "--format", "coco")
    assert "is no folder" in convert_fault(coco(folder), folder, "--images", folder / "none")


def test_an_output_that_cannot_be_made(folder: Path) -> None:
    (folder / "file").touch()
    found = fault("convert", coco(folder), "--out", folder / "file/new")
    assert found.startswith(f"{folder}/file")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_one_line_and_the_same_command_goes_on(folder: Path, workers: str) -> None:
    scenes = [("b.jpg", 96, 64, [("dog", 1, 1, 9, 9)])] * 30_000
    words = [
        "convert",
        coco(folder, scenes),
        "--out",
        folder / "out/new",
        "--shards",
        "8",
        "--workers",
        workers,
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfrec_tools", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob("out/.new.part/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, workers included
    out, err = process.communicate(timeout=120)
    line = "tfrec: error: interrupted; the same command goes on where this one stopped\n"
    assert (process.returncode, out, without_progress(err)) == (130, "", line)
    assert [path.name for path in (folder / "out").iterdir()] == [".new.part"]

"""What `tfrec finetune` says before TensorFlow is loaded: here it cannot be loaded at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import tfrec, write_map
from tests.helpers.places import SAMPLE

_WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
sys.modules["keras"] = None
sys.argv = ["tfrec", *{words!r}]
from tfrec_tools.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_map(folder / "merged.pbtxt", "apple", "banana", "pear", "cherry", "mushroom")
    write_map(folder / "few.pbtxt", "apple", "banana", "pear", "cherry")
    write_map(folder / "more.pbtxt", "apple", "banana", "pear", "cherry", "mushroom", "fig")
    write_map(folder / "lacking.pbtxt", "apple", "cherry")
    tfrec("convert", SAMPLE / "new/annotations.coco.json", "--out", folder / "records/new")
    tfrec("convert", SAMPLE / "val/annotations.coco.json", "--out", folder / "val/val")
    (folder / "taken").mkdir()
    (folder / "taken/run.toml").touch()
    (folder / "no_model").mkdir()
    (folder / "run.toml").write_text("stpes = 2\n")
    return folder


def line_of(folder: Path, **changed: str) -> str:
    (line,) = lines_of(folder, **changed)
    return line.removeprefix("tfrec: error: ")


def lines_of(folder: Path, **changed: str) -> list[str]:
    """What is said where these options are changed, those that are "" left out."""
    words = {
        "base": str(SAMPLE / "base_model"),
        "labels": "merged.pbtxt",
        "train": "records/new",
        "val": "val/val",
    }
    options = [
        part
        for key, value in (words | changed).items()
        if value
        for part in (f"--{key.replace('_', '-')}", value)
    ]
    program = _WITHOUT_TENSORFLOW.format(words=["finetune", *options])
    wide = os.environ | {"COLUMNS": "400", "NO_COLOR": "1"}  # no path makes a line go on in the next
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=wide, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    return [line for line in done.stderr.splitlines() if not line.startswith("loading tensorflow")]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"train": "records/nwe"}, "records/nwe: no record files found"),
        ({"test": "records/nwe"}, "records/nwe: no record files found"),
        ({"unlabelled": "photos"}, "photos: not found: no image, folder or record files"),
        ({"unlabelled": "taken"}, "taken: neither images nor record files in it"),
        ({"labels": "merge.pbtxt"}, "merge.pbtxt: no such file or folder"),
        ({"labels": "few.pbtxt"}, "records/new-00000-of-00001.tfrecord: record 0 (new_"),
        ({"base": "no_model"}, "no_model/pipeline.config: not found, expected TFOD's pipeline.config"),
        (
            {"base_labels": "lacking.pbtxt"},
            f"{SAMPLE}/base_model/pipeline.config: num_classes: found 3 classes, expected 2, the largest id",
        ),
        ({"base": "run.toml"}, "run.toml: a file, expected a model folder"),
        ({"labels": "lacking.pbtxt"}, "lacking.pbtxt: lacks 'banana', 'pear', which the base knows;"),
        ({"out": "taken"}, "taken: is there already; give another --out, or --resume"),
        ({"time_budget": "10"}, "--time-budget: '10' is not a time such as 90s, 10m, 1h30m"),
        ({"augment": "flip,blur"}, "--augment: 'blur' is none of flip, vertical-flip, rotate90, crop, color"),
        ({"config": "run.toml"}, "run.toml: stpes: no such option, expected one of accumulate,"),
    ],
)
def test_a_typo_is_told_at_once(folder: Path, changed: dict[str, str], line: str) -> None:
    assert line_of(folder, **changed).startswith(line)


def test_what_is_odd_is_said_at_once(folder: Path) -> None:
    *odd, steps, last = lines_of(folder, labels="more.pbtxt", val="records/new")
    assert steps.startswith("tfrec: 750 steps of 8: ")
    assert [line.partition(" in --")[0].partition(" images")[0] for line in odd] == [
        "tfrec: warning: no box of 'fig'",
        "tfrec: warning: no box of 'fig'",
        "tfrec: warning: 60 of 60",
    ]
    assert last.startswith("tfrec: error: this command needs TensorFlow")


def test_without_val_it_is_said_what_stands_for_it(folder: Path) -> None:
    aside, steps, last = lines_of(folder, val="")
    assert steps.startswith("tfrec: 638 steps of 8: each of 51 new images ")
    assert aside == (
        "tfrec: --train: 9 of its 60 images are set aside to choose and to measure by, and are never "
        "learnt from: those whose bytes, hashed with --seed 0, come first; --val names others"
    )
    assert last.startswith("tfrec: error: this command needs TensorFlow")
    assert line_of(folder, val="", train=six_images(folder)).startswith(
        "--train: none of its 6 images can be set aside"
    )


def six_images(folder: Path) -> str:
    """A set of six images."""
    source = json.loads((SAMPLE / "new/annotations.coco.json").read_text(encoding="utf-8"))
    source["images"] = source["images"][:6]
    kept = {image["id"] for image in source["images"]}
    source["annotations"] = [each for each in source["annotations"] if each["image_id"] in kept]
    (folder / "six.json").write_text(json.dumps(source), encoding="utf-8")
    tfrec("convert", folder / "six.json", "--images", SAMPLE / "new/images", "--out", folder / "six/six")
    return "six/six"


def test_what_is_right_needs_tensorflow(folder: Path) -> None:
    steps, line = lines_of(folder)
    assert steps == "tfrec: 750 steps of 8: each of 60 new images 100 times (100 is the most)"
    assert line == (
        "tfrec: error: this command needs TensorFlow (tensorflow is not installed): pip install "
        "'tfrec-tools[train]'"
    )

"""Folders exactly as others leave them, opened by every command that takes a model: as TFOD's exporter leaves
them, as the zoo's archive has them, and as a training leaves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.helpers import tiny
from tests.helpers.command import write_map
from tfrec_tools.cli.app import app
from tfrec_tools.detector.config.rewrite import Changes, rewrite_pipeline
from tfrec_tools.detector.model.description import describe
from tfrec_tools.detector.model.detector import new_detector, save_detector
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.labels.zoo import coco_labels


def _saved(folder: Path, labels: LabelMap, label_map_path: str) -> None:
    save_detector(new_detector(tiny.PIPELINE.read_text(encoding="utf-8"), labels, seed=1), folder)
    config = folder / "pipeline.config"
    changes = Changes(max(labels.name_by_id), label_map_path)
    config.write_text(rewrite_pipeline(config.read_text(encoding="utf-8"), changes), encoding="utf-8")
    (folder / "label_map.pbtxt").unlink()


def _exported(workspace: Path) -> Path:
    """Without a label map, which lies where the training was run."""
    folder = workspace / "exported/mine"
    _saved(folder, from_names(["red", "green"]), "annotations/label_map.pbtxt")
    write_map(workspace / "annotations/label_map.pbtxt", "red", "green")
    (folder / "saved_model").mkdir()
    (folder / "saved_model/saved_model.pb").write_bytes(b"x")
    return folder


def _of_the_zoo(workspace: Path) -> Path:
    folder = workspace / "downloaded/ssd_mobilenet_v2"
    _saved(folder, coco_labels(), "PATH_TO_BE_CONFIGURED")
    return folder


def _trained(workspace: Path) -> Path:
    """Several checkpoints beside the config, a state file of another machine, events; Windows' paths."""
    folder = workspace / "models/mine"
    _saved(folder, from_names(["red", "green"]), r"D:\me\annotations\label_map.pbtxt")
    write_map(workspace / "annotations/label_map.pbtxt", "red", "green")
    for number in (1, 2):
        for file in (folder / "checkpoint").glob("ckpt-0.*"):
            (folder / file.name.replace("ckpt-0", f"ckpt-{number}")).write_bytes(file.read_bytes())
    (folder / "ckpt-2.index").write_bytes(b"cut off when the machine was taken away")
    for file in (folder / "checkpoint").iterdir():
        file.unlink()
    (folder / "checkpoint").rmdir()
    (folder / "checkpoint").write_text('model_checkpoint_path: "/content/models/mine/ckpt-1"\n')
    (folder / "train").mkdir()
    return folder


FORMS = (_exported, _of_the_zoo, _trained)


@pytest.fixture(scope="module", params=FORMS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("workspace")
    (workspace / "annotations").mkdir()
    make: Callable[[Path], Path] = request.param
    return make(workspace)


def test_it_says_what_was_chosen(folder: Path) -> None:
    said = describe(folder)
    assert len(said.labels) in (2, 80)
    assert said.notes[0].startswith(f"classes of {folder}: ")


@pytest.mark.slow
def test_every_command_opens_it(folder: Path, tmp_path: Path) -> None:
    names = describe(folder).labels
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    _run("merge-labels", folder, write_map(tmp_path / "new.pbtxt", "blue"), "--keep-gaps",
         "--out", tmp_path / "merged.pbtxt")  # fmt: skip
    records = tiny.write_records(tmp_path / "new.tfrecord", ["blue"], 2)
    _run("detect", tmp_path / "a.png", "--model", folder, "--out", tmp_path / "seen")
    _run("finetune", "--base", folder, "--labels", tmp_path / "merged.pbtxt", "--train", records,
         "--val", records, "--dry-run")  # fmt: skip
    _run("export", "--model", folder, "--to", "checkpoint", "--out", tmp_path / "exported")
    assert describe(tmp_path / "exported").labels.names == names.names


def _run(*words: object) -> None:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output

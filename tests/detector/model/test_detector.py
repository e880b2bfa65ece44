"""Model folders: written, read, refused; TFOD's checkpoints both ways."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import tiny
from tfrec_tools.detector.architectures import ssd
from tfrec_tools.detector.model.detector import load_detector, save_detector, values
from tfrec_tools.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.model_folder(tmp_path / "model", "red", "green")


def test_a_folder_is_read_back_bit_for_bit(folder: Path) -> None:
    written, read = tiny.detector("red", "green"), load_detector(folder)
    before, after = values(written.network), values(read.network)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[path], after[path]) for path in before)
    assert read.labels.names == ("red", "green")


def test_a_folder_is_in_the_layout_of_tfod(folder: Path) -> None:
    keys = dict(tf.train.list_variables(str(folder / "checkpoint")))
    box_head = (
        "model/_box_predictor/_box_prediction_head/_box_encoder_layers/0/bias/.ATTRIBUTES/VARIABLE_VALUE"
    )
    assert keys[box_head] == [24]
    assert "save_counter/.ATTRIBUTES/VARIABLE_VALUE" in keys
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint",
        "label_map.pbtxt",
        "pipeline.config",
    ]


def test_a_checkpoint_may_lie_beside_the_config_as_tfods_trainer_leaves_it(folder: Path) -> None:
    for file in (folder / "checkpoint").iterdir():
        file.rename(folder / file.name if file.name != "checkpoint" else folder / "latest")
    (folder / "checkpoint").rmdir()
    (folder / "latest").rename(folder / "checkpoint")
    assert load_detector(folder).labels.names == ("red", "green")


def test_the_checkpoint_that_the_state_file_names_is_read(folder: Path) -> None:
    """A training that went on after its best checkpoint; the state file's path is of another machine."""
    other = tiny.model_folder(folder.parent / "other", "red", "green", seed=2)
    for file in (other / "checkpoint").glob("ckpt-0.*"):
        file.rename(folder / "checkpoint" / file.name.replace("ckpt-0", "ckpt-7"))
    heads = []
    for path in ("ckpt-0", "C:\\\\runs\\\\ckpt-7"):
        (folder / "checkpoint/checkpoint").write_text(f'model_checkpoint_path: "{path}"\n')
        read = values(load_detector(folder).network)
        heads.append(next(value for name, value in sorted(read.items()) if name.endswith("kernel")))
    assert not np.array_equal(heads[0], heads[1])


def test_saving_replaces_a_folder_whole(folder: Path) -> None:
    (folder / "stray").write_text("x")
    save_detector(tiny.detector("red"), folder)
    assert load_detector(folder).labels.names == ("red",)
    assert not (folder / "stray").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_network_gives_a_code_and_logits_an_anchor(folder: Path) -> None:
    detector = load_detector(folder)
    codes, logits = detector.network(tf.zeros((2, 64, 64, 3)))
    anchors = len(ssd.anchor_boxes(detector.config))
    assert codes.shape == (2, anchors, 4)
    assert logits.shape == (2, anchors, 3)


def _without(part: str) -> object:
    def damage(folder: Path) -> None:
        for path in folder.glob(part):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _edit(file: str, old: str, new: str) -> object:
    def damage(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))

    return damage


def _cut(folder: Path) -> None:
    data = next((folder / "checkpoint").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:1000])


def _three_classes(folder: Path) -> None:
    _edit("pipeline.config", "num_classes: 2", "num_classes: 3")(folder)  # type: ignore[operator]
    with (folder / "label_map.pbtxt").open("a") as file:
        file.write('item { id: 3 name: "blue" }\n')


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_without("*"), "pipeline.config: not found"),
        (_without("pipeline.config"), "pipeline.config: not found"),
        (
            _without("label_map.pbtxt"),
            "has no label map, and its pipeline.config names label_map.pbtxt, which",
        ),
        (_without("checkpoint"), "checkpoint: not found"),
        (_without("checkpoint/*"), "no checkpoint in it"),
        (_without("checkpoint/*.data-*"), "ckpt-0"),
        (_cut, "ckpt-0"),
        (
            _edit("pipeline.config", "num_classes: 2", "num_classes: 3"),
            "num_classes: found 3 classes, expected 2",
        ),
        (_three_classes, "the checkpoint has 2 classes, expected 3 by pipeline.config"),
        (
            _edit("pipeline.config", "num_layers_before_predictor: 2", "num_layers_before_predictor: 3"),
            "lacks 22",
        ),
        (_edit("pipeline.config", " depth: 16", " depth: 24"), "found shape"),
        (_edit("label_map.pbtxt", "id: 2", "id: 1"), "id 1 stands 2 times"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(folder: Path, damage: object, found: str) -> None:
    damage(folder)  # type: ignore[operator]
    with pytest.raises(Exception, match=found) as caught:
        load_detector(folder)
    assert "\n" not in str(caught.value)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a model folder"):
        load_detector(tmp_path / "nothing")

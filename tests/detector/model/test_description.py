"""What is named as a model: opened where it can be, else named for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import tiny
from tests.helpers.command import write_map
from tfrec_tools.detector.checkpoints.latest import latest, which
from tfrec_tools.detector.model.description import describe
from tfrec_tools.detector.preflight import model_notes
from tfrec_tools.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with a checkpoint's names alone, which is all that a description looks at."""
    (tmp_path / "mine/checkpoint").mkdir(parents=True)
    (tmp_path / "mine/saved_model").mkdir()
    (tmp_path / "mine/checkpoint/ckpt-0.index").touch()
    (tmp_path / "mine/checkpoint/ckpt-0.data-00000-of-00001").touch()
    (tmp_path / "mine/pipeline.config").write_bytes(tiny.PIPELINE.read_bytes())
    write_map(tmp_path / "mine/label_map.pbtxt", "red", "green")
    return tmp_path / "mine"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.tflite", "a TFLite model: its weights are no variables any more; expected a model folder"),
        ("a.onnx", "an ONNX model: its weights are no variables any more; expected a model folder"),
        ("a.pb", "a frozen graph or SavedModel: its weights are no variables any more"),
        ("a.h5", "a Keras model or its weights; expected a model folder .* with --pipeline"),
        ("a.weights.h5", "a Keras model or its weights; expected a model folder .* with --pipeline"),
        ("a.keras", "a Keras model, which is none of TFOD's; expected a model folder"),
        ("yolo11n.pt", "a PyTorch model, which is none of TFOD's; expected a model folder"),
        ("ssd.tar.gz", r"an archive; unpack it \(tar xzf\) and name the folder in it"),
        ("ssd.zip", "an archive; unpack it and name the folder in it"),
        ("notes.md", "a file, expected a model folder"),
    ],
)
def test_a_file_is_named_for_what_it_is(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"{name}: {line}"):
        describe(tmp_path / name)


@pytest.mark.parametrize(
    "part",
    [
        "pipeline.config",
        "checkpoint",
        "saved_model",
        "checkpoint/ckpt-0",
        "checkpoint/ckpt-0.index",
        "checkpoint/ckpt-0.data-00000-of-00001",
    ],
)
def test_of_a_part_of_a_model_folder_the_folder_is_named(folder: Path, part: str) -> None:
    with pytest.raises(InputError, match=f"mine/{part}: .*; name (its folder|the folder itself), {folder}$"):
        describe(folder / part)


def test_what_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(InputError, match="nowhere: not found, expected a model folder"):
        describe(folder / "nowhere")


def test_a_run_opens_by_its_folder(folder: Path) -> None:
    run = folder.parent / "run"
    run.mkdir()
    folder.rename(run / "model")
    assert model_notes(run, None) == ()
    with pytest.raises(InputError, match=r"run/state\.npz: not found"):
        model_notes(run / "state.npz", None)


def test_a_byte_order_mark_is_no_part_of_a_config(folder: Path) -> None:
    config = folder / "pipeline.config"
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    assert describe(folder).text == tiny.PIPELINE.read_text(encoding="utf-8")


def test_another_number_of_classes_is_said_as_that(folder: Path) -> None:
    write_map(folder / "label_map.pbtxt", "red", "green", "blue")
    with pytest.raises(InputError, match=r"found 2 classes, expected 3, .* by --base-labels MAP$"):
        describe(folder, flag="--base-labels")
    write_map(folder / "two.pbtxt", "red", "green")
    assert describe(folder, folder / "two.pbtxt").labels.names == ("red", "green")


@pytest.mark.parametrize(
    ("state", "taken", "why"),
    [
        ('model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-10"\n', "ckpt-2", "names"),
        ('model_checkpoint_path: "/content/runs/ckpt-2"\n', "ckpt-2", "names"),
        ('model_checkpoint_path: "C:\\\\runs\\\\ckpt-2"\n', "ckpt-2", "names"),
        ('model_checkpoint_path: "ckpt-11"\n', "ckpt-10", "highest"),
        ("\x00\xff", "ckpt-10", "highest"),
        (None, "ckpt-10", "highest"),
    ],
)
def test_the_checkpoint_that_the_state_file_names_is_taken_if_it_is_there(
    folder: Path, state: str | None, taken: str, why: str
) -> None:
    for number in (2, 10):
        (folder / f"checkpoint/ckpt-{number}.index").touch()
    if state is not None:
        (folder / "checkpoint/checkpoint").write_text(state, encoding="latin-1")
    assert latest(folder / "checkpoint").name == taken
    (note,) = describe(folder).notes
    assert note.startswith(f"{folder}/checkpoint/{taken}, ")
    assert note.endswith("of 3 checkpoints")
    assert why in note


def test_one_checkpoint_needs_no_word(folder: Path) -> None:
    assert which(folder) == ""
    for file in (folder / "checkpoint").iterdir():
        file.rename(folder / file.name)
    (folder / "checkpoint").rmdir()
    (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-0"\n')
    assert describe(folder).notes == ()

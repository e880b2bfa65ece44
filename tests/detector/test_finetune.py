"""`tfrec finetune`, whole, on a narrow model: grown, trained, measured, stopped and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers import tiny
from tests.helpers.finetuning import CONFIG, STEPS, plan, write_inputs
from tests.helpers.pages import cards
from tfrec_tools.detector import finetune
from tfrec_tools.detector.model import detector
from tfrec_tools.detector.training import history
from tfrec_tools.detector.training.run_notes import noted_steps, numbered_run, open_run
from tfrec_tools.detector.training.trainer import Trainer
from tfrec_tools.errors import InputError, Interrupted
from tfrec_tools.labels.id_tables import Tables
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.labels.merge import MergedClass
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map
from tfrec_tools.system import toml_options


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def run(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    finetune.finetune(plan(inputs, out), resume=False)
    return out


def test_a_run_leaves_a_model_folder_and_what_proves_it(run: Path) -> None:
    grown = detector.load_detector(run / "model")
    assert grown.labels.names == ("red", "green", "blue")
    written = json.loads((run / "report.json").read_text())
    assert [line["group"] for line in written["classes"] if not line["is_mean"]] == ["old", "old", "new"]
    assert [row.step for row in history.read_losses(run / "losses.csv")] == [1, 2, 3, 4]
    assert (run / "metrics.csv").read_text().startswith("name,group,boxes")
    for name in ("loss.png", "detections.png", "confusion.png", "precision_recall.png"):
        with Image.open(run / name) as picture:
            assert picture.width > 300
    page, card = (run / "report.html").read_text(), (run / "model" / "README.md").read_text()
    assert page.count("data:image/png;base64,") == 5 + (run / "pseudo_labels").is_dir()
    assert "| blue | new |" in card
    assert 'href="compare.html"' in page
    beside = (run / "compare.html").read_bytes()
    assert {card["name"] for card in cards(beside)}
    assert b"Known to B alone: blue." in beside


@pytest.mark.slow
def test_the_grown_model_is_the_next_base(run: Path, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "fewer.pbtxt").write_text(format_label_map(from_names(["blue"])))
    again = plan(
        inputs,
        tmp_path / "run",
        base=run / "model",
        labels=read_label_map(tmp_path / "fewer.pbtxt"),
        replay=(),
        val=(str(inputs / "new.tfrecord"),),
        drop_classes=True,
        config=replace(CONFIG, steps=1),
    )
    lines = finetune.finetune(again, resume=False)
    assert [(line.name, line.group) for line in lines[:1]] == [("blue", "old")]
    assert detector.load_detector(tmp_path / "run" / "model").labels.names == ("blue",)


def test_training_moves_what_it_should(run: Path, inputs: Path) -> None:
    before = detector.values(detector.load_detector(inputs / "base").network)
    after = detector.values(detector.load_detector(run / "model").network)
    same = {
        path
        for path in before
        if before[path].shape == after[path].shape and np.array_equal(before[path], after[path])
    }
    # Four small steps move a gamma of 1, and level 7, whose anchors no box is large enough for, by less
    # than float32 can tell.
    unmoved = {path for path in same if not path.endswith(("gamma", "moving_mean", "moving_variance"))}
    assert all("_coarse_feature_layers/1" in path for path in unmoved)
    assert all(path in same for path in before if "moving_" in path)


@pytest.mark.slow
def test_a_frozen_backbone_stays_to_the_bit_and_batch_norm_moves_when_asked(
    inputs: Path, tmp_path: Path
) -> None:
    config = replace(CONFIG, steps=1, freeze_backbone=True, train_batch_norm=True)
    finetune.finetune(plan(inputs, tmp_path / "run", config=config), resume=False)
    before = detector.values(detector.load_detector(inputs / "base").network)
    after = detector.values(detector.load_detector(tmp_path / "run" / "model").network)
    for path in before:
        if "classification_backbone" in path and "moving_" not in path:
            assert np.array_equal(before[path], after[path]), path
        if "moving_mean" in path:
            assert not np.array_equal(before[path], after[path]), path


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not(run: Path, inputs: Path, tmp_path: Path) -> None:
    def stopping(step: str, done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001
        if (step, done) == ("training", 2):
            os.kill(os.getpid(), signal.SIGINT)

    stopped = plan(inputs, tmp_path / "run")
    with pytest.raises(Interrupted, match="stopped after step 2 of 4"):
        finetune.finetune(replace(stopped, progress=stopping), resume=False)
    assert detector.load_detector(tmp_path / "run" / "model").labels.names == ("red", "green", "blue")
    finetune.finetune(stopped, resume=True)
    assert history.read_losses(tmp_path / "run" / "losses.csv") == history.read_losses(run / "losses.csv")
    assert (tmp_path / "run" / "results.csv").read_text() == (run / "results.csv").read_text()
    whole, resumed = (
        detector.values(detector.load_detector(out / "model").network) for out in (run, tmp_path / "run")
    )
    assert all(np.array_equal(whole[path], resumed[path]) for path in whole)


def test_a_run_is_not_overwritten(run: Path, inputs: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        finetune.finetune(plan(inputs, run), resume=False)


def test_a_run_is_gone_on_with_only_as_it_was_started(run: Path, inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run to resume"):
        finetune.finetune(plan(inputs, tmp_path / "none"), resume=True)
    with pytest.raises(InputError, match=r"lr: the run was started with 0.01, found 0.5"):
        finetune.finetune(plan(inputs, run, options={"lr": 0.5, "train": ["new-*"]}), resume=True)
    with pytest.raises(InputError, match=r"seed: the run was started with nothing, found 1"):
        open_run(run, {"lr": 0.01, "train": ["new-*"], "seed": 1}, resume=True)
    renamed = LabelMap(from_names(["red", "green", "violet"]).labels)
    other = Trainer(replace(detector.load_detector(run / "model"), labels=renamed), CONFIG)
    with pytest.raises(InputError, match="of another model"):
        other.load(run / "state.npz")


def test_a_run_may_become_longer(tmp_path: Path) -> None:
    options = {"lr": 0.01, "steps": 4}
    open_run(tmp_path / "run", options, resume=False)
    open_run(tmp_path / "run", options | {"steps": 6}, resume=True)
    assert noted_steps(tmp_path / "run") == 6
    with pytest.raises(InputError, match="steps: the run was started with 6, found 5"):
        open_run(tmp_path / "run", options | {"steps": 5}, resume=True)
    assert noted_steps(tmp_path / "none") is None


@pytest.mark.slow
def test_the_control_takes_what_the_base_found_from_its_run(inputs: Path, tmp_path: Path) -> None:
    stages: list[str] = []

    def progress(step: str, done: int, total: int | None, note: str = "") -> None:  # noqa: ARG001
        stages.append(step)

    asked = replace(plan(inputs, tmp_path / "run", config=replace(CONFIG, steps=1)), progress=progress)
    lines = finetune.finetune(asked, resume=False)
    assert "measuring the base" in stages
    stages.clear()
    plain = finetune.finetune(asked.control, resume=False)
    assert "measuring the base" not in stages
    assert "measuring the grown model" in stages
    assert [line.before for line in plain] == [line.before for line in lines]


@pytest.mark.slow
def test_a_run_that_ended_goes_on_with_more_steps(run: Path, inputs: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    before = history.read_losses(run / "losses.csv")
    longer = plan(inputs, tmp_path / "run", config=replace(CONFIG, steps=STEPS + 2))
    finetune.finetune(longer, resume=True)
    after = history.read_losses(tmp_path / "run" / "losses.csv")
    assert after[:STEPS] == before
    assert len(after) == STEPS + 2


def test_runs_are_numbered(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run to resume"):
        numbered_run(tmp_path, resume=True)
    assert numbered_run(tmp_path, resume=False).name == "finetune-1"
    for name in ("finetune-2", "finetune-10", "finetune-x"):
        (tmp_path / name).mkdir()
    assert numbered_run(tmp_path, resume=False).name == "finetune-11"
    assert numbered_run(tmp_path, resume=True).name == "finetune-10"


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.one_of(
    TEXT, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans(), st.lists(TEXT)
)


@given(st.dictionaries(st.from_regex("[a-z]+(-[a-z]+)*", fullmatch=True), VALUES))
def test_options_written_are_the_options_read(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, toml_options.Value]
) -> None:
    file = tmp_path_factory.mktemp("toml") / "run.toml"
    file.write_text(toml_options.format_options(options), encoding="utf-8")
    assert toml_options.read_options(file) == options


@pytest.mark.parametrize(
    ("text", "found"), [("lr = ", "cannot be read as TOML"), ("[train]\nlr = 1", "train: found")]
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(InputError, match=found):
        toml_options.read_options(tmp_path / "run.toml")


def test_records_outside_the_label_map_leave_no_run(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "few.pbtxt").write_text(format_label_map(from_names(["red", "green", "pink"])))
    labels = read_label_map(tmp_path / "few.pbtxt")
    with pytest.raises(InputError, match="class 'blue' is not in"):
        finetune.finetune(plan(inputs, tmp_path / "run", labels=labels), resume=False)
    assert not (tmp_path / "run").exists()


def test_a_dry_run_proves_that_old_logits_are_unchanged(inputs: Path, tmp_path: Path) -> None:
    proof = finetune.dry_run(plan(inputs, tmp_path / "run"))
    assert proof.max_difference == 0.0
    assert proof.images == 3
    assert [row.base_id for row in proof.rows] == [1, 2, None]
    assert not (tmp_path / "run").exists()


def test_a_renamed_class_is_an_old_one(inputs: Path, tmp_path: Path) -> None:
    labels = from_names(["scarlet", "green", "blue"])
    tiny.write_records(tmp_path / "val.tfrecord", ["green", "blue"], 1, labels=labels)
    rows = (MergedClass("red", 1, "scarlet", 1), MergedClass("green", 2, "green", 2))
    renaming = plan(
        inputs,
        tmp_path / "run",
        labels=labels,
        tables=Tables(tmp_path, (rows,)),
        val=(str(tmp_path / "val.tfrecord"),),
    )
    proof = finetune.dry_run(renaming)
    assert [(row.name, row.base_id) for row in proof.rows] == [("scarlet", 1), ("green", 2), ("blue", None)]
    assert proof.max_difference == 0.0

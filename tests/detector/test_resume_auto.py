"""`tfrec finetune --resume auto`: begins, goes on, or is done, and says which; before TensorFlow loads."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.helpers.command import fault, tfrec, write_map
from tests.helpers.places import SAMPLE
from tfrec_tools.cli.app import app
from tfrec_tools.detector import preflight
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.preflight import Settled, require_finetunable, settled_run
from tfrec_tools.detector.training import length
from tfrec_tools.detector.training.run_notes import Standing, noted_loss, open_run, report
from tfrec_tools.errors import InputError
from tfrec_tools.formats.classes import read_map
from tfrec_tools.system.options import as_texts, recorded

REPORT = {"forgetting": 0.015, "classes": [{"group": "old"}]}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("inputs")
    write_map(made / "merged.pbtxt", "apple", "banana", "pear", "cherry", "mushroom")
    tfrec("convert", SAMPLE / "new/annotations.coco.json", "--out", made / "records/new")
    return made


@pytest.fixture
def folder(inputs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(inputs, tmp_path / "folder"))


def options(folder: Path, **changes: Any) -> FinetuneOptions:
    asked: dict[str, Any] = {
        "base": SAMPLE / "base_model",
        "labels": folder / "merged.pbtxt",
        "train": (folder / "records/new",),
        "val": (folder / "records/new",),
        "out": folder / "run",
        "resume": "auto",
    }
    return FinetuneOptions(**asked | changes)


def begun(out: Path, asked: FinetuneOptions, *, finished: bool = False) -> None:
    """A run's folder as a training leaves it."""
    open_run(out, recorded(asked, whole=True), resume=False)
    length.note(length.length_notes(out), length.Length(asked.fixed_steps or 400))
    if finished:
        report(out).write_text(json.dumps(REPORT))


def words(asked: FinetuneOptions, *more: str) -> list[str]:
    (train,), (val,) = as_texts(asked.train), as_texts(asked.val)
    paths = {"base": asked.base, "labels": asked.labels, "train": train, "val": val, "out": asked.out}
    return [
        "finetune",
        *(f"--{name}={path}" for name, path in paths.items()),
        "--resume",
        "auto",
        *more,
    ]


def test_it_begins_goes_on_or_is_finished(folder: Path) -> None:
    asked = options(folder)
    assert settled_run(asked) == Settled(replace(asked, resume=False), Standing.NEW)
    (folder / "run").mkdir()
    assert settled_run(asked).run is Standing.NEW
    begun(folder / "run", asked)
    assert settled_run(asked) == Settled(replace(asked, resume=True), Standing.BEGUN)
    report(folder / "run").write_text(json.dumps(REPORT))
    assert settled_run(asked) == Settled(replace(asked, resume=True), Standing.FINISHED)
    assert settled_run(replace(asked, steps=400)).run is Standing.FINISHED  # what auto chose
    assert settled_run(replace(asked, steps=500)).run is Standing.BEGUN
    for other in (replace(asked, resume=True), replace(asked, dry_run=True)):
        assert settled_run(other) == Settled(other)


def test_a_run_that_goes_on_is_not_finished_until_it_is_again(folder: Path) -> None:
    asked = options(folder)
    begun(folder / "run", asked, finished=True)
    open_run(folder / "run", recorded(replace(asked, steps=500), whole=True), resume=True)
    assert settled_run(replace(asked, steps=500)).run is Standing.BEGUN


def test_the_control_is_looked_at_by_itself(folder: Path) -> None:
    asked = options(folder, control=True)
    begun(folder / "run", options(folder), finished=True)
    settled = settled_run(asked)
    assert (settled.run, settled.control) == (Standing.FINISHED, Standing.NEW)
    assert not settled.is_finished
    begun(folder / "run/control", asked, finished=True)
    assert settled_run(asked).is_finished
    assert settled_run(options(folder)).is_finished


def test_without_out_it_is_the_last_numbered_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    asked = options(folder, out=None)
    assert (settled_run(asked).options.folder, settled_run(asked).run) == (
        Path("runs/finetune-1"),
        Standing.NEW,
    )
    begun(Path("runs/finetune-3"), asked)
    assert (settled_run(asked).options.folder, settled_run(asked).run) == (
        Path("runs/finetune-3"),
        Standing.BEGUN,
    )


def test_a_finished_run_is_one_line_and_the_same_document(folder: Path) -> None:
    asked = options(folder)
    begun(folder / "run", asked, finished=True)
    out, err = tfrec(*words(asked))
    assert out == ""
    notes = [line for line in err.splitlines() if not line.startswith("  ")]  # as a long one goes on
    assert [line for line in notes if "warning" not in line] == [
        f"tfrec: {folder / 'run'} was finished before"
    ]
    out, _ = tfrec(*words(asked, "--json"))
    assert json.loads(out) == REPORT
    _, err = tfrec(*words(asked, "--max-forget", "1"), code=3)
    assert err.splitlines()[-1] == "tfrec: the old classes lost 1.5 points of AP50, more than 1"
    tfrec(*words(asked, "--max-forget", "2"))


def test_other_options_are_refused_by_name(folder: Path) -> None:
    asked = options(folder)
    begun(folder / "run", asked, finished=True)
    line = fault(*words(asked, "--lr", "0.5"))
    assert line == f"{folder / 'run/run.toml'}: lr: the run was started with nothing, found 0.5"
    line = fault(*words(asked, "--steps", "300"))
    assert line == f"{folder / 'run/run.toml'}: steps: the run was started with auto, found 300"


def test_other_records_labels_or_weights_of_the_same_names_are_refused(folder: Path) -> None:
    shutil.copytree(SAMPLE / "base_model", folder / "base")
    asked = options(folder, base=folder / "base")
    labels = read_map(folder / "merged.pbtxt")
    inputs = require_finetunable(replace(asked, resume=False), labels).inputs
    assert set(inputs) == {"base", "labels", "train", "val"}
    open_run(folder / "run", recorded(asked, whole=True), inputs, resume=False)
    report(folder / "run").write_text(json.dumps(REPORT))
    tfrec(*words(asked))

    write_map(folder / "merged.pbtxt", "apple", "banana", "pear", "mushroom", "cherry")
    assert ": labels: what it names has changed: the run was started with " in fault(*words(asked))
    write_map(folder / "merged.pbtxt", *labels.names)
    (index,) = (folder / "base/checkpoint").glob("*.index")
    whole = index.read_bytes()
    index.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    with pytest.raises(InputError, match="base: what it names has changed"):
        require_finetunable(asked, labels)
    index.write_bytes(whole)
    tfrec("convert", SAMPLE / "val/annotations.coco.json", "--out", folder / "records/new", "--overwrite")
    assert ": train: what it names has changed: the run was started with 60 images " in fault(*words(asked))


def test_what_is_no_run_is_left_alone(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run/notes.txt").touch()
    assert fault(*words(options(folder))).startswith(f"{folder / 'run'}: is there already, and holds no run")
    (folder / "run/report.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read as a run's report"):
        noted_loss(folder / "run/report.json")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[FinetuneOptions]:
    """What the command is asked in this process, which then stops."""
    asked: list[FinetuneOptions] = []

    def stop(options: FinetuneOptions) -> Settled:
        asked.append(options)
        raise InputError("here", "enough")

    monkeypatch.setattr(preflight, "settled_run", stop)
    return asked


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (["--resume"], True),
        (["--resume", "yes"], True),
        (["--resume=no"], False),
        (["--resume", "auto"], "auto"),
        ([], False),
    ],
)
def test_resume_may_stand_alone(
    folder: Path, heard: list[FinetuneOptions], said: list[str], means: object
) -> None:
    line = words(options(folder))[: -len(["--resume", "auto"])]
    for order in ([*line, *said], [line[0], *said, *line[1:]]):  # last, and before another option
        assert CliRunner().invoke(app, order).exit_code == 1
    assert [asked.resume for asked in heard] == [means, means]


@pytest.mark.parametrize(("text", "means"), [("true", [True]), ('"auto"', ["auto"]), ('"maybe"', [])])
def test_files_of_options_say_it_too(
    folder: Path, heard: list[FinetuneOptions], text: str, means: list[object]
) -> None:
    (folder / "a.toml").write_text(f"resume = {text}\nlr = 0.5\n")
    line = words(options(folder))[: -len(["--resume", "auto"])]
    done = CliRunner().invoke(app, [*line, "--config", str(folder / "a.toml")])
    assert [asked.resume for asked in heard] == means
    assert [asked.lr for asked in heard] == [0.5 for _ in means]
    assert done.exit_code == (1 if means else 2)

"""`tfrec finetune` from outside: what it prints, and one line for what cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.helpers import tiny
from tests.helpers.documents import require_valid
from tfrec_tools.cli.finetune import _judge
from tfrec_tools.detector.evaluation.average_precision import AveragePrecision
from tfrec_tools.detector.reports import comparison
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.system import toml_options

STAGES = (
    "loading tensorflow",
    "reading",
    "measuring",
    "labelling",
    "growing",
    "training:",
    "blending",
    "calibrating",
    "writing the report",
    "tfrec: learning rates: ",
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    tiny.model_folder(folder / "base", "red")
    (folder / "merged.pbtxt").write_text(format_label_map(from_names(["red", "blue"])))
    tiny.write_records(folder / "new.tfrecord", ["blue"], 2)
    tiny.write_records(folder / "val.tfrecord", ["red", "blue"], 2)
    return folder


def finetune(inputs: Path, out: Path, *more: str, **changed: str) -> subprocess.CompletedProcess[str]:
    words = {
        "base": inputs / "base",
        "labels": inputs / "merged.pbtxt",
        "train": inputs / "new.tfrecord",
        "val": inputs / "val.tfrecord",
        "out": out,
        "steps": 2,
        "batch": 2,
    } | changed
    options = [str(part) for key, value in words.items() for part in (f"--{key}", value)]
    command = [sys.executable, "-m", "tfrec_tools", "finetune", *options, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_goes_to_stdout_and_tensorflow_stays_quiet(inputs: Path, tmp_path: Path) -> None:
    done = finetune(inputs, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    for words in (
        "AP50 before",
        "red",
        "blue",
        "mean of old",
        "mean of new",
        "mean of all",
        "report.html",
    ):
        assert words in done.stdout
    stages = done.stderr.splitlines()
    assert [line for line in stages if not line.startswith(STAGES)] == []
    begun = [line for line in stages if line.endswith(" ...")]
    assert begun[:2] == ["loading tensorflow ...", "reading the base ..."]
    assert "training: 0 of 2  compiling the first step" in stages


@pytest.mark.slow
def test_json_is_all_of_stdout(inputs: Path, tmp_path: Path) -> None:
    done = finetune(inputs, tmp_path / "run", "--dry-run", "--json", "--freeze=neck", "--lr=head=0.5")
    proof = json.loads(done.stdout)
    require_valid(proof, "finetune--dry-run")
    assert proof["max_difference"] == 0.0
    assert [(group["name"], group["lr"]) for group in proof["groups"]] == [
        ("backbone", 0.003),
        ("neck", None),
        ("head", 0.5),
    ]
    done = finetune(inputs, tmp_path / "run", "--json", "--max-forget=-100")
    assert (done.returncode, "points of AP50, " in done.stderr) == (3, True)
    require_valid(json.loads(done.stdout), "finetune")
    assert [line["name"] for line in json.loads(done.stdout)["classes"]][:2] == ["red", "blue"]


@pytest.mark.slow
def test_the_grown_model_is_held_against_the_control(inputs: Path, tmp_path: Path) -> None:
    done = finetune(inputs, tmp_path / "run", "--control", "--calibrate", "off")
    assert done.returncode == 0, done.stderr
    assert "Against plain fine-tuning, the mean of old " in done.stdout
    gained = json.loads((tmp_path / "run/control/gained.json").read_text())
    assert [row["name"] for row in gained] == ["red", "blue", "mean of old", "mean of new", "mean of all"]
    report, control = (
        json.loads((tmp_path / folder / "report.json").read_text()) for folder in ("run", "run/control")
    )
    after = [
        next(line["after"]["ap50"] for line in run["classes"] if line["is_mean"]) for run in (report, control)
    ]
    assert gained[2]["ap50"] == pytest.approx(after[0] - after[1])
    assert report["calibration"]["note"] == ""


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"base": "nowhere"}, "nowhere: not found, expected a model folder"),
        ({"base": str(tiny.PIPELINE.parent)}, "pipeline.config: not found"),
        ({"labels": "nowhere.pbtxt"}, "nowhere.pbtxt: no such file or folder; expected a label map"),
        ({"train": "nowhere-*"}, "nowhere-*: no record files found"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    inputs: Path, tmp_path: Path, changed: dict[str, str], found: str
) -> None:
    done = finetune(inputs, tmp_path / "run", **changed)
    assert done.returncode == 1
    assert done.stderr.startswith("tfrec: error: ")
    assert found in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_records_outside_the_label_map_are_one_line(inputs: Path, tmp_path: Path) -> None:
    tiny.write_records(tmp_path / "odd.tfrecord", ["green"], 1)
    done = finetune(inputs, tmp_path / "run", train=str(tmp_path / "odd.tfrecord"))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "odd.tfrecord: record 0 (0.png): class 'green' is not in" in done.stderr
    assert not (tmp_path / "run").exists()


def test_more_forgotten_than_allowed_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    before, after = AveragePrecision(0.5, 0.8, 4), AveragePrecision(0.5, 0.7, 4)
    lines = [comparison.Line("mean of old", "old", True, 4, before, after)]
    lost = comparison.lost(lines)
    _judge(lost, 10.5)
    _judge(lost, None)
    with pytest.raises(typer.Exit) as end:
        _judge(lost, 9.5)
    assert end.value.exit_code == 3
    assert capsys.readouterr().err == "tfrec: the old classes lost 10 points of AP50, more than 9.5\n"
    gained = comparison.lost([comparison.Line("mean of old", "old", True, 4, after, before)])
    with pytest.raises(typer.Exit):
        _judge(gained, -12.0)
    assert capsys.readouterr().err == "tfrec: the old classes gained 10 points of AP50, less than 12\n"


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfrec_tools", "finetune", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.slow
def test_a_run_is_numbered_and_its_options_can_be_used_again(inputs: Path, tmp_path: Path) -> None:
    words = [f"--base={inputs / 'base'}", f"--labels={inputs / 'merged.pbtxt'}", "--steps=1", "--batch=2"]
    records = [f"--train={inputs / 'new.tfrecord'}", f"--val={inputs / 'val.tfrecord'}", "--interpolate=off"]
    first = run(tmp_path, *words, *records, "--augment=crop,color,rotate90")
    assert "runs/finetune-1/model" in first.stdout, first.stderr
    second = run(tmp_path, "--config", "runs/finetune-1/run.toml", "--steps", "2")
    assert "runs/finetune-2/model" in second.stdout, second.stderr
    options = [
        toml_options.read_options(tmp_path / f"runs/finetune-{number}" / "run.toml") for number in (1, 2)
    ]
    assert options[0]["train"] == [str(inputs / "new.tfrecord")]
    assert options[1] == options[0] | {"steps": 2}
    report = json.loads((tmp_path / "runs/finetune-2/report.json").read_text())
    assert report["augmentations"] == ["crop", "color", "rotate90"]


def test_a_config_of_unknown_options_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("stepz = 3\n")
    done = run(tmp_path, "--config", "run.toml")
    assert done.returncode == 1
    assert (
        "run.toml: stepz: no such option, expected one of accumulate, all-classes, augment, " in done.stderr
    )

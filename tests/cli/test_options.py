"""Options from outside: each is recorded where it changes what is written; files of them do what flags do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import fault, tfrec, write_map
from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.cli.app import COMMANDS
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.remapping.options import RemapOptions
from tfrec_tools.system import toml_options
from tfrec_tools.system.options import declarations
from tfrec_tools.system.options import recorded as options_recorded

CONVERT: dict[str, Any] = {
    "images": "images",
    "format": "coco",
    "labels": "map.pbtxt",
    "labeled": "cat,dog",
    "masks": "png",
    "keypoints": "none",
    "alias": "cat=animal,dog=animal",
    "aliases": "aliases.json",
    "rename": "cat=tom",
    "ignore": "dog",
    "only": "cat,dog",
    "voc-origin": 1,
    "columns": "class=2",
    "coordinates": "pixels",
    "class-attribute": "name",
    "class-names": "cat,dog",
    "box-format": "xywh",
    "class-descriptions": "names.csv",
    "image-labels": "none",
    "yolo": "detect",
    "boxes-from": "keypoints",
    "keyframes": "alone",
    "record-labels": "map.pbtxt",
    "rescale": True,
    "exif": "turn",
    "max-side": 48,
    "max-pixels": 100_000,
    "jpeg-quality": 80,
    "no-negatives": True,
    "policy": "lenient",
    "on": "box-tiny=drop-box",
    "min-side": 2.5,
    "verify-images": "decode",
    "split": "train=0.5,val=0.5",
    "seed": 3,
    "group-by": "sha256",
    "shards": 1,
    "compression": "gzip",
}
OF_OTHER_FORMATS = {
    *("voc-origin", "columns", "class-attribute", "class-names", "box-format", "class-descriptions"),
    *("image-labels", "yolo", "keyframes", "record-labels"),
}
REMAP: dict[str, Any] = {
    "labels": "map.pbtxt",
    "table": "table.json",
    "record-labels": "map.pbtxt",
    "labeled": "cat,dog",
    "keypoints": "none",
    "alias": "cat=cat",
    "aliases": "aliases.json",
    "rename": "cat=dog",
    "ignore": "cat",
    "only": "cat,dog",
    "keep-gaps": True,
    "renumber": True,
    "policy": "lenient",
    "on": "class-mismatch=drop-image",
    "seed": 3,
    "shards": 1,
    "compression": "gzip",
}
_WITH_LABELS = {"table"}  # of remap
EXTRACT: dict[str, Any] = {"to": "voc", "record-labels": "map.pbtxt", "no-masks": True}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    coco(tmp_path)
    write_map(tmp_path / "map.pbtxt", "dog", "cat")
    (tmp_path / "table.json").write_text(json.dumps({"sources": []}))
    (tmp_path / "aliases.json").write_text(json.dumps({"pet": "dog"}))
    return tmp_path


def words_of(option: str, value: Any) -> list[str]:
    return [f"--{option}"] if value is True else [f"--{option}", str(value)]


def noted(folder: Path) -> dict[str, str]:
    options: dict[str, str] = json.loads((folder / "out/set.manifest.json").read_text())["options"]
    return options


def recorded(of: type[Any]) -> set[str]:
    return {declared.word for declared in declarations(of) if declared.option.recorded}


def test_every_option_that_counts_is_tried() -> None:
    assert set(CONVERT) == recorded(ConvertOptions)
    assert set(REMAP) == recorded(RemapOptions)
    assert set(EXTRACT) == recorded(ExtractOptions)


@pytest.mark.parametrize("option", sorted(CONVERT.keys() - OF_OTHER_FORMATS))
def test_the_manifest_of_convert_has_it(folder: Path, option: str) -> None:
    words = words_of(option, CONVERT[option])
    tfrec("convert", "instances.json", "--out", "out/set", *words, cwd=folder)
    assert noted(folder) == {option: str(CONVERT[option]).lower()}


@pytest.mark.parametrize("option", sorted(OF_OTHER_FORMATS))
def test_an_option_that_the_format_does_not_read_is_refused(folder: Path, option: str) -> None:
    words = words_of(option, CONVERT[option])
    _, said = tfrec("convert", "instances.json", "--out", "out/set", *words, cwd=folder, code=1)
    assert f"--{option}: is not read of COCO, expected " in said
    values: dict[str, Any] = {option.replace("-", "_"): CONVERT[option]}
    assert options_recorded(ConvertOptions("a.json", "set", **values)) == {option: CONVERT[option]}


@pytest.mark.parametrize("option", REMAP)
def test_the_manifest_of_remap_has_it(folder: Path, option: str) -> None:
    convert(ConvertOptions(folder / "instances.json", folder / "old/set"))
    words = words_of(option, REMAP[option])
    if option in _WITH_LABELS:
        words += ["--labels", "map.pbtxt"]
    tfrec("remap", "old/set", "--out", "out/set", *words, cwd=folder)
    labels = {"labels": "map.pbtxt"} if option in _WITH_LABELS else {}
    assert noted(folder) == labels | {option: str(REMAP[option]).lower()}


def test_an_extraction_has_all_of_its_options(folder: Path) -> None:
    tfrec("convert", "instances.json", "--out", "old/set", "--labels", "map.pbtxt", cwd=folder)
    words = [word for option, value in EXTRACT.items() for word in words_of(option, value)]
    tfrec("extract", "old/set", "--out", "out", *words, "--no-fsync", cwd=folder)
    options = json.loads((folder / "out/extraction.json").read_text())["options"]
    assert options == {option: str(value).lower() for option, value in EXTRACT.items()}


def test_a_run_records_how_it_trains_and_reads_it_back(tmp_path: Path) -> None:
    how: dict[str, Any] = {
        "steps": "auto",
        "batch": "auto",
        "lr": "backbone=1e-4,head=0.01",
        "freeze": "neck",
        "freeze_layers": "layer_with_weights-[0-9]/",
        "time_budget": "10m",
    }
    options = FinetuneOptions(base="base", labels="map", train=("new",), val=("val",), **how)
    noted = options_recorded(options, whole=True)
    assert {name: noted[name.replace("_", "-")] for name in how} == how
    assert "resume" not in noted
    (tmp_path / "run.toml").write_text(toml_options.format_options(noted))
    assert toml_options.read_options(tmp_path / "run.toml") == noted
    mult = FinetuneOptions(base="base", labels="map", train=("new",), val=("val",), backbone_lr_mult=0.5)
    assert options_recorded(mult, whole=True)["backbone-lr-mult"] == 0.5


def test_what_says_how_it_runs_is_not_noted(folder: Path) -> None:
    tfrec("convert", "instances.json", "--out", "out/set", "--workers", "1", "--overwrite", cwd=folder)
    assert noted(folder) == {}


def test_a_file_of_options_does_what_flags_do(folder: Path) -> None:
    (folder / "convert.toml").write_text(
        'sources = ["instances.json"]\nout = "out/set"\nshards = 2\nformat = "coco"\nno-negatives = true\n'
    )
    tfrec("convert", "--config", "convert.toml", cwd=folder)
    assert noted(folder) == {"shards": "2", "format": "coco", "no-negatives": "true"}
    (folder / "remap.toml").write_text('labels = "map.pbtxt"\nseed = 5\nshards = "auto"\n')
    tfrec("remap", "out/set", "--out", "re/set", "--config", "remap.toml", "--seed", "6", cwd=folder)
    assert json.loads((folder / "re/set.manifest.json").read_text())["options"]["seed"] == "6"
    (folder / "merge.toml").write_text('old = "map.pbtxt"\nout = "m.json"\nrename = ["dog=hound"]\n')
    tfrec("merge-labels", "--config", "merge.toml", cwd=folder)
    merged = json.loads((folder / "m.json").read_text())
    assert [item["name"] for item in merged["classes"]] == ["hound", "cat"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "shrads = 2",
            "a.toml: shrads: no such option, expected one of alias, aliases, all-classes,",
        ),
        ("seed = [1, 2]", "a.toml: seed: found [1, 2], expected text, a number, true, false or a list"),
        ("seed = ", "a.toml: cannot be read as TOML ("),
        ("seed = true", "a.toml: seed: found true, expected text or a number"),
        ("images = false", "a.toml: images: found false, expected text or a number"),
        ('seed = ["1"]', "a.toml: seed: found ['1'], expected one value"),
        ("images = 3", "3: is no folder; expected the folder of the images"),
        ("labels = 2.5", "2.5: no such file or folder"),
    ],
)
def test_files_of_options_that_cannot_be_used(folder: Path, text: str, line: str) -> None:
    (folder / "a.toml").write_text(text)
    words = ("convert", "instances.json", "--out", "out/set", "--config", "a.toml")
    assert fault(*words, cwd=folder).startswith(line)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--shards", "0"), "'0' is neither auto nor a number from 1"),
        (("--shards", "few"), "'few' is neither auto nor a number from 1"),
        (("--masks", "gif"), "'gif' is not one of"),
        (("--jpeg-quality", "101"), "101 is not in the range 1<=x<=100"),
        (("--format", "xml"), "'xml' is not one of"),
    ],
)
def test_a_wrong_value_is_a_wrong_command_line(folder: Path, words: tuple[str, ...], reason: str) -> None:
    _, err = tfrec("convert", "instances.json", "--out", "out/set", *words, cwd=folder, code=2)
    assert reason in err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seed = 1.5", "'1.5' is not a valid int"),
        ("max-side = 64.0", "'64.0' is not a valid int"),
        ("no-negatives = 3", "'3' is not a valid boolean"),
    ],
)
def test_a_wrong_value_in_a_file_is_one_on_the_command_line(folder: Path, text: str, reason: str) -> None:
    (folder / "a.toml").write_text(text)
    words = ("convert", "instances.json", "--out", "out/set", "--config", "a.toml")
    _, err = tfrec(*words, cwd=folder, code=2)
    assert reason in err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_no_tensorflow(command: str) -> None:
    out, _ = tfrec(command, "-h")
    assert f"Example: tfrec {command} " in out
    assert "--config" in out


def test_panels_stand_in_their_order() -> None:
    out, _ = tfrec("convert", "--help")
    panels = ["Arguments", "Options", "Source", "Checks", "Output", "How it runs"]
    at = [out.index(f"─ {panel} ─") for panel in panels]
    assert at == sorted(at)

"""With --json: exactly one document on stdout, as its schema says, whether the command did well or failed;
progress as JSON lines; nothing but results and errors where that is wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from tests.helpers.command import write_map
from tests.helpers.documents import faults, require_valid
from tests.helpers.places import DATA, DOCS, SCHEMAS
from tests.helpers.small_sets import SCENES, coco, save_pictures
from tfrec_tools.cli.app import COMMANDS, app
from tfrec_tools.cli.documents import DOCUMENTS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to work in: images, instances.json, a label map, and a set records/old."""
    monkeypatch.chdir(tmp_path)
    save_pictures(tmp_path / "images")
    coco(tmp_path, [*SCENES[:1], (*SCENES[1][:3], [("cat", -3, 1, 9, 9)])])
    write_map(tmp_path / "map.pbtxt", "owl")
    ran("convert", "instances.json", "--out", "records/old", "--workers", "1")
    return tmp_path


def ran(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def document(*words: str, code: int = 0, schema: str = "") -> Any:
    """What a command prints, which is as its schema says."""
    found = json.loads(ran(*words, "--json", code=code).stdout)
    require_valid(found, schema or words[0])
    return found


def test_the_published_schemas_are_the_code() -> None:
    """After a change, write msgspec.json.schema of the class to the file, with "$schema" before it."""
    for name, of in DOCUMENTS.items():
        published = json.loads((SCHEMAS / f"output/{name}.schema.json").read_text(encoding="utf-8"))
        assert published.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
        assert _unwrapped(published) == _unwrapped(json.loads(json.dumps(msgspec.json.schema(of)))), name
    assert {path.name for path in (SCHEMAS / "output").iterdir()} == {f"{n}.schema.json" for n in DOCUMENTS}


def _unwrapped(schema: Any) -> Any:
    """Python 3.13 takes the indentation out of docstrings."""
    if isinstance(schema, dict):
        return {key: _unwrapped(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_unwrapped(value) for value in schema]
    return " ".join(schema.split()) if isinstance(schema, str) else schema


def test_every_command_has_a_schema_and_a_row_in_the_docs() -> None:
    assert {name.partition("--")[0] for name in DOCUMENTS} - {"error", "progress"} == set(COMMANDS)
    table = (DOCS / "pipelines.md").read_text(encoding="utf-8")
    assert all(f"(../schemas/output/{name}.schema.json)" in table for name in DOCUMENTS)


def test_a_schema_that_is_not_kept_is_seen() -> None:
    schema = msgspec.json.schema(DOCUMENTS["preview"])
    good = {"out": "a", "images": 1, "boxes": 2}
    assert list(faults(good, schema, schema["$defs"], "")) == []
    for bad in ({"out": "a", "images": 1}, good | {"images": "1"}, good | {"x": 1}, good | {"boxes": True}):
        assert len(list(faults(bad, schema, schema["$defs"], ""))) == 1


def test_each_command_of_the_light_wing(folder: Path) -> None:
    words = ("convert", "instances.json", "--out", "records/new", "--split", "train=0.5,val=0.5")
    assert document(*words)["outcome"] == "made"
    assert document(*words)["outcome"] == "unchanged"
    changed = document(*words[:-2], "--if-changed")["changed"]
    assert changed == [{"what": "options", "detail": "--split was train=0.5,val=0.5, is default"}]
    codes = {issue["code"] for issue in document("validate", "instances.json")["issues"]}
    assert "box-outside" in codes
    assert document("validate", "instances.json", "--policy", "strict", code=1)["refused"] >= len(codes)
    assert [each["faults"] for each in document("verify", "records")] == [[], []]
    assert document("inspect", "records/old")["images"] == 2
    assert document("preview", "records/old", "--out", "a.html") == {"out": "a.html", "images": 2, "boxes": 3}
    found = document("compare", "records/old", "records/new", "--out", "b.html", schema="compare--sets")
    assert (found["both"], found["shown"], found["other_bytes"]) == (2, 2, 0)
    merged = document("merge-labels", "records/old", "map.pbtxt", "--out", "m.pbtxt")
    assert [each["name"] for each in merged["classes"]] == ["dog", "cat", "owl"]
    assert document("remap", "records/old", "--labels", "m.pbtxt", "--out", "all/set")["outcome"] == "made"
    assert document("extract", "records/old", "--to", "csv", "--out", "csv")["outcome"] == "made"
    assert document("extract", "records/old", "--to", "csv", "--out", "csv")["outcome"] == "unchanged"
    assert document("models")["zoo"]
    rewritten = (
        "config",
        str(DATA / "fpnlite.pipeline.config"),
        "--labels",
        "m.pbtxt",
        "--out",
        "new.config",
    )
    assert document(*rewritten)["num_classes"] == 3
    (folder / "records/old.label_map.pbtxt").write_text("")
    assert document("verify", "records/old", code=1)[0]["faults"]


def error(*words: str, code: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = document(*words, code=code, schema="error")["error"]
    assert found["code"] == code
    return found


def test_errors(folder: Path) -> None:
    (folder / "odd.pbtxt").write_text("item{id:1 name:'a'} item{id:1 name:'b'}")
    found = error("remap", "records/old", "--labels", "odd.pbtxt", "--out", "x/y")
    assert (found["path"], found["expected"]) == ("odd.pbtxt", "label maps that agree")
    found = error("convert", "instances.json", "--out", "records/old", "--seed", "3")
    assert found["message"] == "{path}: {found}; {hint}".format(**found)
    assert found["found"] == "exists already, of other options (--seed was default, is 3)"
    assert found["hint"] == "replace the set with --if-changed or --overwrite, or choose another --out"
    found = error("compare", "records/old", "records/old", "--score", "0.5")
    assert found["message"] == "--score: is of models; to compare models, give --records"
    found = error("convert", "instances.json", "--out", "x/y", "--on", "box-outside=error")
    assert (found["path"], found["where"]) == ("instances.json images[1]", "box-outside")
    assert found["hint"] == "--on box-outside=fix would go on"
    found = error("merge-labels", "map.pbtxt", "--out", "x.pbtxt", "--alias", "a; b")
    assert (found["path"], found["found"]) == ("--alias", "'a; b' is no pair")
    assert (found["expected"], found["hint"]) == ("OLD=NEW", "")
    found = error("inspect", "nowhere")
    assert (found["path"], found["found"]) == ("nowhere", "no such file or folder")
    assert found["expected"] == "that, DIR/NAME of records, or a name from `tfrec models`"


def test_wrong_command_lines(folder: Path) -> None:  # noqa: ARG001
    found = error("convert", "--nonsense", code=2)
    assert found["path"] == "--nonsense"
    assert found["hint"].endswith(" convert --help")
    assert error("nonsense", code=2)["found"].startswith("No such command 'nonsense'")
    found = error("convert", "instances.json", "--out", "x/y", "--shards", "few", code=2)
    assert (found["path"], "neither auto nor a number" in found["found"]) == ("--shards", True)
    assert error("convert", "instances.json", code=2)["path"] == "--out"
    assert ran("convert", "--nonsense", code=2).stdout == ""


def test_progress_in_lines_of_json(folder: Path) -> None:  # noqa: ARG001
    done = ran("convert", "instances.json", "--out", "x/y", "--progress", "json", "--workers", "1", "--json")
    json.loads(done.stdout)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    for line in lines:
        require_valid(line, "progress")
    assert {key: lines[-1][key] for key in ("stage", "done", "total", "note", "final")} == {
        "stage": "converting images",
        "done": 2,
        "total": 2,
        "note": "",
        "final": True,
    }
    assert [line["final"] for line in lines] == [False] * (len(lines) - 1) + [True]


def test_what_is_said_besides(folder: Path) -> None:
    write_map(folder / "other.pbtxt", "owls")
    words = ("merge-labels", "map.pbtxt", "other.pbtxt", "--out", "m.pbtxt")
    assert "warning: 'owls' (other.pbtxt) may be 'owl'" in ran(*words).stderr
    quiet = ran(*words, "--quiet")
    assert (quiet.stderr, "owls" in quiet.stdout) == ("", True)
    words = ("convert", "instances.json", "--workers", "1", "--out")
    assert "converting images: 2 in " in ran(*words, "x/y", "--verbose").stderr
    assert ran(*words, "x/z", "--quiet").stderr == ran(*words, "x/w", "--progress", "none").stderr == ""
    bar = ran(*words, "x/v", "--progress", "bar").stderr
    assert "converting images" in bar

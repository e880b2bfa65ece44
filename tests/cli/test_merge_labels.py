"""`tfrec merge-labels`: what it prints, what it writes, what it warns of, asks and refuses."""

from __future__ import annotations

import json
import os
import pty
import random
import resource
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tfrec_tools
from tests.helpers.command import fault, tfrec, write_map
from tests.helpers.places import SCHEMAS
from tfrec_tools.formats.classes import read_classes
from tfrec_tools.labels.label_map import from_names
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map
from tfrec_tools.remapping.label_merging import merge_labels, read
from tfrec_tools.remapping.options import MergeLabelsOptions

SCHEMA = SCHEMAS / "id_tables.schema.json"


def test_merge_labels(tmp_path: Path) -> None:
    write_map(tmp_path / "old.pbtxt", "RBC", "WBC")
    write_map(tmp_path / "new.pbtxt", "Plättchen", "[RBC]", "wbc", "junk")
    words = ["merge-labels", "old.pbtxt", "new.pbtxt", "--out", "d/merged.pbtxt"]
    words += ("--alias", "wbc=WBC", "--ignore", "junk", "--rename", "[RBC]=cell = [x]")
    out, err = tfrec(*words, cwd=tmp_path)
    assert err == ""
    assert read_label_map(tmp_path / "d/merged.pbtxt").names == ("RBC", "WBC", "Plättchen", "cell = [x]")
    rows = [line[1:-1].split("│") for line in out.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1", "RBC", "1", ""],
        ["2", "WBC", "2", "3 wbc"],
        ["3", "Plättchen", "", "1"],
        ["4", "cell = [x]", "", "2 [RBC]"],
    ]
    assert out.endswith("Left out of new.pbtxt: 4 junk\n")
    tables = json.loads((tmp_path / "d/merged.id_tables.json").read_text(encoding="utf-8"))
    assert tables["classes"][2] == {"id": 3, "name": "Plättchen"}
    assert tables["sources"][1] == {
        "path": "new.pbtxt",
        "classes": [
            {"name": "Plättchen", "old_id": 1, "new_name": "Plättchen", "new_id": 3},
            {"name": "[RBC]", "old_id": 2, "new_name": "cell = [x]", "new_id": 4},
            {"name": "wbc", "old_id": 3, "new_name": "WBC", "new_id": 2},
        ],
        "dropped": [{"name": "junk", "old_id": 4}],
    }
    document = json.loads(tfrec(*words, "--json", cwd=tmp_path)[0])
    assert document == tables | {"outcome": "rebuilt", "changed": []}
    _matches(tables, json.loads(SCHEMA.read_text(encoding="utf-8")))


def _matches(value: Any, schema: Any) -> None:
    """That objects have just the keys that the schema lists and requires."""
    if "additionalProperties" in schema:
        assert set(map(type, value.values())) <= {str}
    elif schema["type"] == "object":
        assert list(value) == list(schema["properties"]) == schema["required"]
        for key, inner in schema["properties"].items():
            _matches(value[key], inner)
    elif schema["type"] == "array":
        for item in value:
            _matches(item, schema["items"])


def test_if_changed(tmp_path: Path) -> None:
    old = write_map(tmp_path / "old.pbtxt", "cat")
    out, tables = tmp_path / "m.pbtxt", tmp_path / "m.id_tables.json"

    def outcome(rename: str | None = None, *, always: bool = False) -> tuple[str, list[str]]:
        options = MergeLabelsOptions(old, out=out, if_changed=not always, rename=rename)
        merged = merge_labels(read(options))
        return merged.outcome, [change.what for change in merged.changed]

    assert outcome() == ("made", [])
    os.utime(out, ns=(1, 1))
    assert outcome() == ("unchanged", [])
    assert out.stat().st_mtime_ns == 1
    assert outcome(always=True) == ("rebuilt", [])
    assert out.stat().st_mtime_ns != 1
    assert outcome("cat=owl") == ("rebuilt", ["options"])
    assert outcome() == ("rebuilt", ["options"])
    write_map(old, "cat", "dog")
    assert outcome() == ("rebuilt", ["input"])
    out.write_text("")
    assert outcome() == ("rebuilt", ["output"])
    tables.write_text(tables.read_text().replace(tfrec_tools.__version__, "0.0.1"))
    assert outcome() == ("rebuilt", ["version"])
    tables.write_text("{")
    assert outcome() == ("rebuilt", ["output"])
    assert outcome() == ("unchanged", [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.id_tables.json", "m.pbtxt", "old.pbtxt"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks are otherwise on Windows")
def test_two_merges_of_one_map_at_a_time(tmp_path: Path) -> None:
    old = write_map(tmp_path / "old.pbtxt", "cat")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path / "m.pbtxt"], stdin=-1, stdout=-1, encoding="utf-8"
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        line = fault("merge-labels", old, "--out", "m.pbtxt", cwd=tmp_path)
        assert line.startswith(f"m.pbtxt: another run (process {holder.pid} on ")
        assert line.endswith(") is writing this label map; wait until it ends, or choose another --out")


HOLDS = """
import sys
from pathlib import Path
from tfrec_tools.system import locks
with locks.held(Path(sys.argv[1]), "label map"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.json", '{"WBC": ["wbc", "white blood cell"], "x": "unused"}'),
        ("a.yaml", "wbc: WBC\nwhite blood cell: WBC\n"),
    ],
)
def test_aliases_file(tmp_path: Path, file: str, text: str) -> None:
    write_map(tmp_path / "old.pbtxt", "WBC")
    write_map(tmp_path / "new.pbtxt", "wbc", "white blood cell")
    (tmp_path / file).write_text(text)
    tfrec("merge-labels", "old.pbtxt", "new.pbtxt", "--out", "m.txt", "--aliases", file, cwd=tmp_path)
    assert (tmp_path / "m.txt").read_text() == "WBC\n"


def test_real_maps_in_other_forms(tmp_path: Path, shared: Path) -> None:
    coco = shared / "data/coco_tiny_38/annotations/instances_val2017.json"
    words = ("merge-labels", coco, shared / "data/raccoon/training", "--out")
    assert "--renumber counts from 1" in fault(*words, "m.yaml", cwd=tmp_path)
    assert "no room for gaps" in fault(*words, "m.yaml", "--keep-gaps", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
    tfrec(*words, "m.json", "--keep-gaps", cwd=tmp_path)
    assert read_classes(tmp_path / "m.json").labels[-1].id == 91
    tfrec(*words, "m.yaml", "--renumber", cwd=tmp_path)
    assert len(read_classes(tmp_path / "m.yaml").labels) == 81


def test_warnings(tmp_path: Path) -> None:
    write_map(tmp_path / "old.pbtxt", "Platelets")
    (tmp_path / "new.pbtxt").write_text("item {id: 1 name: 'Platelet' display_name: 'it'}")
    out, err = tfrec("merge-labels", "old.pbtxt", "new.pbtxt", "--out", "m.names", cwd=tmp_path)
    assert "Platelet (it)" in out
    left_out, similar = err.splitlines()
    assert left_out.endswith("m.names: a list of names has no room for display_name and keypoints: left out")
    assert similar.startswith("tfrec: warning: 'Platelet' (new.pbtxt) may be 'Platelets' (old.pbtxt)")
    assert similar.endswith("; if so: --alias 'Platelet=Platelets'")


def on_a_terminal(folder: Path, answers: str, *words: str) -> str:
    """Runs the command with stdin on a terminal; what it prints to stderr."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "tfrec_tools", *words]
    with subprocess.Popen(command, cwd=folder, stdin=its, stdout=-3, stderr=-1, encoding="utf-8") as process:
        os.write(ours, answers.encode())
        err = process.communicate(timeout=60)[1]
    os.close(ours)
    os.close(its)
    assert process.returncode == 0, err
    return err


def test_interactive_asks(tmp_path: Path) -> None:
    write_map(tmp_path / "old.pbtxt", "cell", "Platelets", "queen")
    write_map(tmp_path / "new.pbtxt", "WBC", "Platelet", "queens")
    words = (
        "merge-labels",
        "old.pbtxt",
        "new.pbtxt",
        "--out",
        "m.pbtxt",
        "--interactive",
        "--rename",
        "cell=wbc",
    )
    err = on_a_terminal(tmp_path, "7\n2\ny\nn\n", *words)
    assert "  2  'WBC' (new.pbtxt)" in err
    assert "as --alias 'wbc=WBC'" in err
    assert "as --alias 'Platelet=Platelets'" in err
    assert read_label_map(tmp_path / "m.pbtxt").names == ("WBC", "Platelets", "queen", "queens")
    assert "--interactive: stdin is no terminal" in fault(*words, cwd=tmp_path)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--alias", "a"), "--alias: 'a' is no pair, expected OLD=NEW"),
        (("--rename", "=b"), "--rename: '=b' is no pair, expected OLD=NEW"),
        (("--alias", "b=c", "--rename", "b=d"), "--rename: 'b' is to become both 'c' and 'd'"),
        (("--ignore", "B"), "label maps: --ignore names 'B', which is no class of the maps, perhaps 'b'"),
        (("--aliases", "no.json"), "no.json: cannot be read"),
        (("--aliases", "list.json"), 'list.json: expected {"name": "new name"}'),
        (("--aliases", "number.json"), "number.json: 'b': is 3, expected a name or a list of names"),
    ],
)
def test_bad_rules(tmp_path: Path, words: tuple[str, str] | tuple[str, str, str, str], line: str) -> None:
    write_map(tmp_path / "old.pbtxt", "a", "b")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "number.json").write_text('{"b": 3}')
    assert fault("merge-labels", "old.pbtxt", "--out", "m.pbtxt", *words, cwd=tmp_path).startswith(line)


def test_keep_gaps_and_renumber_exclude_each_other(tmp_path: Path) -> None:
    write_map(tmp_path / "old.pbtxt", "a")
    words = ("merge-labels", "old.pbtxt", "--out", "m.pbtxt", "--keep-gaps", "--renumber")
    assert fault(*words, cwd=tmp_path) == "--keep-gaps: excludes --renumber; give one of them"


@pytest.mark.parametrize(
    ("old", "line"),
    [
        (
            "item{id:1 name:'a'} item{id:1 name:'B'}",
            "label maps: old.pbtxt: id 1 stands 2 times ('a', 'B'); 'B' ",
        ),
        ("item{id:2 name:'a'}", "old.pbtxt: ids 1 are missing, so that its ids cannot stay"),
        ("item{\n id 1", "old.pbtxt: line 2: not a label map"),
    ],
)
def test_a_bad_map(tmp_path: Path, old: str, line: str) -> None:
    (tmp_path / "old.pbtxt").write_text(old)
    write_map(tmp_path / "new.pbtxt", "b")
    found = fault("merge-labels", "old.pbtxt", "new.pbtxt", "--out", "d/merged.pbtxt", cwd=tmp_path)
    assert found.startswith(line)
    assert not (tmp_path / "d").exists()


def test_inputs_are_not_overwritten(tmp_path: Path) -> None:
    write_map(tmp_path / "old.pbtxt", "a")
    write_map(tmp_path / "new.pbtxt", "b")
    (tmp_path / "x.id_tables.json").write_text('["c"]')
    for new, out in (("new.pbtxt", "new.pbtxt"), ("x.id_tables.json", "x.pbtxt")):
        assert "both an input and --out" in fault(
            "merge-labels", "old.pbtxt", new, "--out", out, cwd=tmp_path
        )
    assert "is a folder" in fault("merge-labels", "old.pbtxt", "--out", ".", cwd=tmp_path)
    assert (tmp_path / "new.pbtxt").read_text() == format_label_map(from_names(["b"]))


def test_ten_thousand_classes_are_merged_in_seconds(tmp_path: Path) -> None:
    draw = random.Random(1)
    names = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(6, 14))) for _ in range(10_000)]
    write_map(tmp_path / "old.pbtxt", *dict.fromkeys(names[:7000]))
    write_map(tmp_path / "new.pbtxt", *dict.fromkeys(names[3000:]))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    out, _ = tfrec("merge-labels", "old.pbtxt", "new.pbtxt", "--out", "all.pbtxt", cwd=tmp_path)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 8  # 1.4 s on an idle core
    assert out.count("\n│") == 21
    assert "│ ... and 9980 more " in out
    last = "Shown are 20 of 10000 classes, new and changed ones before others; --all-classes shows all.\n"
    assert out.endswith(last)

"""Folders that a command makes whole: the same command again has nothing to do, what differs is told, and the
old folder stays until the new one is finished."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tfrec_tools.dataset import made_folder
from tfrec_tools.dataset.made_folder import Origin
from tfrec_tools.errors import InputError


@dataclass(frozen=True, slots=True)
class Told:
    boxes: dict[str, int]


ORIGIN = Origin("detect", {"score": "0.5"}, {"tensorflow": "2.21.0"}, {"--model": "a", "--like": "b"})


def made(out: Path, origin: Origin = ORIGIN, *, if_changed: bool = False, content: str = "x") -> Any:
    """What a command does; returns what it found there."""
    with made_folder.claimed(out):
        there = made_folder.standing(out, origin, Told, if_changed=if_changed)
        if there.result is None:
            with made_folder.filled(out, there) as folder:
                (folder / "below").mkdir()
                (folder / "below/boxes.json").write_text(content)
                made_folder.note(folder, origin, Told({"cat": 3}))
    return there


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_nothing_changed(tmp_path: Path) -> None:
    assert made(tmp_path / "out").outcome == "made"
    again = made(tmp_path / "out", content="y")
    assert (again.outcome, again.changed, again.result) == ("unchanged", (), Told({"cat": 3}))
    (tmp_path / "out").rename(tmp_path / "copy")
    assert made(tmp_path / "copy").outcome == "unchanged"
    assert names(tmp_path) == ["copy"]


@pytest.mark.parametrize(
    ("other", "what", "detail"),
    [
        ({"inputs": {"--model": "c", "--like": "b"}}, ["input"], "--model changed"),
        ({"inputs": {"--model": "a"}}, ["input"], "--like changed"),
        ({"options": {}}, ["options"], "--score was 0.5, is default"),
        ({"versions": {"tensorflow": "3"}}, ["version"], "tensorflow was 2.21.0, is 3"),
        ({"inputs": {}, "options": {"batch": "2"}}, ["input", "options"], "--model, --like changed"),
    ],
)
def test_what_differs(tmp_path: Path, other: dict[str, Any], what: list[str], detail: str) -> None:
    out, origin = tmp_path / "out", replace(ORIGIN, **other)
    made(out)
    with pytest.raises(
        InputError, match=r"out: is there already, of .*; replace it with --if-changed"
    ) as fault:
        made(out, origin)
    assert detail in str(fault.value)
    anew = made(out, origin, if_changed=True, content="new")
    assert (anew.outcome, [change.what for change in anew.changed]) == ("rebuilt", what)
    assert (out / "below/boxes.json").read_text() == "new"
    assert made(out, origin).outcome == "unchanged"
    assert names(tmp_path) == ["out"]


def test_the_folder_itself(tmp_path: Path) -> None:
    made(tmp_path / "out")
    (tmp_path / "out/below/boxes.json").write_text("xx")
    with pytest.raises(InputError, match=r"damaged \(below/boxes.json missing or of another size\)"):
        made(tmp_path / "out")
    assert made(tmp_path / "out", if_changed=True).outcome == "rebuilt"


@pytest.mark.parametrize("said", [b"", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_a_note_that_is_none(tmp_path: Path, said: bytes) -> None:
    made(tmp_path / "out")
    (tmp_path / "out/made_of.json").write_bytes(said)
    with pytest.raises(InputError, match=r"damaged \(its made_of.json cannot be read\)"):
        made(tmp_path / "out")
    with pytest.raises(InputError, match=r"holds below/boxes.json, which it was not made with"):
        made(tmp_path / "out", if_changed=True)


def test_a_result_of_another_kind(tmp_path: Path) -> None:
    made(tmp_path / "out")
    note = tmp_path / "out/made_of.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"result": {"boxes": [1]}}))
    assert made(tmp_path / "out", if_changed=True).outcome == "rebuilt"


def test_what_others_made_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("x")
    with pytest.raises(InputError, match=r"out: is there already, and has no made_of.json"):
        made(tmp_path / "out", if_changed=True)
    made(tmp_path / "new")
    (tmp_path / "new/mine").write_text("x")
    assert made(tmp_path / "new").outcome == "unchanged"
    with pytest.raises(InputError, match="holds mine, which it was not made with; move it away"):
        made(tmp_path / "new", replace(ORIGIN, inputs={}), if_changed=True)
    with pytest.raises(InputError, match="made by `tfrec detect`"):
        made(tmp_path / "new", replace(ORIGIN, command="export"), if_changed=True)
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(InputError, match="is a link"):
        made(tmp_path / "link", replace(ORIGIN, inputs={}), if_changed=True)


def test_the_old_stays_until_the_new_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a run is killed between the two renamings: the next one puts the old folder back."""
    out, other = tmp_path / "out", replace(ORIGIN, inputs={})
    made(out)
    monkeypatch.setattr(made_folder, "note", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made(out, other, if_changed=True, content="new")
    monkeypatch.undo()
    assert made(out).outcome == "unchanged"
    assert names(tmp_path) == ["out"]
    out.rename(tmp_path / ".out.replaced")
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial/half").write_text("x")
    assert made(out, other, if_changed=True, content="new").outcome == "rebuilt"
    assert (names(tmp_path), (out / "below/boxes.json").read_text()) == (["out"], "new")


def test_two_runs_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom tfrec_tools.dataset import made_folder\n"
        "with made_folder.claimed(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"another run \(process {first.pid} .* is writing this folder"):
            made(tmp_path / "out")
        first.communicate()
    assert made(tmp_path / "out").outcome == "made"

"""Text and tables that fit a terminal, and tables of many classes."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.helpers.places import SAMPLE
from tests.helpers.small_sets import save_picture
from tfrec_tools.cli import class_tables, console, layout, manner
from tfrec_tools.cli.class_tables import Order
from tfrec_tools.cli.width import command_lines, wrapped

WIDTH = 80
TAIL = "with a name that is rather long, as taxonomies of many levels have them"
NAMES = [f"class {i} {TAIL} {i}" if i % 3 else f"{chr(0x4E00 + i)} {i}" for i in range(200)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 200 classes, most of which have long names, and one box that leans over the edge."""
    path = tmp_path_factory.mktemp("many")
    for i in range(10):
        save_picture(path / f"images/{i}.jpg", 64, 48)
    image = {"width": 64, "height": 48}
    document = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **image} for i in range(10)],
        "annotations": [
            {"id": i, "image_id": i % 10, "category_id": 1 + i % 200, "bbox": [2, 3, 30 + (i == 7) * 60, 20]}
            for i in range(230)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, start=1)],
    }
    (path / "many.json").write_text(json.dumps(document))
    (path / "old.pbtxt").write_bytes((SAMPLE / "label_maps/old.pbtxt").read_bytes())
    return path


def ran(folder: Path, *words: str) -> str:
    """What a command prints in 80 columns, whose lines all fit."""
    environment = {"COLUMNS": str(WIDTH), "PYTHONPATH": str(SAMPLE.parent), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "tfrec_tools", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if cell_len(line) > WIDTH] == []
    return done.stdout


def test_commands_fit_80_columns_and_shorten_tables(folder: Path) -> None:
    said = ran(
        folder, "convert", "many.json", "--images", "images", "--out", "out/a", "--split", "t=0.8,v=0.2"
    )
    assert "│ ... and 180 more " in said
    assert "Shown are 20 of 200 classes, the most frequent; --all-classes shows all." in said
    for words in (
        ("validate", "many.json", "--images", "images"),
        ("inspect", "many.json"),
        ("inspect", "out/a"),
        ("merge-labels", "old.pbtxt", "out/a.label_map.pbtxt", "--out", "merged.pbtxt"),
        ("extract", "out/a", "--to", "coco", "--out", "coco"),
        ("compare", "out/a", "out/a"),
        ("models",),
    ):
        said = ran(folder, *words)
        assert (" more " in said) == (words != ("models",)), words
        assert TAIL not in said
    whole = ran(folder, "validate", "many.json", "--images", "images", "--all-classes")
    assert whole.count("as taxonomies of") == 133 + 1  # of the first issue
    assert "\u2026" not in whole


def test_a_next_command_can_be_copied(folder: Path) -> None:
    said = ran(folder, "inspect", "many.json")
    words = shlex.split(said.partition("Next: ")[2].replace("\\\n", ""))
    assert words[1:] == ["convert", "many.json", "--images", "images", "--out", "records/many"]
    ran(folder, *words[1:])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("one two three four", ["one two three", "  four"]),
        ("  one two three four", ["  one two three", "    four"]),
        ("/a/path/that/is/long.txt x", ["/a/path/that/is/long.txt", "  x"]),
        ("\u732b\u732b\u732b\u732b \u732b\u732b\u732b\u732b", ["\u732b" * 4, f"  {chr(0x732B) * 4}"]),
        ("a\nb", ["a", "b"]),
    ],
)
def test_lines_are_broken_between_words(text: str, lines: list[str]) -> None:
    assert wrapped(text, 15).split("\n") == lines
    assert wrapped(text, None) == text


def test_a_long_command_goes_on_as_a_shell_has_it() -> None:
    command = "tfrec finetune --base 'my model' --labels merged.pbtxt --train 'records/new-*' --out run"
    said = command_lines("Next: ", command, 40)
    assert all(len(line) <= 40 for line in said.splitlines())
    assert "--base 'my model'" in said
    assert shlex.split(said.removeprefix("Next: ").replace("\\\n", "")) == shlex.split(command)


def test_names_lose_their_middle_where_there_is_no_room() -> None:
    assert layout.shortened("class number 141", 16) == "class number 141"
    assert layout.shortened("class number 141", 9) == "clas\u2026141"
    assert cell_len(layout.shortened("\u732b" * 20, 9)) <= 9


def test_the_widest_column_gives_way_and_numbers_stay_whole() -> None:
    rows = [["a name of several words", "1234567", "x y"]]
    flags = {"right": [False, True, False], "cut": [False, False, False]}
    assert layout.fitted(["a", "n", "b"], rows, 80, **flags) == [23, 7, 3]
    assert layout.fitted(["a", "n", "b"], rows, 31, **flags) == [11, 7, 3]
    assert layout.fitted(["a", "n", "b"], rows, 10, **flags) == [1, 7, 1]


def test_which_classes_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(str(i), i) for i in range(30)]
    chosen, more = class_tables.shortened(rows, class_tables.most_frequent([i for _, i in rows]))
    assert (chosen, more) == (rows[10:], 10)
    assert class_tables.shortened(rows[:25], Order(range(25), "")) == (rows[:25], 0)
    assert class_tables.least_first([0.5, None, 0.1]) == [2, 0, 1]
    assert class_tables.in_turns([1, 2, 3], [7]) == [1, 7, 2, 3]
    assert class_tables.some(list("abcdefghijk")) == "a, b, c, d, e, f, g, h and 3 more"
    with manner.of([]) as now:
        now.all_classes = True
        class_tables.print_classes("title", ("class", "n"), rows, Order(range(30), "any"))
    assert "more" not in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_notes_and_finished_steps_stand_above_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.cli.test_console import OPTIONS

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with manner.of([]), console.watched(OPTIONS) as watched:
        watched.progress("training", 0, 3, "compiling")
        manner.note("warning: so it is")
        watched.progress("training", 3, 3)
        watched.progress("writing", 0, None)
    said = terminal.getvalue()
    assert "\r\x1b[2Ktfrec: warning: so it is\n" in said
    assert "\r\x1b[2Ktraining: 3 in 0.0 s\n" in said
    assert "writing: 0.0 s\n" in said


def test_a_log_says_how_long_took_what_took_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.cli.test_console import OPTIONS

    monkeypatch.setattr(console, "_TOLD_FROM_S", 0.0)
    with manner.of([]), console.watched(OPTIONS) as watched:
        watched.progress("loading", 0, None)
        watched.progress("training", 1200, 1200)
    assert capsys.readouterr().err == "loading ...\nloading: 0.0 s\ntraining: 1,200 in 0.0 s\n"

"""What is shown while a command works."""

from __future__ import annotations

import io
import sys

import pytest

from tfrec_tools.cli import console
from tfrec_tools.detector.options.finetune import FinetuneOptions


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


OPTIONS = FinetuneOptions(base="base", labels="map.pbtxt", train="a", val="b")


def test_a_bar_is_there_before_the_first_unit_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.watched(OPTIONS) as watched:
        watched.progress("training", 0, 300, "compiling the first step")
        drawn = terminal.getvalue()
    assert "compiling the first step" in drawn
    assert "0/300" in drawn


def test_a_log_names_each_step_once_that_is_named_before_it_begins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.watched(OPTIONS) as watched:
        watched.progress("reading records", 1, None)
        watched.progress("training", 40, 300, "compiling the first step")
        watched.progress("training", 41, 300, "loss 1.2")
    assert capsys.readouterr().err == "training: 40 of 300  compiling the first step\n"

"""Texts made to crash, stall or swell a reader end in one line, within limits of time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hostile import corpus, reader
from tfrec_tools.formats import voc

_LONGEST_LINE = 3000


def test_each_ends_in_a_line_or_a_source(tmp_path: Path) -> None:
    texts = corpus.texts()
    for name, data in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-m", "tests.hostile.reader", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * reader.CPU_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {name for name, *_ in lines} == set(texts)
    unforeseen = [line for line in lines if line[1] not in ("read", "refused")]
    assert not unforeseen
    assert {name for name, came, *_ in lines if came == "refused"} == corpus.refused()
    assert not [name for name, came, _, length in lines if came == "refused" and length > _LONGEST_LINE]
    assert not [line for line in lines if line[1] == "refused" and "\n" in line[2]]
    said = {name: text for name, _, text, _ in lines}
    assert said["voc/comment.xml"] == said["voc/instruction.xml"] == "[[[1.0, 1.0, 30.0, 9.0]]]"


@pytest.mark.parametrize("point", ["<x{0}>1</x{0}><y{0}>2</y{0}>", "<polygon><x>{0}</x><y>2</y></polygon>"])
def test_a_polygon_takes_time_by_its_points_not_by_their_square(tmp_path: Path, point: str) -> None:
    points = "".join(point.format(number) for number in range(4000))
    polygon = f"<polygon>{points}</polygon>"
    path = tmp_path / "a.xml"
    path.write_text(f"<annotation><object><name>a</name>{polygon}</object></annotation>")
    start = time.process_time()
    (record,) = voc.read(path).records
    assert record.names == ("a",)
    assert time.process_time() - start < 5  # 0.2 s on an idle core; minutes before


@pytest.mark.slow
def test_a_round_of_damages_ends_well() -> None:
    command = [sys.executable, "-m", "tests.hostile.fuzz", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-6000:]

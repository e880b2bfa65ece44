"""The project's own commands, each as a process of its own; what is finished is left as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_TIMES = "times.json"


def convert(out: Path, name: str, source: Path, *words: str) -> None:
    """Records out/name-* of annotations, unless they are there."""
    if not (out / f"{name}.manifest.json").exists():
        tfrec("convert", str(source), "--out", str(out / name), *words, quietly=True)


def merge(out: Path, name: str, parts: Sequence[str]) -> None:
    """The label map out/name.pbtxt of the maps of sets, unless it is there."""
    if not (out / f"{name}.pbtxt").exists():
        maps = [str(out / f"{part}.label_map.pbtxt") for part in parts]
        tfrec("merge-labels", *maps, "--out", str(out / f"{name}.pbtxt"), quietly=True)


def finetune(run: Path, *words: str) -> None:
    """Begins the run, goes on with it, or leaves it as it is when it is finished. run/times.json has the
    seconds of the processor of all commands that it took, and how many these were."""
    needs_control = "--control" in words and not (run / "control" / "report.json").exists()
    if (run / "report.json").exists() and not needs_control:
        return
    resume = ("--resume",) if (run / "run.toml").exists() else ()
    before = times(run)
    used = _cpu_of_children()
    try:
        tfrec("finetune", "--out", str(run), *words, *resume)
    finally:
        if run.is_dir():
            spent = round(before.get("cpu_seconds", 0.0) + _cpu_of_children() - used, 1)
            text = json.dumps({"cpu_seconds": spent, "commands": before.get("commands", 0) + 1})
            (run / _TIMES).write_text(text + "\n", encoding="utf-8")


def times(run: Path) -> dict[str, float]:
    """Those of `finetune`; nothing where it did not make the run, or was killed outright."""
    file = run / _TIMES
    noted: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return noted


def _cpu_of_children() -> float:
    spent = os.times()
    return spent.children_user + spent.children_system


def tfrec(*words: str, quietly: bool = False) -> None:
    """Raises CalledProcessError where the command fails."""
    print("$ tfrec", *words, file=sys.stderr, flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [sys.executable, "-m", "tfrec_tools", *words],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL if quietly else None,
    )

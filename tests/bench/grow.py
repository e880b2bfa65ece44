"""`bin/bench grow SET DATA BASE OUT`: a detector of old classes is grown by a new one, beside what it is held
against: the base, plain fine-tuning, and training on everything at once. The table of docs/quality.md.

SET   bccd (red and white cells, then platelets) or cards (five ranks, then the ace)
DATA  the data set's folder: of github.com/Shenggan/BCCD_Dataset, or of the playing cards of
      github.com/EdjeElectronics/TensorFlow-Object-Detection-API-Tutorial-Train-Multiple-Objects-Windows-10
BASE  a model folder to start from
OUT   records and runs; what is finished stays, and is not done again

Pictures are disjoint: those with a new object are the candidates for the new set, labelled for the new class
alone; the old set is labelled for the old classes alone. Pictures to choose by and to test on are labelled
for all. For growing twice, the old set is halved: the first half is labelled for the first old class alone,
the second for the other old ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean


@dataclass(frozen=True)
class Task:
    annotations: str  # pattern of VOC files below the data folder
    images: str  # folder below it
    old: tuple[str, ...]
    new: str
    early_steps: int  # of training that come before those, in a row of their own, so that none takes too long
    steps: int  # of training the base: enough to be worth remembering
    words: tuple[str, ...] = ()  # of tfrec finetune, of every row


_GROWTH_STEPS = 300
TASKS = {
    "bccd": Task("BCCD/Annotations/*.xml", "BCCD/JPEGImages", ("RBC", "WBC"), "Platelets", 0, 400),
    "cards": Task(
        "images/*/*.xml",
        "images",
        ("nine", "ten", "jack", "queen", "king"),
        "ace",
        1500,
        1500,
        ("--augment", "crop"),  # nobody deals mirrored cards
    ),
}
# Of 20 pictures, by a hash of their names: 3 to test on, 1 to choose by, the rest old and new by halves.
_TEST, _VAL, _OF = 3, 4, 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench grow", description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted(TASKS))
    for name in ("data", "base", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", action="append", help="rows to make, of those below; default: all")
    given = parser.parse_args()
    task, out = TASKS[given.set], given.out
    convert_all(task, given.data, out)
    for name, words in rows(task, given.base, out, given.seed).items():
        if not given.only or name in given.only:
            finetune(out / f"{name}-{given.seed}", "--seed", given.seed, *task.words, *words)
    print(table(task, out))


def rows(task: Task, base: Path, out: Path, seed: str) -> dict[str, tuple[str, ...]]:
    """{row: words of tfrec finetune}, in an order in which each finds what it needs."""

    def records(option: str, name: str) -> tuple[str, str]:
        return option, str(out / f"{name}-*")

    def labelled(labels: str, measured: str = "") -> tuple[str, ...]:
        chosen_by, tested = records("--val", f"val{measured}"), records("--test", f"test{measured}")
        return "--labels", str(out / f"{labels}.pbtxt"), *chosen_by, *tested

    growth = ("--steps", str(_GROWTH_STEPS), "--lr", "0.01")

    def grown(from_row: str) -> tuple[str, ...]:
        return "--base", str(out / f"{from_row}-{seed}" / "model"), *growth

    off = ("--pseudo-labels", "off", "--distill", "off", "--interpolate", "off")
    start = ("--base", str(base), "--drop-classes")

    def learnt(row: str, steps: int, *words: str) -> dict[str, tuple[str, ...]]:
        """Of training without anything that remembers; all the early steps come in a row before."""
        rate = ("--lr", "0.02", "--backbone-lr-mult", "0.5")
        how = (*rate, *off, *words)
        if not task.early_steps:
            return {row: (*start, *how, "--steps", str(steps))}
        early = f"early-{row}"
        return {
            early: (*start, *how, "--steps", str(task.early_steps)),
            row: ("--base", str(out / f"{early}-{seed}" / "model"), *how, "--steps", str(steps)),
        }

    new, every = records("--train", "new"), labelled("merged")
    old_only, first_only = labelled("old.label_map", "_old"), labelled("first.label_map", "_first")
    return {
        **learnt("base", task.steps, *old_only, *records("--train", "old")),
        "without-old": (*grown("base"), *every, *new, "--control"),
        "replay": (*grown("base"), *every, *new, *records("--replay", "old"), "--replay-budget", "10%"),
        # As many steps as the base and its growth together.
        **learnt("joint", task.steps + _GROWTH_STEPS, *every, *records("--train", "joint")),
        **learnt("first", task.steps, *first_only, *records("--train", "first")),
        "second": (*grown("first"), *old_only, *records("--train", "second")),
        "twice": (*grown("second"), *every, *new),
    }


def convert_all(task: Task, data: Path, out: Path) -> None:
    parts = partition(task, sorted(data.glob(task.annotations)))
    for name, (files, kept) in parts.items():
        write_voc(out / "voc" / name, files, kept)
    for name in ("old", "new", "first", "second"):
        convert(out, name, data / task.images)
    if not (out / "merged.pbtxt").exists():
        maps = [str(out / f"{name}.label_map.pbtxt") for name in ("old", "new")]
        tfrec("merge-labels", *maps, "--out", str(out / "merged.pbtxt"))
    for name in ("joint", "val", "test"):
        convert(out, name, data / task.images, "--labels", str(out / "merged.pbtxt"))
    for known in ("old", "first"):
        for name in (f"val_{known}", f"test_{known}"):
            convert(out, name, data / task.images, "--labels", str(out / f"{known}.label_map.pbtxt"))


def partition(task: Task, files: Iterable[Path]) -> dict[str, tuple[list[Path], set[str]]]:
    """{set: its VOC files, and the classes that are kept in them}."""
    sets: dict[str, list[Path]] = {"old": [], "new": [], "val": [], "test": []}
    for file in files:
        place = int(hashlib.sha256(file.stem.encode()).hexdigest(), 16)
        if place % _OF < _VAL:
            sets["test" if place % _OF < _TEST else "val"].append(file)
        else:
            has_new = task.new in _names(file)
            sets["new" if has_new and place // _OF % 2 else "old"].append(file)
    old, every = set(task.old), {*task.old, task.new}
    first, others = {task.old[0]}, set(task.old[1:])
    return {
        "old": (sets["old"], old),
        "new": (sets["new"], {task.new}),
        "joint": (sets["old"] + sets["new"], every),
        "val": (sets["val"], every),
        "test": (sets["test"], every),
        "val_old": (sets["val"], old),
        "test_old": (sets["test"], old),
        "first": (sets["old"][::2], first),
        "second": ([file for file in sets["old"][1::2] if others & _names(file)], others),
        "val_first": (sets["val"], first),
        "test_first": (sets["test"], first),
    }


def _names(file: Path) -> set[str | None]:
    """Of the classes of its objects."""
    return {name.text for name in ET.parse(file).iterfind("object/name")}


def write_voc(folder: Path, files: Iterable[Path], kept: set[str]) -> None:
    """The files with the objects of some classes alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        tree = ET.parse(file)
        root = tree.getroot()
        for thing in root.findall("object"):
            if thing.findtext("name") not in kept:
                root.remove(thing)
        tree.write(folder / file.name)


def convert(out: Path, name: str, images: Path, *words: str) -> None:
    if not (out / f"{name}.manifest.json").exists():
        tfrec("convert", str(out / "voc" / name), "--images", str(images), "--out", str(out / name), *words)


def finetune(run: Path, *words: str) -> None:
    """Begins the run, goes on with it, or leaves it as it is when it is finished."""
    needs_control = "--control" in words and not (run / "control" / "report.json").exists()
    if not (run / "report.json").exists() or needs_control:
        resume = ("--resume",) if (run / "run.toml").exists() else ()
        tfrec("finetune", "--out", str(run), *words, *resume)


def tfrec(*words: str) -> None:
    print("$ tfrec", *words, file=sys.stderr, flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-m", "tfrec_tools", *words], check=True, env=environment)


def table(task: Task, out: Path) -> str:
    """Markdown: AP50 of the rows that are finished, the mean of all seeds, and what part of joint training's
    each has."""
    runs = {
        "base, before": "base-[0-9]*",
        "plain fine-tuning (control)": "without-old-[0-9]*/control",
        "tfrec, no old pictures": "without-old-[0-9]*",
        "tfrec, 10 % replayed": "replay-[0-9]*",
        "tfrec, two steps in a row": "twice-[0-9]*",
        "joint training": "joint-[0-9]*",
    }
    found = {name: means(task, sorted(out.glob(f"{run}/report.json"))) for name, run in runs.items()}
    joint = found["joint training"].get("all")
    lines = ["| | seeds | old | new | all | of joint |", "|---|---|---|---|---|---|"]
    for name, row in found.items():
        cells = [_points(row.get(group)) for group in ("old", "new", "all")]
        share = _points(row["all"] / joint) if joint and "all" in row else "-"
        lines.append(f"| {name} | {row['runs']:g} | {' | '.join(cells)} | {share} |")
    return "\n".join(lines)


def means(task: Task, reports: Sequence[Path]) -> dict[str, float]:
    """AP50 of the classes that all the runs know: the old ones, the new one, and all, if they know all; and
    how many runs."""
    groups = {"old": task.old, "new": (task.new,), "all": (*task.old, task.new)}
    found = [
        {line["name"]: line["after"]["ap50"] for line in json.loads(report.read_text())["classes"]}
        for report in reports
    ]
    known = {name: names for name, names in groups.items() if found and set(names) <= found[0].keys()}
    means = {name: mean(run[each] for run in found for each in names) for name, names in known.items()}
    return {**means, "runs": len(found)}


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    main()

"""Published sets of photographs, on which a published detector grows by one class.

Images are disjoint: those with a new object are the candidates for the new set, labelled for the new class
alone; the old set is labelled for the old classes alone. Pictures to choose by and to test on are labelled
for all. For growing twice, the old set is halved: the first half is labelled for the first old class alone,
the second for the other old ones.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.grow import commands
from tests.bench.grow.reports import means, points


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
# Of 20 images, by a hash of their names: 3 to test on, 1 to choose by, the rest old and new by halves.
_TEST, _VAL, _OF = 3, 4, 20


def make(task: Task, data: Path, base: Path, out: Path, seed: str, only: list[str] | None) -> str:
    """Makes the rows of a seed that are not there yet; the table of all that are."""
    convert_all(task, data, out)
    for name, words in rows(task, base, out, seed).items():
        if not only or name in only:
            commands.finetune(out / f"{name}-{seed}", "--seed", seed, *task.words, *words)
    return table(task, out)


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

    def convert(name: str, *words: str) -> None:
        commands.convert(out, name, out / "voc" / name, "--images", str(data / task.images), *words)

    for name in ("old", "new", "first", "second"):
        convert(name)
    commands.merge(out, "merged", ["old", "new"])
    for name in ("joint", "val", "test"):
        convert(name, "--labels", str(out / "merged.pbtxt"))
    for known in ("old", "first"):
        for name in (f"val_{known}", f"test_{known}"):
            convert(name, "--labels", str(out / f"{known}.label_map.pbtxt"))


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


def table(task: Task, out: Path) -> str:
    """Markdown: AP50 of the rows that are finished, the mean of all seeds, and what part of joint training's
    each has."""
    runs = {
        "base, before": "base-[0-9]*",
        "plain fine-tuning (control)": "without-old-[0-9]*/control",
        "tfrec, no old images": "without-old-[0-9]*",
        "tfrec, 10 % replayed": "replay-[0-9]*",
        "tfrec, two steps in a row": "twice-[0-9]*",
        "joint training": "joint-[0-9]*",
    }
    groups = {"old": task.old, "new": (task.new,), "all": (*task.old, task.new)}
    found = {name: means(groups, sorted(out.glob(f"{run}/report.json"))) for name, run in runs.items()}
    joint = found["joint training"].get("all")
    lines = ["| | seeds | old | new | all | of joint |", "|---|---|---|---|---|---|"]
    for name, row in found.items():
        cells = [points(row.get(group)) for group in ("old", "new", "all")]
        share = points(row["all"] / joint) if joint and "all" in row else "-"
        lines.append(f"| {name} | {row['runs']:g} | {' | '.join(cells)} | {share} |")
    return "\n".join(lines)

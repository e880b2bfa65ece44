"""What is trained on the scenes for each family: a base from nothing, what it grows to, and what that is held
against."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.grow import commands, scene_sets
from tests.bench.grow.families import BASE_BATCH, FAMILIES, Family
from tests.bench.grow.figures import NEW
from tfrec_tools.detector.training.length import Data

_FORGETFUL = ("--pseudo-labels", "off", "--distill", "off", "--interpolate", "off")
# Of random weights the backbone and the batch norms must learn as much as the rest.
_FROM_NOTHING = ("--freeze", "none", "--backbone-lr-mult", "1", "--train-batch-norm")
# Images that a growth looks at by `--steps auto`: joint training looks at as many after the base's.
_GROWTH_LOOKS = Data(scene_sets.NEW_IMAGES, len(NEW)).looks()
SEEDS = ("1", "2", "3")  # of the rows that decide; the others have the first


@dataclass(frozen=True, slots=True)
class Row:
    """A run of `tfrec finetune` into FAMILY/NAME-SEED."""

    name: str
    seed: str
    words: tuple[str, ...]


def rows(family: str, out: Path) -> list[Row]:
    """In an order in which each finds what it needs, and the decisive ones come early."""
    made, folder = FAMILIES[family], out / family
    records = out / "records"

    def sets(option: str, name: str) -> tuple[str, str]:
        return option, str(records / f"{name}-*")

    def known(count: int, *, tested: bool) -> tuple[str, ...]:
        """Labels and what is measured with, of the old and so many new classes."""
        of = "" if count == len(NEW) else f"_{count}"
        tests = sets("--test", f"test{of}") if tested else ()
        return "--labels", str(records / f"known_{count}.pbtxt"), *sets("--val", f"val{of}"), *tests

    def model(row: str) -> tuple[str, str]:
        return "--base", str(folder / f"{row}-1" / "model")

    def from_nothing(row: str, count: int, *images: str) -> list[Row]:
        """Early rows first. What joins old and new looks at as many images as base and growth together."""
        trains = [word for name in images for word in sets("--train", name)]
        how = (*_FROM_NOTHING, *_FORGETFUL, *_pace(made), *trains)
        early = [f"early-{row}-{number}" for number in range(1, len(made.early_steps) + 1)]
        bases = [("--base", str(folder / "start")), *map(model, early)]
        made_rows = [
            Row(name, "1", (*base, *known(count, tested=False), *how, "--steps", str(steps)))
            for name, base, steps in zip(early, bases, made.early_steps, strict=False)
        ]
        steps = made.base_steps + (-(-_GROWTH_LOOKS // BASE_BATCH) if count else 0)
        words = (*bases[-1], *known(count, tested=True), *how, "--steps", str(steps))
        return [*made_rows, Row(row, "1", words)]

    def grown(row: str, *words: str, seed: str = "1") -> Row:
        return Row(
            row, seed, (*model("base"), *known(len(NEW), tested=True), *sets("--train", "new"), *words)
        )

    def without_old(seed: str) -> Row:
        return grown("without-old", *(("--control",) if seed == "1" else ()), seed=seed)

    def replay(seed: str) -> Row:
        return grown("replay", *sets("--replay", "old"), "--replay-budget", "10%", seed=seed)

    def one_by_one(count: int) -> Row:
        """A growth by the class number `count`, from the one before."""
        base = model(f"one-by-one-{count - 1}" if count > 1 else "base")
        words = (*base, *known(count, tested=count == len(NEW)), *sets("--train", f"new_{count}"))
        return Row(f"one-by-one-{count}", "1", words)

    return [
        *from_nothing("base", 0, "old"),
        without_old("1"),
        replay("1"),
        *from_nothing("joint", len(NEW), "joint"),
        *(one_by_one(count) for count in range(1, len(NEW) + 1)),
        *from_nothing("joint-five", len(NEW), "old", *(f"new_{count}" for count in range(1, len(NEW) + 1))),
        *(row for seed in SEEDS[1:] for row in (without_old(seed), replay(seed))),
    ]


def _pace(made: Family) -> tuple[str, ...]:
    return "--batch", str(BASE_BATCH), "--lr", str(made.base_lr)


def make(family: str, out: Path, only: list[str] | None, seeds: list[str] | None) -> None:
    """Makes the rows that are not there yet, of those that are wanted."""
    scene_sets.make(out / "records")
    start = out / family / "start"
    if not start.exists():
        _in_a_process("families", family, str(start))
    for row in rows(family, out):
        if (not only or row.name in only) and (not seeds or row.seed in seeds):
            commands.finetune(out / family / f"{row.name}-{row.seed}", "--seed", row.seed, *row.words)


def _in_a_process(module: str, *words: str) -> None:
    """What needs TensorFlow, so that its memory is free again when a row is trained."""
    subprocess.run([sys.executable, "-m", f"tests.bench.grow.{module}", *words], check=True)

"""The table of the scenes: each family's rows beside its joint and its plain training, means, and targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tests.bench.grow import commands, reports
from tests.bench.grow.figures import NEW, OLD

_GROUPS = {"old": OLD, "new": NEW, "all": (*OLD, *NEW)}
# {what is shown: pattern of its runs in the family's folder}
_RUNS = {
    "base": "base-*",
    "control": "without-old-*/control",
    "without old images": "without-old-*",
    "10 % replayed": "replay-*",
    "five in a row": f"one-by-one-{len(NEW)}-*",
    "joint": "joint-[0-9]*",
    "joint, labels of five in a row": "joint-five-*",
}
_FROM_NOTHING = ("base", "joint", "joint, labels of five in a row")
_OF_EQUAL_STEPS = ("control", "without old images", "10 % replayed")  # whose seconds can be compared
_COLUMNS = ("old", "new", "all", "of joint", "lost", "new to control", "seconds", "x control")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a row: mean AP50 of classes in points, and what is made of it; None where it is not known.

    lost   points of the old classes, since the base
    gained points of the new classes above those of the control
    share  of joint training, in percent
    cost   seconds, as a multiple of the control's
    spreads  {group: half of its interval}, where the reports have one
    """

    runs: int
    old: float | None = None
    new: float | None = None
    all: float | None = None
    share: float | None = None
    lost: float | None = None
    gained: float | None = None
    seconds: float | None = None
    cost: float | None = None
    spreads: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """What the mean over families is to reach."""

    row: str
    what: str
    value: Callable[[Figures], float | None]
    limit: float
    at_least: bool

    def line(self, figures: Figures | None) -> str:
        side = "at least" if self.at_least else "at most"
        reached = self.value(figures) if figures else None
        asked = f"{self.row}, {self.what}: {side} {self.limit:g}"
        if reached is None:
            return f"- {asked}: not known"
        met = reached >= self.limit if self.at_least else reached <= self.limit
        return f"- {asked}: {reached:.2f}, {'met' if met else '**missed**'}"


TARGETS = tuple(
    Target(*words)
    for words in (
        ("without old images", "% of joint", lambda row: row.share, 97.0, True),
        ("without old images", "points lost on the old", lambda row: row.lost, 1.5, False),
        ("without old images", "new to the control's new", lambda row: row.gained, 0.0, True),
        ("without old images", "times the control's seconds", lambda row: row.cost, 1.3, False),
        ("10 % replayed", "% of joint", lambda row: row.share, 99.0, True),
        ("10 % replayed", "points lost on the old", lambda row: row.lost, 0.5, False),
        ("10 % replayed", "new to the control's new", lambda row: row.gained, 0.0, True),
        ("10 % replayed", "times the control's seconds", lambda row: row.cost, 1.3, False),
        ("five in a row", "% of joint", lambda row: row.share, 92.0, True),
    )
)


def table(out: Path, families: Sequence[str]) -> str:
    """Markdown of all rows that are finished, their means over the families that have them, and what of the
    targets these means meet."""
    by_family = {family: family_rows(out / family) for family in families}
    lines = [f"| family | | seeds | {' | '.join(_COLUMNS)} |", f"|---|---|---|{'---|' * len(_COLUMNS)}"]
    lines += [_line(family, row, made) for family, rows in by_family.items() for row, made in rows.items()]
    over_all = {row: _mean([rows[row] for rows in by_family.values() if row in rows]) for row in _RUNS}
    lines += [_line("**mean**", row, made) for row, made in over_all.items() if made]
    targets = [target.line(over_all.get(target.row)) for target in TARGETS]
    return "\n".join([*lines, "", *targets])


def family_rows(folder: Path) -> dict[str, Figures]:
    """{row: its figures}, of the rows of a family that are finished."""
    files = {row: sorted(folder.glob(f"{runs}/report.json")) for row, runs in _RUNS.items()}
    found = {row: reports.means(_GROUPS, of_row) for row, of_row in files.items()}
    base, control, joint = (found[row] for row in ("base", "control", "joint"))
    control_seconds = _seconds(files["control"])
    made = {}
    for row, means in found.items():
        if not means["runs"]:
            continue
        seconds = _seconds(files[row]) if row in _OF_EQUAL_STEPS else None
        grown = row not in _FROM_NOTHING
        made[row] = Figures(
            runs=int(means["runs"]),
            old=_points(means.get("old")),
            new=_points(means.get("new")),
            all=_points(means.get("all")),
            share=_points(_ratio(means.get("all"), joint.get("all"))),
            lost=_points(_less(base.get("old"), means.get("old"))) if grown else None,
            gained=_points(_less(means.get("new"), control.get("new"))) if row != "control" else None,
            seconds=seconds,
            cost=_ratio(seconds, control_seconds),
            spreads=_spreads(files[row]),
        )
    return made


def _seconds(files: Sequence[Path]) -> float | None:
    """Of the runs that were made by one command: a report counts the last command alone."""
    whole = [file for file in files if commands.times(_run(file)).get("commands") == 1]
    return reports.seconds(whole)


def _run(report: Path) -> Path:
    return report.parent.parent if report.parent.name == "control" else report.parent


def _spreads(files: Sequence[Path]) -> tuple[tuple[str, float], ...]:
    widths = {group: reports.half_width(files, group) for group in _GROUPS}
    return tuple((group, 100.0 * width) for group, width in widths.items() if width is not None)


def _mean(rows: Sequence[Figures]) -> Figures | None:
    """Over families; of each figure, over those that have it."""
    if not rows:
        return None

    def over(value: Callable[[Figures], float | None]) -> float | None:
        known = [number for row in rows if (number := value(row)) is not None]
        return mean(known) if known else None

    return Figures(
        runs=sum(row.runs for row in rows),
        old=over(lambda row: row.old),
        new=over(lambda row: row.new),
        all=over(lambda row: row.all),
        share=over(lambda row: row.share),
        lost=over(lambda row: row.lost),
        gained=over(lambda row: row.gained),
        seconds=over(lambda row: row.seconds),
        cost=over(lambda row: row.cost),
    )


def _line(family: str, row: str, made: Figures) -> str:
    spreads = dict(made.spreads)
    cells = [_cell(value, spreads.get(group)) for group, value in (("old", made.old), ("new", made.new))]
    cells.append(_cell(made.all, spreads.get("all")))
    cells += [_cell(value) for value in (made.share, made.lost, made.gained)]
    cells.append("-" if made.seconds is None else f"{made.seconds:.0f}")
    cells.append("-" if made.cost is None else f"{made.cost:.2f}")
    return f"| {family} | {row} | {made.runs} | {' | '.join(cells)} |"


def _cell(value: float | None, spread: float | None = None) -> str:
    if value is None:
        return "-"
    return f"{round(value, 1) + 0.0:.1f}" + (f" ± {spread:.1f}" if spread is not None else "")


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else 100.0 * fraction


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _ratio(value: float | None, other: float | None) -> float | None:
    return None if value is None or not other else value / other

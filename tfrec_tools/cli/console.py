"""How commands show results on stdout and progress on stderr."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from tfrec_tools.cli import manner
from tfrec_tools.cli.progress import JsonLines, Stages
from tfrec_tools.cli.shown import say, shown
from tfrec_tools.system.options import Options, Progress, silent

_PLAIN_WIDTH = 120  # columns, where the output is a file or a pipe
_WIDE = 110  # columns from which on a score and its interval stand side by side
_PLAIN_EVERY_S = 10.0
_BAR_EVERY_S = 0.1


_Watched = TypeVar("_Watched", bound=Options)


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A line and a table under it; columns that hold only numbers stand to the right."""
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(headers))]
    cells = [[shown(str(cell)) for cell in row] for row in rows]
    if _is_plain_output() and (drawn := plain_table(headers, cells, numeric)):
        say("\n".join((shown(title), *drawn)))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for header, is_numeric in zip(headers, numeric, strict=True):
        table.add_column(header, justify="right" if is_numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console = _console()
    console.print(Text(shown(title)), soft_wrap=True)
    console.print(table)


def plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """Returns the lines of a table, the same as rich's where there is no terminal, which to load and to draw
    takes 0.04 s; none of one that rich would fold, or whose cells have tabs and the like."""
    columns = list(zip(headers, *rows, strict=True))
    cell_len = _measure(columns)
    widths = [max(map(cell_len, column)) for column in columns]
    fits = sum(widths) + 3 * len(widths) + 1 <= _PLAIN_WIDTH
    if not fits or not all(cell.isprintable() for column in columns for cell in column):
        return []

    def line(cells: Sequence[str], edges: str) -> str:
        padded = []
        for cell, width, is_numeric in zip(cells, widths, numeric, strict=True):
            blank = " " * (width - cell_len(cell))
            padded.append(f" {blank}{cell} " if is_numeric else f" {cell}{blank} ")
        return edges[0] + edges[1].join(padded) + edges[2]

    def rule(edges: str) -> str:
        return edges[0] + edges[2].join(edges[1] * (width + 2) for width in widths) + edges[3]

    body = [line(row, "│││") for row in rows]
    return [rule("┏━┳┓"), line(headers, "┃┃┃"), rule("┡━╇┩"), *body, rule("└─┴┘")]


def _measure(columns: Iterable[Iterable[str]]) -> Callable[[str], int]:
    """Returns what says how many places on a terminal each of the texts takes."""
    if all(text.isascii() for column in columns for text in column):
        return len
    from rich.cells import cell_len

    return cell_len


def _is_plain_output() -> bool:
    """Returns whether stdout is no terminal, and takes the lines of tables."""
    return not sys.stdout.isatty() and str(sys.stdout.encoding or "utf-8").lower().startswith("utf")


def print_precisions(title: str, lines: Sequence[Any], *, agreement: bool) -> None:
    """Report lines as a table: AP50 and AP in points, before and after, with their intervals, on a line of
    their own where columns are few, and the `agreement` with the base, where there is nothing else to say
    of old classes; the means of groups stand apart."""
    from rich.table import Table
    from rich.text import Text

    from tfrec_tools.detector.evaluation.wording import scored

    console = _console()
    stacked = console.width < _WIDE
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    table.add_column("")
    for header in ("boxes", "AP50 before", "AP50 after", "AP before", "AP after"):
        table.add_column(header.replace(" ", "\n") if stacked else header, justify="right")
    if agreement:
        header = "agreement with the base"
        table.add_column(header.replace(" ", "\n") if stacked else header, justify="right")
    last_class = max((i for i, line in enumerate(lines) if not line.is_mean), default=-1)
    for index, line in enumerate(lines):
        pair = (line.before, line.after)
        scores = [
            scored(getattr(precision, key), precision.intervals.get(key), stacked=stacked)
            if precision
            else "-"
            for key in ("ap50", "ap")
            for precision in pair
        ]
        style = "bold" if line.is_mean else None
        if agreement:
            scores.append(points(line.agreement and line.agreement.ap50))
        row = (Text(shown(line.name)), line.group, str(line.boxes or ""), *scores)
        table.add_row(*row, style=style, end_section=index == last_class)
    console.print(table)


def points(share: float | None) -> str:
    """0 to 1 in points of 100; a dash where there is nothing to tell."""
    return "-" if share is None else f"{100 * share:.1f}"


def _console() -> Any:
    from rich.console import Console

    console = Console()
    console = console if console.is_terminal else Console(width=_PLAIN_WIDTH)
    console.on_broken_pipe = _unheard  # type: ignore[method-assign]
    return console


def _unheard() -> None:
    """Rich would end the command with 1 where who reads stdout has gone."""
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@contextmanager
def watched(options: _Watched) -> Iterator[_Watched]:
    """The options with a progress that is shown on stderr meanwhile, as --progress says: by itself a bar on a
    terminal, else a line every ten seconds, and one for each step that is named before anything of it is
    done; --verbose adds how long each step took."""
    kind, stages = manner.now().progress_here, Stages(manner.now().verbose)
    with _shown(kind) as progress:
        yield replace(options, progress=stages.noting(progress))
    stages.end()


@contextmanager
def _shown(kind: str) -> Iterator[Progress]:
    if kind == "json":
        lines = JsonLines()
        yield lines.show
        lines.end()
    elif kind == "bar":
        with _bar() as bar:
            yield _bar_progress(bar)
    else:
        yield silent if kind == "none" else _plain_progress()


def _bar() -> Any:
    """It draws nothing by itself: a thread that does would keep `workers` from forking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    wanted = True if manner.now().progress == "bar" else None
    console = Console(stderr=True, force_terminal=wanted)
    return Progress(*columns, console=console, transient=True, auto_refresh=False)


def _bar_progress(bar: Any) -> Progress:
    """One bar at a time: that of the step that goes on."""
    tasks: dict[str, Any] = {}
    drawn_at = 0.0

    def show(step: str, done: int, total: int | None, note: str = "") -> None:
        nonlocal drawn_at
        if step not in tasks:
            for task in tasks.values():
                bar.remove_task(task)
            tasks.clear()
            tasks[step] = bar.add_task(step, total=total)
            drawn_at = 0.0
        bar.update(tasks[step], completed=done, total=total, description=shown(f"{step}  {note}").rstrip())
        if time.monotonic() - drawn_at > _BAR_EVERY_S:
            bar.refresh()
            drawn_at = time.monotonic()

    return show


def _plain_progress() -> Progress:
    last, shown_step = time.monotonic(), ""

    def show(step: str, done: int, total: int | None, note: str = "") -> None:
        nonlocal last, shown_step
        begins = step != shown_step and (done == 0 or bool(note))
        shown_step = step
        if begins or time.monotonic() - last > _PLAIN_EVERY_S:
            last = time.monotonic()
            of_total = f" of {total}" if total else ""
            line = shown(f"{step}: {done}{of_total}  {note}").rstrip()
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    return show

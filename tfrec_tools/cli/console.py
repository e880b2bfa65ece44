"""How commands show results on stdout and progress on stderr."""

from __future__ import annotations

import errno
import math
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from tfrec_tools.cli import manner
from tfrec_tools.cli.progress import JsonLines, Stages
from tfrec_tools.cli.shown import say, shown, write
from tfrec_tools.cli.width import PLAIN_WIDTH, columns
from tfrec_tools.system.options import Options, Progress, silent

_LONGEST_CELL = 400  # characters
_WIDE = 110  # columns from which on a score and its interval stand side by side
_PLAIN_EVERY_S = 10.0
_TOLD_FROM_S = 1.0  # that a step took, for a log to say so
_BAR_EVERY_S = 0.1


_Watched = TypeVar("_Watched", bound=Options)


def print_table(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    right: Collection[str] | None = None,
    cut: Collection[str] = (),
) -> None:
    """A line and a table under it. The columns of the headers in `right` stand to the right, by itself those
    that hold only numbers. What is too wide goes on in the next line; in the columns of `cut` it loses its
    middle."""
    numeric = [
        header in right if right is not None else all(isinstance(row[i], int | float) for row in rows)
        for i, header in enumerate(headers)
    ]
    cells = [[_cell(shown(str(cell))) for cell in row] for row in rows]
    if title:
        say(title)
    if _is_plain_output() and (drawn := plain_table(headers, cells, numeric)):
        write("\n".join(drawn))
    else:
        _print_fitted(headers, cells, numeric, [header in cut for header in headers])


def _print_fitted(
    headers: Sequence[str], cells: list[list[str]], numeric: Sequence[bool], cut: Sequence[bool]
) -> None:
    from rich.table import Table
    from rich.text import Text

    from tfrec_tools.cli import layout

    widths = layout.fitted(headers, cells, room(), right=numeric, cut=cut)
    table = Table()
    for header, is_numeric, width in zip(headers, numeric, widths, strict=True):
        table.add_column(header, justify="right" if is_numeric else "left", overflow="fold", width=width)
    for row in cells:
        kept = [
            layout.shortened(cell, width) if is_cut else cell
            for cell, width, is_cut in zip(row, widths, cut, strict=True)
        ]
        table.add_row(*map(Text, kept))
    rich_console().print(table)


def _cell(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}\u2026"


def plain_table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """Returns the lines of a table, the same as rich's where there is no terminal, which to load and to draw
    takes 0.04 s; none of one that rich would fold, or whose cells have tabs and the like."""
    columns = list(zip(headers, *rows, strict=True))
    cell_len = _measure(columns)
    widths = [max(map(cell_len, column)) for column in columns]
    fits = sum(widths) + 3 * len(widths) + 1 <= room()
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


def room() -> int:
    """Returns how many columns tables have."""
    return columns(sys.stdout) or PLAIN_WIDTH


def is_narrow() -> bool:
    """Returns whether a score has its interval below it, as there is no room beside it."""
    return room() < _WIDE


def rich_console() -> Any:
    from rich.console import Console

    console = Console(width=room())
    console.on_broken_pipe = _unheard  # type: ignore[method-assign]
    return console


def _unheard() -> None:
    """Rich would end the command with 1 where who reads stdout has gone."""
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@contextmanager
def watched(options: _Watched) -> Iterator[_Watched]:
    """The options with a progress that is shown on stderr meanwhile, as --progress says: by itself a bar on a
    terminal, and a line for each step that is over; else a line every ten seconds, one for each step that is
    named before anything of it is done, and one for each that took a second, with --verbose for all."""
    with _shown(manner.now().progress_here) as progress:
        yield replace(options, progress=progress)


@contextmanager
def _shown(kind: str) -> Iterator[Progress]:
    verbose = manner.now().verbose
    if kind == "json":
        lines = JsonLines()
        stages = Stages(manner.note, 0 if verbose else math.inf)
        yield stages.noting(lines.show)
        lines.end()
    elif kind == "bar":
        with _bar() as bar, _drawn_over(bar) as above:
            stages = Stages(above, 0)
            yield stages.noting(_bar_progress(bar))
            stages.end()
    elif kind == "none":
        stages = Stages(manner.note, 0 if verbose else math.inf)
        yield stages.noting(silent)
    else:
        stages = Stages(_print_line, 0 if verbose else _TOLD_FROM_S)
        yield stages.noting(_plain_progress())
    stages.end()


def _print_line(line: str) -> None:
    print(shown(line), file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def _drawn_over(bar: Any) -> Iterator[Callable[[str], None]]:
    """What prints lines above a bar, where notes go too meanwhile."""
    from rich.text import Text

    def above(line: str) -> None:
        bar.console.print(Text(shown(line)))

    manner.now().above = above
    try:
        yield above
    finally:
        manner.now().above = None


def _bar() -> Any:
    """It draws nothing by itself: a thread that does would keep `workers` from forking."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    count, step = TextColumn("{task.fields[count]}"), TextColumn("{task.description}", markup=False)
    wanted = True if manner.now().progress == "bar" else None
    console = Console(stderr=True, force_terminal=wanted)
    bar = BarColumn(bar_width=20)
    return Progress(
        step, bar, count, TimeRemainingColumn(), console=console, transient=True, auto_refresh=False
    )


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
            tasks[step] = bar.add_task(step, total=total, count="")
            drawn_at = 0.0
        count = f"{done:,}{f'/{total:,}' if total else ''}" if done or total else ""
        said = shown(f"{step}  {note}").rstrip()
        bar.update(tasks[step], completed=done, total=total, description=said, count=count)
        if time.monotonic() - drawn_at > _BAR_EVERY_S:
            bar.refresh()
            drawn_at = time.monotonic()

    return show


def _plain_progress() -> Progress:
    last, shown_step = time.monotonic(), ""

    def show(step: str, done: int, total: int | None, note: str = "") -> None:
        nonlocal last, shown_step
        begins = step != shown_step and (done == 0 or bool(note))
        if step != shown_step:
            last, shown_step = time.monotonic(), step
        if begins or time.monotonic() - last > _PLAIN_EVERY_S:
            last = time.monotonic()
            of_total = f" of {total}" if total else ""
            count = f": {done}{of_total}" if done or total else " ..."
            _print_line(f"{step}{count}  {note}".rstrip())

    return show

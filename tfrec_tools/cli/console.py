"""How commands show results on stdout and progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from tfrec_tools.cli.shown import shown
from tfrec_tools.system.options import Options, Progress

_PLAIN_WIDTH = 120  # columns, where the output is a file or a pipe
_PLAIN_EVERY_S = 10.0
_BAR_EVERY_S = 0.1


_Watched = TypeVar("_Watched", bound=Options)


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A line and a table under it; columns that hold only numbers stand to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column, header in enumerate(headers):
        numeric = all(isinstance(row[column], int | float) for row in rows)
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(str(cell))) for cell in row))
    console = _console()
    console.print(Text(shown(title)), soft_wrap=True)
    console.print(table)


def print_precisions(title: str, lines: Sequence[Any], *, agreement: bool) -> None:
    """Report lines as a table: AP50 and AP in points, before and after, and the `agreement` with the base,
    where there is nothing else to say of old classes; the means of groups stand apart."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    table.add_column("class")
    table.add_column("")
    for header in ("boxes", "AP50 before", "AP50 after", "AP before", "AP after"):
        table.add_column(header, justify="right")
    if agreement:
        table.add_column("agreement with the base", justify="right")
    last_class = max((i for i, line in enumerate(lines) if not line.is_mean), default=-1)
    for index, line in enumerate(lines):
        pair = (line.before, line.after)
        scores = [
            points(precision and getattr(precision, key)) for key in ("ap50", "ap") for precision in pair
        ]
        style = "bold" if line.is_mean else None
        if agreement:
            scores.append(points(line.agreement and line.agreement.ap50))
        row = (Text(shown(line.name)), line.group, str(line.boxes or ""), *scores)
        table.add_row(*row, style=style, end_section=index == last_class)
    _console().print(table)


def points(share: float | None) -> str:
    """0 to 1 in points of 100; a dash where there is nothing to tell."""
    return "-" if share is None else f"{100 * share:.1f}"


def _console() -> Any:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


@contextmanager
def watched(options: _Watched) -> Iterator[_Watched]:
    """The options with a progress that is shown on stderr meanwhile: a bar on a terminal, else a line every
    ten seconds."""
    if not sys.stderr.isatty():
        yield replace(options, progress=_plain_progress())
        return
    with _bar() as bar:
        yield replace(options, progress=_bar_progress(bar))


def _bar() -> Any:
    """It draws nothing by itself: a thread that does would keep `workers` from forking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)


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
    last = time.monotonic()

    def show(step: str, done: int, total: int | None, note: str = "") -> None:
        nonlocal last
        if time.monotonic() - last > _PLAIN_EVERY_S:
            last = time.monotonic()
            of_total = f" of {total}" if total else ""
            print(shown(f"{step}: {done}{of_total}  {note}").rstrip(), file=sys.stderr)  # noqa: T201

    return show

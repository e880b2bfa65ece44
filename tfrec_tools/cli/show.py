"""How commands show results on stdout and progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

_PLAIN_WIDTH = 120  # columns, where the output is a file or a pipe
_PLAIN_EVERY_S = 10.0
_BAR_EVERY_S = 0.1


class Show(Protocol):
    """To call while a long step goes on: units done, of how many where known, and how it goes."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None: ...


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A line and a table under it; columns that hold only numbers stand to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for column, header in enumerate(headers):
        numeric = all(isinstance(row[column], int | float) for row in rows)
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = _console()
    console.print(Text(title), soft_wrap=True)
    console.print(table)


def print_precisions(title: str, lines: Sequence[Any]) -> None:
    """Report lines as a table: AP50 and AP in points, before and after; the means of groups stand apart."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    table.add_column("class")
    table.add_column("")
    for header in ("boxes", "AP50 before", "AP50 after", "AP before", "AP after"):
        table.add_column(header, justify="right")
    last_class = max((i for i, line in enumerate(lines) if not line.is_mean), default=-1)
    for index, line in enumerate(lines):
        pair = (line.before, line.after)
        scores = [points(one and getattr(one, key)) for key in ("ap50", "ap") for one in pair]
        style = "bold" if line.is_mean else None
        row = (Text(line.name), line.group, str(line.boxes or ""), *scores)
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
def progress(what: str) -> Iterator[Show]:
    """A bar on a terminal, else a line every ten seconds."""
    if not sys.stderr.isatty():
        yield _plain_progress(what)
        return
    with _bar() as bar:
        task = bar.add_task(what, total=None)
        shown_at = time.monotonic()

        def show(done: int, total: int | None, note: str = "") -> None:
            nonlocal shown_at
            bar.update(task, completed=done, total=total, description=f"{what}  {note}".rstrip())
            if time.monotonic() - shown_at > _BAR_EVERY_S:
                bar.refresh()
                shown_at = time.monotonic()

        yield show


def _bar() -> Any:
    """It draws nothing by itself: a thread that does would keep `workers` from forking."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)


def _plain_progress(what: str) -> Show:
    last = time.monotonic()

    def show(done: int, total: int | None, note: str = "") -> None:
        nonlocal last
        if time.monotonic() - last > _PLAIN_EVERY_S:
            last = time.monotonic()
            of_total = f" of {total}" if total else ""
            print(f"{what}: {done}{of_total}  {note}".rstrip(), file=sys.stderr)  # noqa: T201

    return show

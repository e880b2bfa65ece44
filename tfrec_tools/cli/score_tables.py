"""Scores of classes in tables that fit a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tfrec_tools.cli import manner
from tfrec_tools.cli.class_tables import CLASS, Order, in_turns, least_first, more_row, say_more, shortened
from tfrec_tools.cli.console import is_narrow, rich_console, room
from tfrec_tools.cli.shown import say, shown

_SCORES = ("AP50 before", "AP50 after", "AP before", "AP after")
_AGREEMENT = "agreement with the base"
_BESIDE = re.compile(r"(\S+) \((.*)\)")


def points(share: float | None) -> str:
    """0 to 1 in points of 100; a dash where there is nothing to tell."""
    return "-" if share is None else f"{100 * share:.1f}"


def stacked(cell: str) -> str:
    """Returns "91.2 (88.7-93.1)" as two lines."""
    return _BESIDE.sub(r"\1\n\2", cell)


def print_precisions(title: str, lines: Sequence[Any], *, agreement: bool) -> None:
    """Report lines as a table: AP50 and AP in points, before and after, with their intervals, on a line of
    their own where columns are few, and the `agreement` with the base, where there is nothing else to say
    of old classes; the means of groups stand apart. Where classes are many, new ones and old ones that lost
    most are shown in turn."""
    classes, means = ([line for line in lines if line.is_mean == is_mean] for is_mean in (False, True))
    order = Order(_worst(classes), "new ones and those that lost most")
    chosen, more = shortened(classes, order)
    narrow = is_narrow()
    keys = ("ap50",) if narrow and agreement else ("ap50", "ap")  # with both there is no room for names
    scores = _SCORES[: 2 * len(keys)]
    headers = (CLASS, "", "boxes", *scores, *((_AGREEMENT,) if agreement else ()))
    rows = [_cells(line, keys, agreement, narrow) for line in chosen]
    rows += more_row(headers, more)
    rows += [_cells(line, keys, agreement, narrow) for line in means]
    _print(title, headers, rows, len(means))
    say_more(len(classes), more, order.which)


def _print(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], means: int) -> None:
    """Prints a table whose last rows are means."""
    from rich.table import Table
    from rich.text import Text

    from tfrec_tools.cli import layout

    right = [header not in (CLASS, "") for header in headers]
    cut = [header == CLASS and not manner.now().all_classes for header in headers]
    widths = layout.fitted(headers, rows, room(), right=right, cut=cut)
    table = Table()
    for header, is_number, column in zip(headers, right, widths, strict=True):
        table.add_column(header, justify="right" if is_number else "left", width=column, overflow="fold")
    for index, (name, *cells) in enumerate(rows):
        first_mean = len(rows) - means
        whole = layout.shortened(name, widths[0]) if cut[0] else name
        style = "bold" if index >= first_mean else None
        table.add_row(Text(whole), *map(Text, cells), style=style, end_section=index == first_mean - 1)
    say(title)
    rich_console().print(table)


def _cells(line: Any, keys: Sequence[str], agreement: bool, narrow: bool) -> list[str]:
    from tfrec_tools.detector.evaluation.wording import scored

    scores = [
        scored(getattr(precision, key), precision.intervals.get(key), stacked=narrow) if precision else "-"
        for key in keys
        for precision in (line.before, line.after)
    ]
    if agreement:
        scores.append(points(line.agreement and line.agreement.ap50))
    return [shown(line.name), line.group, str(line.boxes or ""), *scores]


def _worst(lines: Sequence[Any]) -> list[int]:
    """Returns the places of new classes, those with the lowest AP50 first, and in turn of old ones, those
    first that lost most, or agree least with the base."""
    new = [place for place, line in enumerate(lines) if line.group == "new"]
    old = [place for place, line in enumerate(lines) if line.group != "new"]
    of_new = least_first([lines[place].after and lines[place].after.ap50 for place in new])
    of_old = least_first([_gain(lines[place]) for place in old])
    return in_turns([new[i] for i in of_new], [old[i] for i in of_old])


def _gain(line: Any) -> float | None:
    if line.change is not None:
        return float(line.change.ap50)
    return None if line.agreement is None else float(line.agreement.ap50)

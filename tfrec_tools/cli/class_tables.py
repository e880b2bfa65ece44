"""Tables with a row a class, of which those say most that are shown where classes are many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TypeVar

from tfrec_tools.cli import layout, manner
from tfrec_tools.cli.console import print_table
from tfrec_tools.cli.shown import say
from tfrec_tools.errors import counted, listed

CLASS = "class"  # the header of the column of names
SHOWN = 20  # rows, so that the rest stays on the screen
_SPARED = 5  # rows more are no reason to leave any out

_NUMBER = re.compile(r"[-+]?[\d.,]+([ \n].*)?|-|")
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Order:
    """Which rows are shown where classes are many: as many as `shown` of `places`, from the first on, which
    are `which`."""

    places: Sequence[int]
    which: str
    shown: int = SHOWN


def print_classes(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    order: Order,
    *,
    last: Sequence[Sequence[object]] = (),
) -> None:
    """Prints a table of classes, and `last` below them; where classes are many, some of the rows, in the
    table's own order, and a line that says which. A name that has no room loses its middle, unless all is to
    be shown."""
    chosen, more = shortened(rows, order)
    table, right = [*chosen, *more_row(headers, more), *last], _numeric(headers, rows)
    print_table(title, headers, table, right=right, cut=() if manner.now().all_classes else (CLASS,))
    say_more(len(rows), more, order.which)


def shortened(rows: Sequence[_Row], order: Order) -> tuple[list[_Row], int]:
    """Returns the rows that are shown, in their order, and how many are not."""
    if manner.now().all_classes or len(rows) <= order.shown + _SPARED:
        return list(rows), 0
    places = sorted(list(order.places)[: order.shown])
    return [rows[place] for place in places], len(rows) - len(places)


def more_row(headers: Sequence[str], more: int) -> list[list[str]]:
    """Returns the row that stands for those that are not shown; none where all are."""
    said = f"{layout.MORE}{more} more"
    return [[said if header == CLASS else "" for header in headers]] if more else []


def say_more(count: int, more: int, which: str) -> None:
    """Says which classes are shown, where not all are."""
    if more:
        say(f"Shown are {count - more} of {counted(count, CLASS)}, {which}; --all-classes shows all.")


def most_frequent(counts: Sequence[int], shown: int = SHOWN) -> Order:
    return Order(most_first(counts), "the most frequent", shown)


def most_first(counts: Sequence[float]) -> list[int]:
    """Returns the places of the rows, those with the most first."""
    return sorted(range(len(counts)), key=lambda place: -counts[place])


def least_first(scores: Sequence[float | None]) -> list[int]:
    """Returns the places of the rows, those with the lowest score first; of those without one nothing is
    known."""
    return sorted(range(len(scores)), key=lambda place: (scores[place] is None, scores[place] or 0.0))


def in_turns(*places: Sequence[int]) -> list[int]:
    """Returns the places of several lists, one of each in turn."""
    return [place for place in chain.from_iterable(zip_longest(*places)) if place is not None]


def some(names: Sequence[str]) -> str:
    """Returns the names as a list in a sentence, the first of them where they are many."""
    return ", ".join(names) if manner.now().all_classes else listed(names)


def _numeric(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Returns the headers of columns that hold only numbers, with what belongs to them."""
    return [
        header
        for i, header in enumerate(headers)
        if header != CLASS and all(_NUMBER.fullmatch(str(row[i])) for row in rows)
    ]

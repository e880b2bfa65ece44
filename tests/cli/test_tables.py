"""Tables that are drawn here are those that rich draws where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfrec_tools.cli.console import plain_table, print_table

WIDTH = 120
Rows = list[tuple[object, ...]]


def by_rich(title: str, headers: tuple[str, ...], rows: Rows) -> str:
    table = Table()
    for i, header in enumerate(headers):
        is_numeric = all(isinstance(row[i], int | float) for row in rows)
        table.add_column(header, justify="right" if is_numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    out = io.StringIO()
    console = Console(width=WIDTH, file=out)
    console.print(Text(title), soft_wrap=True)
    console.print(table)
    return out.getvalue()


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(1, "cat"), (22, "日本 猫"), (3, "e\u0301"), (7, ""), (8, "a  ")],
        [(1, "\U0001f469\u200d\U0001f467"), (2, "[bold]x[/]")],
        [(1.5, "a\tb"), (2.25, "c\nd")],
        [("", "x" * 108), (1, "b")],
        [("", "x" * 109), (1, "b")],
        [(1, "word " * 60)],
    ],
)
def test_they_are_the_same(rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    headers = ("number", "class")
    print_table("a set", headers, rows)
    assert capsys.readouterr().out == by_rich("a set", headers, rows)


def test_what_rich_would_fold_is_left_to_it() -> None:
    assert plain_table(("a",), [["x" * (WIDTH - 4)]], [False])
    assert not plain_table(("a",), [["x" * (WIDTH - 3)]], [False])

"""How wide the columns of a table are, so that it fits and no word is broken as long as that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

_LEAST_CUT = 16  # columns of what may be cut
_BORDERS = 3  # columns that each column costs, and one more
ELLIPSIS = "\u2026"
MORE = "... and "  # begins what stands for rows that are left out, and is never cut


def fitted(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    room: int,
    *,
    right: Sequence[bool],
    cut: Sequence[bool],
) -> list[int]:
    """Returns the widths of columns that come to `room` with their borders, if they can: the widest gives
    way first. Cells of `right` columns are numbers, which stay whole; those of `cut` ones need little."""
    columns = list(zip(headers, *rows, strict=True))
    widths = [_longest(column, str.splitlines) for column in columns]
    least = [
        max(_longest([header], str.split), _least(cells, is_number, is_cut))
        for (header, *cells), is_number, is_cut in zip(columns, right, cut, strict=True)
    ]
    over = sum(widths) + _BORDERS * len(widths) + 1 - room
    while over > 0:
        able = [i for i, width in enumerate(widths) if width > least[i]]
        if not able:  # words are broken
            able = [i for i, width in enumerate(widths) if width > 1 and not right[i]]
        if not able:
            break
        widths[max(able, key=widths.__getitem__)] -= 1
        over -= 1
    return widths


def _least(cells: Sequence[str], is_number: bool, is_cut: bool) -> int:
    if is_number or is_cut:
        longest = _longest(cells, str.splitlines)
        return longest if is_number else min(longest, _LEAST_CUT)
    return _longest(cells, str.split)


def _longest(cells: Iterable[str], split: Callable[[str], list[str]]) -> int:
    from rich.cells import cell_len

    return max((cell_len(part) for cell in cells for part in split(cell)), default=0)


def shortened(text: str, width: int) -> str:
    """Returns a text with an ellipsis for its middle, where it is wider: names of one kind differ at their
    ends."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width or text.startswith(MORE):
        return text
    head = width // 2
    tail, room = "", width - 1 - head
    for letter in reversed(text):
        if cell_len(letter + tail) > room:
            break
        tail = letter + tail
    return f"{set_cell_size(text, head).rstrip()}{ELLIPSIS}{tail.lstrip()}"

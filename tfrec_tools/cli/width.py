"""How wide text may be, and lines that fit it."""

from __future__ import annotations

import os
import shlex
from typing import IO

PLAIN_WIDTH = 120  # columns of tables, where the output is a file or a pipe
_NARROWEST = 20
_INDENT = "  "  # of what a line goes on with
_COMMAND_INDENT = "    "


def columns(stream: IO[str]) -> int | None:
    """Returns how many columns there are: as COLUMNS says, else as the terminal is wide; None of a file or a
    pipe, whose lines are as long as they are."""
    word = os.environ.get("COLUMNS", "")
    if word.isdecimal():
        return max(_NARROWEST, int(word))
    if not stream.isatty():
        return None
    try:
        return max(_NARROWEST, os.get_terminal_size(stream.fileno()).columns)
    except OSError:  # a terminal that has no size, such as a test's
        return None


def wrapped(text: str, width: int | None) -> str:
    """Returns a text whose lines are broken between words, where they are too long. A word is never broken:
    a path stays a path."""
    if width is None or (len(text) <= width and text.isascii()):
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    from rich.cells import cell_len

    lead = line[: len(line) - len(line.lstrip(" "))]
    parts, now = [], lead
    for word in line[len(lead) :].split(" "):
        longer = f"{now} {word}" if now.strip() else now + word
        if now.strip() and cell_len(longer) > width:
            parts.append(now)
            longer = lead + _INDENT + word
        now = longer
    return [*parts, now]


def command_lines(label: str, command: str, width: int | None) -> str:
    """Returns a label and a command for a shell, which goes on in the next line, as a shell has it, where it
    is too long. An option stays beside its value."""
    if width is None or len(label) + len(command) <= width:
        return label + command
    parts, now = [], label
    for piece in _pieces(shlex.split(command)):
        if now.strip() and now != label and len(now) + len(piece) + 3 > width:
            parts.append(f"{now} \\")
            now = _COMMAND_INDENT + piece
        else:
            now += piece if now == label else f" {piece}"
    return "\n".join((*parts, now))


def _pieces(words: list[str]) -> list[str]:
    """Returns the words as a shell takes them, options with the value that follows."""
    pieces: list[str] = []
    for word in map(shlex.quote, words):
        follows = pieces and pieces[-1].startswith("--") and " " not in pieces[-1]
        if follows and not word.startswith("--"):
            pieces[-1] += f" {word}"
        else:
            pieces.append(word)
    return pieces

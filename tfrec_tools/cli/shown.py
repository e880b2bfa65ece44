"""Text as a terminal may show it: names from files can hold what moves its cursor or turns its letters."""

from __future__ import annotations

import re
import sys

from tfrec_tools.cli.width import columns, command_lines, wrapped

# All control characters but line break and tab, and those that turn the direction of writing.
_CONTROL = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2028\\u2029\\u2066-\\u2069]")


def shown(text: str) -> str:
    """Returns the text with control characters as JSON escapes them, so that JSON stays JSON."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write(text: str | bytes, *, nl: bool = True) -> None:
    """Prints a text, or one in UTF-8, to stdout as it is."""
    import typer

    typer.echo(shown(text) if isinstance(text, str) else shown(text.decode()).encode(), nl=nl)


def say(text: str, *, err: bool = False) -> None:
    """Prints a text to stdout or stderr, in lines that fit what shows them."""
    import typer

    typer.echo(wrapped(shown(text), columns(sys.stderr if err else sys.stdout)), err=err)


def say_command(label: str, command: str) -> None:
    """Prints a label and a command that can be copied to a shell."""
    import typer

    typer.echo(command_lines(label, shown(command), columns(sys.stdout)))

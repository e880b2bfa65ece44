"""Text as a terminal may show it: names from files can hold what moves its cursor or turns its letters."""

from __future__ import annotations

import re

# All control characters but line break and tab, and those that turn the direction of writing.
_CONTROL = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2028\\u2029\\u2066-\\u2069]")


def shown(text: str) -> str:
    """Returns the text with control characters as JSON escapes them, so that JSON stays JSON."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def say(text: str | bytes, *, err: bool = False, nl: bool = True) -> None:
    """Prints a text, or one in UTF-8, to stdout or stderr."""
    import typer

    typer.echo(shown(text) if isinstance(text, str) else shown(text.decode()).encode(), err=err, nl=nl)
